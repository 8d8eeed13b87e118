"""Every operation of the interpreter gives what MAX gives."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from both_ways import (
    HOST,
    RNG,
    arrays,
    assert_same,
    integers,
    interpreted,
    listening,
    max_itself,
    normal,
    tensor_type,
)
from max._core.dialects import kgen, rmo
from max.driver import CPU
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Graph, TensorType, TensorValue, ops

from models.graph import scatter_nd_add

pytestmark = pytest.mark.max

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
        F.cast(F.cast(x.f, DType.bfloat16) * 1.01 + 1, DType.float32),
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
        F.constant([1, 0], DType.bool, CPU()),
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


def scatter_add(x: Any, updates: Any, indices: Any, axis: int) -> TensorValue:
    """As `F.scatter`; several updates at one place add up."""
    x, updates, indices = map(TensorValue, (x, updates, indices))
    along = ops.constant(axis, DType.int64, HOST)
    none = kgen.ParamDeclArrayAttr([])
    add = Graph.current._add_op_generated
    operands = (x, updates, indices, along)
    return add(rmo.MoScatterAddOp, x.type, *operands, none)[0].tensor


def add_at(x: Any, updates: Any, indices: Any) -> TensorValue:
    return scatter_nd_add(*map(TensorValue, (x, updates, indices)))


NOT_IN_F: dict[str, Callable[[Any], list[Any]]] = {
    "scatter.add": lambda x: [
        scatter_add(x.matrix, x.ties[:, :5], x.where, 0),
        scatter_add(x.matrix, x.ties[:, :5], x.where, -1),
        scatter_add(x.matrix, x.ties[:, :3], x.rows, 0),
        scatter_add(x.d, x.d[:, :2], x.where[:, :2] % 3, 1),
    ],
    "scatter_nd.add": lambda x: [
        add_at(x.matrix, x.row[:3], x.pairs),
        add_at(x.matrix, x.row[:3], x.pairs * 0),
        add_at(x.matrix, x.square[:2], x.pairs[:2, :1]),
        add_at(x.f, x.g, x.where[:, :1] % 2),
        add_at(x.i, x.j, x.where[:, :1] * 0),
        add_at(x.d, x.d, x.where[:, :1] % 2),
    ],
}
"""Operations that gradients need, and that `max.experimental.functional` lacks."""

ROWS = {**TABLE, **NOT_IN_F}

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


def trace() -> tuple[Graph, list[int]]:
    """One graph of all outputs of all rows, and how many each row has."""
    types = [tensor_type(array) for array in INPUTS.values()]
    with Graph("operations", input_types=types) as graph:
        inputs = [Tensor.from_graph_value(value.tensor) for value in graph.inputs]
        x = SimpleNamespace(**dict(zip(INPUTS, inputs, strict=True)))
        rows = [row(x) for row in ROWS.values()]
        graph.output(*(output for row in rows for output in row))
    return graph, [len(row) for row in rows]


Pairs = dict[str, list[tuple[np.ndarray, np.ndarray]]]


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """The outputs of each row, ours and MAX's, from one graph: compiling is slow."""
    graph, counts = trace()
    with listening() as left_to_max:
        ours = iter(arrays(interpreted(graph, WEIGHTS)(*INPUTS.values())))
    assert not left_to_max
    theirs = iter(arrays(max_itself(graph, WEIGHTS)(*INPUTS.values())))
    return {
        name: [(next(ours), next(theirs)) for _ in range(count)]
        for name, count in zip(ROWS, counts, strict=True)
    }


@pytest.mark.parametrize("name", ROWS)
def test_operation_gives_what_max_gives(name: str, pairs: Pairs) -> None:
    """Values, dtypes and shapes are MAX's, at the edges too."""
    for ours, theirs in pairs[name]:
        assert_same(ours, theirs)


def test_every_operation_has_a_row_or_a_reason() -> None:
    """Nothing that `max.experimental.functional` offers is forgotten."""
    offered = {name for name in dir(F) if hasattr(getattr(F, name), "__wrapped__")}
    assert offered == TABLE.keys() | LEFT_TO_MAX.keys()
    assert not TABLE.keys() & LEFT_TO_MAX.keys()


@pytest.fixture(scope="module")
def refused() -> tuple[Any, Any]:
    """Two operations along the first axis, one at a time: interpreted, and by MAX."""
    types = [
        TensorType(DType.float32, (2, 3), HOST),
        TensorType(DType.int64, (), HOST),
    ]
    with Graph("axis", input_types=types) as graph:
        x, first = (value.tensor for value in graph.inputs)
        chosen = ops.cond(
            first > 0,
            [TensorType(DType.int64, (1, 3), HOST)],
            lambda: ops.cast(ops.logsoftmax(x, axis=0)[:1], DType.int64),
            lambda: ops.argmin(x, axis=0),
        )
        graph.output(*chosen)
    return interpreted(graph), max_itself(graph)


@pytest.mark.parametrize("first", [1, 0])
def test_axes_that_max_refuses_are_refused(
    first: int, refused: tuple[Any, Any]
) -> None:
    """MAX 25.7 knows only the last axis of these on a CPU."""
    messages = []
    for model in refused:
        with pytest.raises(ValueError, match="inner") as error:
            model(np.zeros((2, 3), np.float32), first)
        messages.append(str(error.value))
    assert messages[0] == messages[1]
