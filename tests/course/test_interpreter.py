"""Compiled graphs and eager tensors run on the interpreter as they do on MAX."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from both_ways import (
    HOST,
    arrays,
    assert_same,
    integers,
    interpreted,
    listening,
    max_itself,
    normal,
    tensor_type,
)
from max.driver import CPU
from max.driver import Tensor as DriverTensor
from max.dtype import DType
from max.engine import InferenceSession
from max.experimental import functional as F
from max.experimental import random
from max.experimental.tensor import GRAPH, Tensor
from max.graph import BufferType, Graph, TensorType, ops
from max.nn.module_v3 import Module

from checker import interpreter
from checker.interpreter import operations

pytestmark = pytest.mark.max


@pytest.fixture(autouse=True)
def no_fallback() -> Iterator[list[str]]:
    """What was left to MAX: nothing, unless a test empties the list."""
    with listening() as lines:
        yield lines
    interpreter.uninstall()
    assert not lines


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


@pytest.fixture(scope="module")
def effects() -> tuple[Graph, Any]:
    """A graph that changes a buffer and has control flow, and the same by MAX."""
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
    return graph, max_itself(graph)


def assert_same_effects(ours: Any, theirs: Any, n: int) -> None:
    """Both give the same results and leave the same values in the buffer."""
    start, x = normal(3, 4), normal(3, 2)
    buffers = start.copy(), start.copy()
    results = arrays(ours(buffers[0], x, n)), arrays(theirs(buffers[1], x, n))
    for our, their in zip(*results, strict=True):
        assert_same(our, their)
    assert_same(*buffers)
    assert not np.array_equal(buffers[0], start)


@pytest.mark.parametrize("n", [1, 4])
def test_buffers_and_control_flow_run_in_order(
    n: int, effects: tuple[Graph, Any]
) -> None:
    """A buffer is changed in place, between the loads before and after."""
    graph, theirs = effects
    assert_same_effects(interpreted(graph), theirs, n)


# --- eager tensors --------------------------------------------------------------------


@pytest.fixture
def eager() -> Iterator[None]:
    with interpreter.interpreting():
        yield


def tensor(array: Any) -> Tensor:
    return Tensor.from_dlpack(np.asarray(array))


@pytest.mark.usefixtures("eager")
def test_eager_tensors_realize() -> None:
    """Printing, `item`, `bool` and NumPy see values; intermediate tensors are kept."""
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
def test_what_is_pending_keeps_its_values_when_memory_changes() -> None:
    """A tensor moved to the device it is on, and a computation not yet asked for."""
    x = tensor(np.arange(3, dtype=np.float32))
    same, doubled = x.to(CPU()), x * 2
    F.buffer_store(x, tensor(np.full(3, 7, np.float32)))
    assert np.from_dlpack(x).tolist() == [7, 7, 7]
    assert np.from_dlpack(same).tolist() == [0, 1, 2]
    assert np.from_dlpack(doubled).tolist() == [0, 2, 4]
    assert np.from_dlpack(x + same).tolist() == [7, 8, 9]


@pytest.mark.usefixtures("eager")
def test_a_tensor_lives_as_long_as_something_needs_it() -> None:
    """Both one that the learner holds and one that only a pending computation reads."""
    kept = tensor(np.arange(3, dtype=np.float32))
    pending = tensor(np.ones(3, np.float32)) * 2
    for _ in range(100):
        assert (tensor(np.zeros(1, np.float32)) + 1).item() == 1
    sources = len(GRAPH.sources)
    assert np.from_dlpack(pending).tolist() == [2, 2, 2]
    assert np.from_dlpack(kept + pending).tolist() == [2, 3, 4]
    del kept, pending
    assert (tensor(np.zeros(1, np.float32)) + 1).item() == 1
    assert len(GRAPH.sources) < sources


@pytest.mark.usefixtures("eager")
def test_random_numbers_are_distributed_and_repeatable() -> None:
    """Normal and uniform numbers: new ones each time, the same for one seed."""
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
    """500 tokens in a growing sequence: the graph stays small, memory almost flat."""
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
    """Eager and compiled: the value is right, and one line names the operation."""
    image = normal(1, 4, 4, 1)
    want = image.reshape(2, 2, 2, 2).max(axis=(1, 3)).reshape(1, 2, 2, 1)
    with interpreter.interpreting():
        x = tensor(image)
        assert_same(np.from_dlpack(F.max_pool2d(x, (2, 2), stride=2)), want)
        assert_same(np.from_dlpack(x + 1), image + 1)
        (line,) = no_fallback
        assert line.startswith("rmo.max_pool: MAX compiles the graph main")
        with Graph("pool", input_types=[tensor_type(image)]) as graph:
            graph.output(ops.max_pool2d(graph.inputs[0].tensor, (2, 2), stride=2))
        model = InferenceSession(devices=[CPU()]).load(graph)
    assert_same(*arrays(model(image)), want)
    assert no_fallback.pop().startswith("rmo.max_pool: MAX compiles the graph pool")
    no_fallback.clear()


def test_a_fault_of_the_interpreter_goes_to_max(
    no_fallback: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The learner never sees an error of the interpreter's own."""
    monkeypatch.setitem(operations.OPERATIONS, "rmo.mul", lambda x, y: 1 / 0)
    with interpreter.interpreting():
        assert (tensor(np.array(3.0, np.float32)) * 2).item() == 6
    assert "rmo.mul (ZeroDivisionError" in no_fallback.pop()


def test_buffers_are_as_they_were_when_max_takes_over(
    effects: tuple[Graph, Any],
    no_fallback: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MAX does not repeat the changes that were made before the fault."""
    graph, theirs = effects
    monkeypatch.setitem(operations.OPERATIONS, "rmo.mul", lambda x, y: 1 / 0)
    assert_same_effects(interpreted(graph), theirs, 1)
    (line,) = no_fallback
    assert line.startswith("rmo.mul (ZeroDivisionError")
    assert line.endswith("MAX compiles the graph effects")
    no_fallback.clear()


def test_installing_twice_and_uninstalling() -> None:
    """Both can be repeated, and MAX goes on with the same tensors afterwards."""
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
    """It imports neither transformers nor PyTorch nor `max.nn`."""
    code = "import sys, checker.interpreter; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"transformers", "torch", "max.nn"} & set(run.stdout.split())
