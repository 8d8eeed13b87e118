"""The interpreter is right: every operation gives what MAX gives."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from max.driver import CPU
from max.driver import Tensor as DriverTensor
from max.dtype import DType
from max.engine import InferenceSession
from max.experimental import functional as F
from max.experimental import random
from max.experimental.tensor import GRAPH, Tensor
from max.graph import BufferType, DeviceRef, Graph, TensorType, TensorValue, ops
from max.nn.module_v3 import Module

from checker import interpreter

pytestmark = pytest.mark.max

HOST = DeviceRef.CPU()
RNG = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def integers(low: int, high: int, *shape: int) -> np.ndarray:
    return RNG.integers(low, high, shape)


INPUTS = {
    # float32
    "f": 3 * normal(2, 3, 4),
    "g": 3 * normal(2, 3, 4),
    "row": normal(4),
    "column": normal(3, 1),
    "scalar": normal(),
    "one": normal(1, 1, 1),
    "empty": normal(0, 4),
    "unit": np.tanh(normal(2, 3, 4)),
    "special": np.array(
        [np.nan, np.inf, -np.inf, 0, -0.0, 1, -1, 0.5, 1.5, 2.5, -0.5, -2.5, 90, -90],
        np.float32,
    ),
    "mixed": np.array(
        [1, -np.inf, -np.inf, 2, np.nan, np.inf, 3, 2, 0, 0.5, 2, np.nan, -0.0, 1],
        np.float32,
    ),
    "ties": np.array([[1, 3, 3, 0, 1, 3], [2, 2, 2, 2, 2, 2]], np.float32),
    "masked": np.array([[0, -np.inf, 1, 2], [-np.inf] * 4], np.float32),
    "matrix": normal(4, 5),
    "square": normal(5, 5),
    "grid": normal(5, 5),  # not `square`: MAX repacks what a matmul has on its right
    "batch": normal(2, 1, 5, 4),
    # others
    "d": RNG.standard_normal((2, 3)),
    "i": integers(-9, 10, 2, 3, 4),
    "j": integers(1, 5, 2, 3, 4) * RNG.choice([-1, 1], (2, 3, 4)),
    "exponent": integers(0, 4, 2, 3, 4),
    "repeats": np.array([1, 0, 2]),
    "k32": integers(-9, 10, 2, 3).astype(np.int32),
    "u8": integers(0, 256, 2, 3).astype(np.uint8),
    "t": RNG.random((2, 3, 4)) < 0.5,
    "v": RNG.random((2, 3, 4)) < 0.5,
    "rows": integers(-4, 4, 2, 3),
    "pairs": np.array([[0, 1], [3, 4], [2, 2]]),
    "where": integers(0, 4, 2, 5),
}


def unary(op: Callable[[Any], Any], *names: str) -> Callable[[Any], list[Any]]:
    """`op` on float32 and float64, on values at the edges, and on those named."""
    return lambda x: [
        op(getattr(x, name)) for name in ["f", "one", "empty", "special", "d", *names]
    ]


def binary(op: Callable[[Any, Any], Any], *pairs: str) -> Callable[[Any], list[Any]]:
    """`op` on equal and on broadcast shapes, with numbers on either side."""
    named = [pair.split() for pair in pairs]
    return lambda x: [
        op(x.f, x.g),
        op(x.column, x.f),
        op(x.scalar, x.row),
        op(x.f, 2),
        op(0.5, x.f),
        op(x.empty, x.row),
        op(x.special, x.scalar),
        op(x.special, x.mixed),
        op(x.d, 3),
        *(op(getattr(x, left), getattr(x, right)) for left, right in named),
    ]


def logical(op: Callable[[Any, Any], Any]) -> Callable[[Any], list[Any]]:
    return lambda x: [op(x.t, x.v), op(x.t, x.v[0, 1])]


def reduction(op: Callable[..., Any], *names: str) -> Callable[[Any], list[Any]]:
    return lambda x: [
        *(op(x.f, axis=axis) for axis in (0, 1, -1)),
        op(x.ties),
        op(x.special),
        op(x.special[3:]),
        op(x.d, axis=0),
        *(op(getattr(x, name)) for name in names),
    ]


def last(op: Callable[..., Any], *names: str) -> Callable[[Any], list[Any]]:
    """Along the last axis: MAX can do no other on a CPU."""
    return lambda x: [
        op(x.f, axis=-1),
        op(x.f * 100, axis=2),
        *(op(getattr(x, name)) for name in ["ties", "special", "masked", "d", *names]),
    ]


TABLE: dict[str, Callable[[Any], list[Any]]] = {
    "abs": unary(F.abs, "i", "k32"),
    "add": binary(F.add, "i j", "k32 k32", "u8 u8"),
    "argmax": last(F.argmax, "i"),
    "argmin": last(F.argmin, "i"),
    "argsort": lambda x: [
        F.argsort(x.row),
        F.argsort(x.row, ascending=False),
        F.argsort(x.i[0, 0]),
        F.argsort(x.one[0, 0]),
    ],
    "as_interleaved_complex": lambda x: [F.as_interleaved_complex(x.f)],
    "atanh": lambda x: [F.atanh(x.unit), F.atanh(x.d / 9)],
    "band_part": lambda x: [
        F.band_part(x.f, num_lower=None, num_upper=0),
        F.band_part(x.f, num_lower=None, num_upper=0, exclude=True),
        F.band_part(x.f, num_lower=1, num_upper=2),
        F.band_part(x.grid, num_lower=0, num_upper=None, exclude=True),
        F.band_part(x.i, num_lower=0, num_upper=1),
        F.band_part(x.masked, num_lower=0, num_upper=0),
    ],
    "broadcast_to": lambda x: [
        F.broadcast_to(x.row, (3, 4)),
        F.broadcast_to(x.column, (2, 3, 4)),
        F.broadcast_to(x.scalar, (2, 2)),
        F.broadcast_to(x.i[:, :1], (2, 3, 4)),
        F.broadcast_to(x.empty, (3, 0, 4)),
    ],
    "cast": lambda x: [
        F.cast(x.f, DType.int64),
        F.cast(x.f, DType.int32),
        F.cast(x.f, DType.float64),
        F.cast(x.f, DType.bool),
        F.cast(F.cast(x.f, DType.float16), DType.float32),
        F.cast(F.cast(x.f, DType.bfloat16), DType.float32),
        F.cast(x.d, DType.float32),
        F.cast(x.i, DType.float32),
        F.cast(x.i, DType.bool),
        F.cast(x.i, DType.uint8),
        F.cast(x.u8, DType.int8),
        F.cast(x.t, DType.float32),
        F.cast(x.t, DType.int64),
        F.cast(x.empty, DType.int32),
    ],
    "chunk": lambda x: [*F.chunk(x.f, 2, axis=-1), *F.chunk(x.f, 3, axis=1)],
    "concat": lambda x: [
        F.concat([x.f, x.g]),
        F.concat([x.f, x.g, x.f], axis=-1),
        F.concat([x.f, x.g[:, :1]], axis=1),
        F.concat([x.empty, x.masked], axis=0),
        F.concat([x.t, x.v], axis=-2),
        F.concat([x.i]),
    ],
    "constant": lambda x: [
        F.constant(1.5, DType.float32, CPU()),
        F.constant([[1, 2], [3, 4]], DType.int64, CPU()),
        F.constant([True, False], DType.bool, CPU()),
        F.constant(np.eye(3), DType.float64, CPU()),
        F.constant(float("-inf"), DType.float32, CPU()),
        F.constant(np.zeros((2, 0), np.float32), DType.float32, CPU()),
        F.constant([300, -7], DType.int16, CPU()),
    ],
    "constant_external": lambda x: [
        F.constant_external("w", TensorType(DType.float32, (2, 3), HOST)) + 1,
        F.constant_external("w", TensorType(DType.float32, (2, 3), HOST)).T,
    ],
    "cos": unary(F.cos),
    "cumsum": lambda x: [
        F.cumsum(x.f),
        F.cumsum(x.f, axis=0),
        F.cumsum(x.f, axis=-2, exclusive=True),
        F.cumsum(x.f, reverse=True),
        F.cumsum(x.f, reverse=True, exclusive=True),
        F.cumsum(x.i, axis=1),
        F.cumsum(x.k32),
    ],
    "div": binary(F.div, "i j", "k32 k32"),
    "equal": binary(F.equal, "i j", "t v"),
    "erf": lambda x: [F.erf(x.f), F.erf(x.scalar), F.erf(x.special), F.erf(x.empty)],
    "exp": unary(F.exp),
    "flatten": lambda x: [F.flatten(x.f), F.flatten(x.f, 1), F.flatten(x.i, 0, -2)],
    "floor": unary(F.floor),
    "gather": lambda x: [
        F.gather(x.matrix, x.rows, axis=0),
        F.gather(x.matrix, x.rows, axis=-1),
        F.gather(x.row, x.rows[0], axis=0),
        F.gather(x.i, x.where[0, :1], axis=2),
        F.gather(x.matrix, x.rows[:0], axis=0),
    ],
    "gather_nd": lambda x: [
        F.gather_nd(x.matrix, x.pairs),
        F.gather_nd(x.f, x.where[:, :1] % 2),
        F.gather_nd(x.f, x.where[:, :2] % 3, batch_dims=1),
    ],
    "gelu": lambda x: [
        *unary(F.gelu)(x),
        *unary(lambda y: F.gelu(y, approximate="tanh"))(x),
        *unary(lambda y: F.gelu(y, approximate="quick"))(x),
    ],
    "greater": binary(F.greater, "i j"),
    "greater_equal": binary(F.greater_equal, "i j"),
    "hann_window": lambda x: [
        F.hann_window(7, HOST),
        F.hann_window(6, HOST, periodic=False),
    ],
    "is_inf": unary(F.is_inf),
    "is_nan": unary(F.is_nan),
    "layer_norm": lambda x: [
        F.layer_norm(x.f, x.row, x.row, 1e-5),
        F.layer_norm(x.f * 100, x.row, x.row, 0.1),
        F.layer_norm(x.batch, x.row, x.row, 1e-5),
        F.layer_norm(x.row, x.row, x.row, 1e-5),
        F.layer_norm(x.one, x.row[:1], x.row[:1], 1e-5),
    ],
    "log": unary(F.log),
    "log1p": unary(F.log1p),
    "logical_and": logical(F.logical_and),
    "logical_not": lambda x: [F.logical_not(x.t), F.logical_not(x.f > 0)],
    "logical_or": logical(F.logical_or),
    "logical_xor": logical(F.logical_xor),
    "logsoftmax": last(F.logsoftmax, "one"),
    "masked_scatter": lambda x: [F.masked_scatter(x.f, x.t, x.g, "n1")],
    "matmul": lambda x: [
        F.matmul(x.f, x.matrix),
        F.matmul(x.matrix, x.square),
        F.matmul(x.batch, F.unsqueeze(x.f, 2).transpose(-1, -2)),
        F.matmul(x.row, x.matrix),
        F.matmul(x.f, x.row),
        F.matmul(x.d, x.d.T),
        F.matmul(x.empty, x.matrix),
        F.matmul(x.i, x.j.transpose(1, 2)),
    ],
    "max": lambda x: [*reduction(F.max, "i", "one")(x), *binary(F.max, "i j")(x)],
    "mean": reduction(F.mean, "i", "k32", "one"),
    "min": lambda x: [*reduction(F.min, "i", "one")(x), *binary(F.min, "i j")(x)],
    "mod": binary(F.mod, "i j", "u8 u8"),
    "mul": binary(F.mul, "i j", "k32 k32", "u8 u8"),
    "negate": unary(F.negate, "i"),
    "nonzero": lambda x: [F.nonzero(x.f > 0, "n2"), F.nonzero(x.i, "n3")],
    "not_equal": binary(F.not_equal, "i j", "t v"),
    "outer": lambda x: [F.outer(x.row, x.matrix[0]), F.outer(x.i[0, 0], x.j[0, 0])],
    "pad": lambda x: [
        F.pad(x.f, [0, 0, 1, 2, 3, 0]),
        F.pad(x.row, [2, 1], value=-7),
        F.pad(x.i, [1, 0, 0, 0, 0, 1]),
        F.pad(x.empty, [1, 1, 0, 0]),
    ],
    "permute": lambda x: [F.permute(x.f, [2, 0, 1]), F.permute(x.t, [0, -1, 1])],
    "pow": lambda x: [
        F.pow(x.f, 2),
        F.pow(x.f, 3),
        F.pow(F.abs(x.f), 0.5),
        F.pow(F.abs(x.f), x.g),
        F.pow(x.f, 0),
        F.pow(x.f, -1),
        F.pow(2.0, x.f),
        F.pow(x.f, 0.5),
        F.pow(x.d, 2),
        F.pow(x.i, x.exponent),
        F.pow(x.i, 2),
        F.pow(x.special, 2),
    ],
    "range": lambda x: [
        F.range(0, 5, 1, dtype=DType.int64, device=CPU()),
        F.range(2, 10, 2, dtype=DType.float32, device=CPU()),
        F.range(5, 0, -1, dtype=DType.int32, device=CPU()),
        F.range(0, 1, 0.25, dtype=DType.float64, device=CPU()),
        F.range(0, 0, 1, dtype=DType.int64, device=CPU()),
    ],
    "relu": unary(F.relu),
    "repeat_interleave": lambda x: [
        F.repeat_interleave(x.f, 2, axis=1),
        F.repeat_interleave(x.f, 3),
        F.repeat_interleave(x.i, 2, axis=-1),
        F.repeat_interleave(x.f, TensorValue(x.repeats), axis=1, out_dim="n5"),
    ],
    "reshape": lambda x: [
        F.reshape(x.f, (6, 4)),
        F.reshape(x.f, (-1,)),
        F.reshape(x.f.transpose(0, 2), (3, -1)),
        F.reshape(x.one, ()),
        F.reshape(x.scalar, (1, 1)),
        F.reshape(x.empty, (4, 0)),
    ],
    "round": unary(F.round),
    "rsqrt": unary(F.rsqrt),
    "scatter": lambda x: [
        F.scatter(x.matrix, x.ties[:, :5], x.where, axis=0),
        F.scatter(x.matrix, x.ties[:, :5], x.where, axis=-1),
    ],
    "scatter_nd": lambda x: [
        F.scatter_nd(x.matrix, x.row[:3], x.pairs),
        F.scatter_nd(x.matrix, x.square[:2], x.pairs[:2, :1]),
    ],
    "sigmoid": unary(F.sigmoid),
    "silu": unary(F.silu),
    "sin": unary(F.sin),
    "slice_tensor": lambda x: [
        F.slice_tensor(x.f, [slice(1, 2), slice(None, None, 2)]),
        x.f[0],
        x.f[-1, 1:],
        x.f[..., -1],
        x.f[:, -2:],
        x.f[:, :-1, ::3],
        x.f[..., None, :],
        x.f[:, 1:1],
        x.f[0, 0, 0],
        x.i[1, :, 1:3],
        x.matrix[TensorValue(F.argmax(x.row)[0])],
        x.row[(slice(TensorValue(x.where[0, 0]), None), "n4"),],
        x.f[(slice(None, None, -1), 1), (slice(2, 0, -1), 2)],
    ],
    "softmax": last(F.softmax, "one"),
    "split": lambda x: [
        *F.split(x.f, [1, 3], axis=-1),
        *F.split(x.f, [1, 0, 2], axis=1),
        *F.split(x.i, [2]),
    ],
    "sqrt": unary(F.sqrt),
    "squeeze": lambda x: [F.squeeze(x.column, -1), F.squeeze(x.batch, 1)],
    "stack": lambda x: [
        F.stack([x.f, x.g]),
        F.stack([x.f, x.g], axis=-1),
        F.stack([x.scalar, x.scalar]),
    ],
    "sub": binary(F.sub, "i j", "u8 u8"),
    "sum": reduction(F.sum, "i", "k32", "one"),
    "tanh": unary(F.tanh),
    "tile": lambda x: [F.tile(x.f, (1, 2, 3)), F.tile(x.i, (2, 1, 1))],
    "top_k": lambda x: [
        *F.top_k(x.f, 2),
        *F.top_k(x.f, 3, axis=-1),
        *F.top_k(x.i[0], 4),
        *F.top_k(x.ties, 4),
    ],
    "transfer_to": lambda x: [F.transfer_to(x.f, CPU()) * 2],
    "transpose": lambda x: [F.transpose(x.f, 0, 2), F.transpose(x.f, -1, -2)],
    "trunc": unary(F.trunc),
    "unsqueeze": lambda x: [F.unsqueeze(x.f, 0), F.unsqueeze(x.f, -1)],
    "where": lambda x: [
        F.where(x.t, x.f, x.g),
        F.where(x.f > 0, x.row, x.scalar),
        F.where(x.t, 1.5, x.f),
        F.where(x.t, x.i, 0),
    ],
}

LEFT_TO_MAX = {
    "allgather": "moves data between accelerators",
    "allreduce_sum": "moves data between accelerators",
    "avg_pool2d": "is for images",
    "buffer_store": "returns nothing: tested with buffers below",
    "buffer_store_slice": "returns nothing: tested with buffers below",
    "conv2d": "is for images",
    "conv2d_transpose": "is for images",
    "conv3d": "is for images",
    "custom": "runs somebody's own kernel",
    "fold": "is for images",
    "irfft": "exists on accelerators only",
    "max_pool2d": "is for images",
}
"""Operations without a row, and why."""

WEIGHTS = {"w": np.arange(6, dtype=np.float32).reshape(2, 3)}


def max_itself(graph: Graph, weights: dict[str, Any] | None = None) -> Any:
    """The graph, compiled by MAX."""
    interpreter.uninstall()
    return InferenceSession(devices=[CPU()]).load(graph, weights_registry=weights)


def interpreted(graph: Graph, weights: dict[str, Any] | None = None) -> Any:
    """The graph, interpreted."""
    with interpreter.interpreting():
        session = InferenceSession(devices=[CPU()])
        model = session.load(graph, weights_registry=weights)
    assert isinstance(model, interpreter.Interpreted)
    return model


def arrays(results: Any) -> list[np.ndarray]:
    return [np.from_dlpack(result) for result in results]


def assert_same(ours: np.ndarray, theirs: np.ndarray) -> None:
    """Same dtype and shape; same values, floats to 1e-5 (float64: 1e-6).

    MAX's own tanh of float64 is exact to 1e-7 only.
    """
    assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape)
    exact = ours.dtype.kind != "f"
    bound = 0 if exact else 1e-6 if ours.dtype == np.float64 else 1e-5
    np.testing.assert_allclose(ours, theirs, rtol=bound, atol=bound)


@pytest.fixture(autouse=True)
def no_fallback(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What was left to MAX: nothing, where a test does not say otherwise."""
    lines: list[str] = []
    monkeypatch.setattr(interpreter, "on_fallback", lines.append)
    yield lines
    interpreter.uninstall()
    assert not lines


# --- every operation, against MAX -----------------------------------------------------


def tensor_type(array: np.ndarray) -> TensorType:
    return TensorType(DType.from_numpy(array.dtype), array.shape, HOST)


def trace(names: list[str]) -> tuple[Graph, list[int]]:
    """One graph of all outputs of some rows, and how many each row has."""
    types = [tensor_type(array) for array in INPUTS.values()]
    with Graph("operations", input_types=types) as graph:
        inputs = [Tensor.from_graph_value(value.tensor) for value in graph.inputs]
        x = SimpleNamespace(**dict(zip(INPUTS, inputs, strict=True)))
        rows = [TABLE[name](x) for name in names]
        graph.output(*(output for row in rows for output in row))
    return graph, [len(row) for row in rows]


Pairs = dict[str, list[tuple[np.ndarray, np.ndarray]]]


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """The outputs of each row, ours and MAX's, from four graphs: compiling is dear."""
    found: Pairs = {}
    names = list(TABLE)
    for group in (names[index::4] for index in range(4)):
        graph, counts = trace(group)
        ours = iter(arrays(interpreted(graph, WEIGHTS)(*INPUTS.values())))
        theirs = iter(arrays(max_itself(graph, WEIGHTS)(*INPUTS.values())))
        for name, count in zip(group, counts, strict=True):
            found[name] = [(next(ours), next(theirs)) for _ in range(count)]
    return found


@pytest.mark.parametrize("name", TABLE)
def test_operation_gives_what_max_gives(name: str, pairs: Pairs) -> None:
    """Values, dtypes and shapes are MAX's, at the edges too."""
    for ours, theirs in pairs[name]:
        assert_same(ours, theirs)


def test_every_operation_has_a_row_or_a_reason() -> None:
    """Nothing that `max.experimental.functional` offers is forgotten."""
    offered = {name for name in dir(F) if hasattr(getattr(F, name), "__wrapped__")}
    assert offered == TABLE.keys() | LEFT_TO_MAX.keys()
    assert not TABLE.keys() & LEFT_TO_MAX.keys()


@pytest.mark.parametrize("op", [F.logsoftmax, F.argmin])
def test_axes_that_max_refuses_are_refused(op: Any) -> None:
    """MAX 25.7 knows only the last axis of these on a CPU."""
    with Graph("axis", input_types=[TensorType(DType.float32, (2, 3), HOST)]) as graph:
        graph.output(op(Tensor.from_graph_value(graph.inputs[0].tensor), axis=0))
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError) as theirs:
        max_itself(graph)(x)
    with pytest.raises(ValueError, match=str(theirs.value)):
        interpreted(graph)(x)


# --- compiled modules -----------------------------------------------------------------


class Probe(Module):
    """What a decoder does with shapes that are not known before it runs."""

    def __init__(self) -> None:
        self.wte = Tensor.from_dlpack(normal(9, 12))
        self.wpe = Tensor.from_dlpack(normal(6, 12))
        self.c_attn = Tensor.from_dlpack(normal(36, 12))

    def __call__(self, ids: Tensor, x: Tensor) -> list[Tensor]:
        batch, length = ids.shape
        positions = F.range(
            0, length, 1, out_dim=length, dtype=DType.int64, device=CPU()
        )
        h = F.gather(self.wte, ids, axis=0) + F.gather(self.wpe, positions, axis=0)
        q, k, v = F.split(h @ self.c_attn.T, [12, 12, 12], axis=-1)
        q, k, v = (
            each.reshape((batch, length, 3, 4)).transpose(1, 2) for each in (q, k, v)
        )
        scores = q @ k.transpose(-1, -2) / 2.0
        minus = F.constant(float("-inf"), DType.float32, CPU())
        mask = F.broadcast_to(minus, (length, length))
        mask = F.band_part(mask, num_lower=None, num_upper=0, exclude=True)
        attended = (F.softmax(scores + mask) @ v).transpose(1, 2)
        merged = attended.reshape((batch, length, 12))
        return [
            h,
            scores + mask,
            merged,
            merged[:, -1, :],
            merged[:, 1:],
            merged[:, :, ::5],
            F.argmax(merged, axis=-1),
            F.concat([merged, x], axis=1),
            merged.reshape((-1, 12)),
            merged.reshape((batch * length, 12)),
            F.tile(merged, (1, 2, 1)),
            F.flatten(merged, 1),
            F.mean(merged, axis=1),
            F.cumsum(merged, axis=1),
            F.where(positions >= 1, positions, 7),
            F.nonzero(ids, "found"),
            F.pad(merged, [0, 0, 1, 2, 0, 0]),
            F.broadcast_to(x[:, :1], (batch, length, 12)) + h,
        ]


TYPES = [
    TensorType(DType.int64, ("batch", "length"), HOST),
    TensorType(DType.float32, ("batch", 2, 12), HOST),
]


@pytest.fixture(scope="module")
def probes() -> tuple[Any, Any]:
    """The same module compiled: interpreted, and by MAX."""
    probe = Probe()
    with interpreter.interpreting():
        ours = probe.compile(*TYPES)
    return ours, probe.compile(*TYPES)


def probe_inputs(batch: int, length: int) -> list[np.ndarray]:
    return [integers(0, 9, batch, length), normal(batch, 2, 12)]


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (3, 6)])
def test_compiled_module_takes_any_batch_and_length(
    shape: tuple[int, int], probes: tuple[Any, Any]
) -> None:
    """Symbolic dimensions are bound when the module runs."""
    ids, x = probe_inputs(*shape)
    ours, theirs = (
        arrays(each(Tensor.from_dlpack(ids), Tensor.from_dlpack(x))) for each in probes
    )
    for our, their in zip(ours, theirs, strict=True):
        assert_same(our, their)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda ids, x: [ids, np.concatenate([x, x])],
        lambda ids, x: [ids[0], x],
        lambda ids, x: [ids.astype(np.int32), x],
        lambda ids, x: [ids, x[:, :, :3].copy()],
        lambda ids, x: [ids.T, x],
        lambda ids, x: [ids],
        lambda ids, x: [ids, [1.0]],
        lambda ids, x: [ids * 0 + 9, x],
        lambda ids, x: [ids[:, [0] * 7].copy(), x],
    ],
)
def test_bad_inputs_are_refused_in_the_words_of_max(
    spoil: Any, probes: tuple[Any, Any]
) -> None:
    """Shape, dtype, number, kind and indices that do not fit."""
    inputs = spoil(*probe_inputs(2, 5))
    ours, theirs = (each.__wrapped__ for each in probes)
    with pytest.raises((ValueError, TypeError)) as their_error:
        theirs(*inputs)
    with pytest.raises(their_error.type) as our_error:
        ours(*inputs)
    assert str(our_error.value) == str(their_error.value)


def test_results_are_those_of_a_model(probes: tuple[Any, Any]) -> None:
    """`Module.compile` gives tensors; the model underneath driver tensors."""
    ids, x = probe_inputs(2, 3)
    for compiled in probes:
        assert all(isinstance(each, Tensor) for each in compiled(ids, x))
        model = compiled.__wrapped__
        for results in (model(ids, x), model(input0=ids, input1=x)):
            assert isinstance(results, list)
            assert all(isinstance(each, DriverTensor) for each in results)


def test_buffers_and_control_flow_run_in_order() -> None:
    """A buffer is changed in place, between the loads before and after."""
    types = [
        BufferType(DType.float32, ("batch", 4), HOST),
        TensorType(DType.float32, ("batch", 2), HOST),
        TensorType(DType.int64, (), HOST),
    ]
    with Graph("effects", input_types=types) as graph:
        cache, x, n = graph.inputs[0].buffer, graph.inputs[1].tensor, graph.inputs[2]
        before = cache[...]
        ops.buffer_store_slice(cache, x, [slice(None), slice(1, 3)])
        between = cache[...]
        ops.buffer_store(cache, between * 2)
        own = ops.buffer_create(BufferType(DType.float32, ("batch", 2), HOST))
        ops.buffer_store(own, x)
        ops.buffer_store_slice(own, x[:, 0], [slice(None), 1])
        row = TensorType(DType.float32, ("batch", 2), HOST)
        chosen = ops.cond(n.tensor > 2, [row], lambda: x + 1, lambda: x - 1)
        counted = ops.while_loop(
            [n.tensor, x], lambda k, y: k < 5, lambda k, y: [k + 1, y * 2]
        )
        graph.output(before, between, cache[...], own[...], *chosen, *counted)
    models = interpreted(graph), max_itself(graph)
    for n_value in (1, 4):
        results, buffers = [], []
        x_value = normal(3, 2)
        start = normal(3, 4)
        for model in models:
            buffers.append(start.copy())
            results.append(arrays(model(buffers[-1], x_value, n_value)))
        for ours, theirs in zip(*results, strict=True):
            assert_same(ours, theirs)
        assert_same(*buffers)
        assert not np.array_equal(buffers[0], start)


# --- eager tensors --------------------------------------------------------------------


@pytest.fixture
def eager() -> Iterator[None]:
    with interpreter.interpreting():
        yield


def tensor(array: Any) -> Tensor:
    return Tensor.from_dlpack(np.asarray(array))


@pytest.mark.usefixtures("eager")
def test_eager_tensors_realize() -> None:
    """Printing, `item`, `bool` and NumPy see values; what is on the way is kept."""
    x = normal(2, 3)
    a = tensor(x) * 2
    b = a + 1
    assert_same(np.from_dlpack(b), x * 2 + 1)
    assert a.real and b.real
    assert f"{a[0, 0].item():.6f}" in repr(a) or str(float(x[0, 0] * 2)) in repr(a)
    assert bool(F.max(a.reshape((-1,)))[0] > -100)
    assert (a[0, 0] == a[0, 0]).item() is True
    assert np.from_dlpack(a.cast(DType.bool)).dtype == np.bool_
    assert_same(np.from_dlpack(a.T.to(CPU())), np.ascontiguousarray(x.T * 2))


@pytest.mark.usefixtures("eager")
def test_only_what_is_asked_for_is_computed() -> None:
    """A pending tensor that cannot be computed does no harm, nor does a lazy weight."""
    lazy = random.normal((3, 3), dtype=DType.float32, device=CPU())
    wrong = F.gather(tensor(normal(2, 2)), tensor(np.array([5])), axis=0)
    with pytest.raises(RuntimeError, match="Failed to compile and execute") as error:
        wrong.item() if wrong.num_elements() == 1 else np.from_dlpack(wrong)
    assert "index 5 is out of bounds" in str(error.value.__cause__)
    assert_same(np.from_dlpack(tensor(normal(1) * 0) + 1), np.ones(1, np.float32))
    assert not lazy.real and not wrong.real
    assert np.from_dlpack(lazy).shape == (3, 3)


@pytest.mark.usefixtures("eager")
def test_mutation_is_seen_in_order() -> None:
    """Eager buffers change in place; what was computed before keeps its value."""
    memory = np.arange(4, dtype=np.float32)
    x = tensor(memory)
    before = x * 2
    F.buffer_store_slice(x, tensor(np.array([9], np.float32)), [slice(1, 2)])
    after = x + 1
    assert_same(np.from_dlpack(x), np.array([0, 9, 2, 3], np.float32))
    assert_same(memory, np.array([0, 9, 2, 3], np.float32))
    assert_same(np.from_dlpack(before), np.array([0, 2, 4, 6], np.float32))
    assert_same(np.from_dlpack(after), np.array([1, 10, 3, 4], np.float32))


@pytest.mark.usefixtures("eager")
def test_random_numbers_are_distributed_and_repeatable() -> None:
    """Normal and uniform numbers, other ones each time, the same for one seed."""
    first, second = (
        np.from_dlpack(random.normal((200, 100), 3, 2, dtype=DType.float32))
        for _ in range(2)
    )
    assert abs(first.mean() - 3) < 0.1 and abs(first.std() - 2) < 0.1
    assert not np.array_equal(first, second)
    spread = np.from_dlpack(random.uniform((200, 100), (-1, 3), dtype=DType.float64))
    assert spread.min() >= -1 and spread.max() < 3 and abs(spread.mean() - 1) < 0.1
    with Graph("seeded", input_types=[TensorType(DType.int64, (), HOST)]) as graph:
        ops.random.set_seed(graph.inputs[0].tensor)
        graph.output(ops.random.gaussian(TensorType(DType.float32, (50,), HOST)))
    model = interpreted(graph)
    again = [arrays(model(seed))[0] for seed in (1, 1, 2)]
    assert np.array_equal(again[0], again[1]) and not np.array_equal(again[0], again[2])


@pytest.mark.usefixtures("eager")
def test_half_precision_is_rounded() -> None:
    """bfloat16 results are MAX's bits: the nearest, ties to even."""
    x = tensor(np.array([1, 1.00390625, 1.01171875, 3.3, -np.inf], np.float32))
    half = x.cast(DType.bfloat16)
    assert half.dtype == DType.bfloat16
    back = np.from_dlpack((half + 0).cast(DType.float32))
    assert back.tolist() == [1, 1, 1.015625, 3.296875, -np.inf]


@pytest.mark.usefixtures("eager")
def test_a_long_eager_loop_does_not_leak() -> None:
    """500 tokens, the sequence growing: the graph stays small, memory almost flat."""
    wte, head = tensor(normal(9, 16)), tensor(normal(16, 9))
    ids = tensor(np.array([[1, 2, 3]]))
    for step in range(500):
        logits = F.softmax(F.gather(wte, ids[:, -3:], axis=0) @ head)
        following = F.argmax(logits[:, -1], axis=-1)
        assert 0 <= following.item() < 9
        ids = F.concat([ids, following], axis=1)
        if step == 50:
            start, sources = resident(), len(GRAPH.sources)
    assert ids.shape[1] == 503
    assert len(GRAPH.sources) <= sources
    assert len(list(GRAPH.graph._graph_body.operations)) < 200
    assert resident() - start < 40


def resident() -> float:
    """Memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


# --- what is left to MAX --------------------------------------------------------------


def test_what_is_missing_goes_to_max(no_fallback: list[str]) -> None:
    """Eager and compiled: the value is right, and one line says which operation."""
    image = normal(1, 4, 4, 1)
    want = image.reshape(2, 2, 2, 2).max(axis=(1, 3)).reshape(1, 2, 2, 1)
    with interpreter.interpreting():
        x = tensor(image)
        assert_same(np.from_dlpack(F.max_pool2d(x, (2, 2), stride=2)), want)
        assert_same(np.from_dlpack(x + 1), image + 1)
        (line,) = no_fallback
        assert line.startswith("rmo.max_pool: MAX compiles")
        with Graph("pool", input_types=[tensor_type(image)]) as graph:
            graph.output(ops.max_pool2d(graph.inputs[0].tensor, (2, 2), stride=2))
        model = InferenceSession(devices=[CPU()]).load(graph)
    assert_same(*arrays(model(image)), want)
    assert no_fallback.pop().startswith("rmo.max_pool: MAX compiles pool")
    no_fallback.clear()


def test_a_fault_of_the_interpreter_goes_to_max(
    no_fallback: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own errors are never the learner's."""
    monkeypatch.setitem(interpreter.OPERATIONS, "rmo.mul", lambda x, y: 1 / 0)
    with interpreter.interpreting():
        assert (tensor(np.array(3.0, np.float32)) * 2).item() == 6
    assert "rmo.mul (ZeroDivisionError" in no_fallback.pop()


def test_buffers_are_as_they_were_when_max_takes_over(
    no_fallback: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was changed before the fault is not changed twice."""
    with Graph("count", input_types=[BufferType(DType.float32, (2,), HOST)]) as graph:
        buffer = graph.inputs[0].buffer
        buffer[...] = buffer[...] + 1
        graph.output(buffer[...] * 2)
    monkeypatch.setitem(interpreter.OPERATIONS, "rmo.mul", lambda x, y: 1 / 0)
    model, memory = interpreted(graph), np.zeros(2, np.float32)
    assert arrays(model(memory))[0].tolist() == [2, 2]
    assert memory.tolist() == [1, 1]
    assert "rmo.mul (ZeroDivisionError" in no_fallback.pop()


def test_installing_twice_and_uninstalling() -> None:
    """Idempotent, and MAX works as before afterwards, on the same tensors."""
    x = tensor(np.array(3.0, np.float32))
    interpreter.install()
    interpreter.install()
    y = x + 1
    assert y.item() == 4
    interpreter.uninstall()
    interpreter.uninstall()
    assert (y * 2).item() == 8
    with interpreter.interpreting():
        assert (y * 3).item() == 12


def test_importing_it_is_cheap() -> None:
    """Neither transformers, nor PyTorch, nor `max.nn` come with it."""
    code = "import sys, checker.interpreter; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"transformers", "torch", "max.nn"} & set(run.stdout.split())
