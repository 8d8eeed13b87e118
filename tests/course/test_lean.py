"""A compiled model made lean: the same results, and none of them kept."""

import contextlib
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from max import driver
from max.driver import CPU
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import GRAPH, Tensor
from max.graph import TensorType
from max.nn.module_v3 import Linear, Module

from checker.interpreter import interpreting
from models.lean import Lean, lean

pytestmark = pytest.mark.max

WEIGHT = np.arange(6, dtype=np.float32).reshape(2, 3)  # [out, in]
BIAS = np.array([10, 20], np.float32)
X = np.array([[[1, 2, 3], [-1, 0, 1]]], np.float32)
TYPE = TensorType(DType.float32, ("batch", "seqlen", 3), device=CPU())


class One(Module):
    """A module with one result."""

    def __init__(self) -> None:
        self.linear = Linear(3, 2)
        self.load_state_dict(
            {"linear.weight": WEIGHT.copy(), "linear.bias": BIAS.copy()}
        )

    def __call__(self, x: Tensor) -> Any:
        return self.linear(x)


class Two(One):
    """A module with two results."""

    def __call__(self, x: Tensor) -> Any:
        return super().__call__(x), x


@pytest.fixture(scope="module", params=["interpreted", "by MAX"])
def compile_(request: pytest.FixtureRequest) -> Iterator[Callable[[Module], Any]]:
    """Compiles a module, as the checker does and as the demo does."""
    with interpreting() if request.param == "interpreted" else contextlib.nullcontext():
        yield lambda module: module.compile(TYPE)


def test_one_result(compile_: Callable[[Module], Any]) -> None:
    """A single result comes by itself, and has the values of the compiled function."""
    compiled = compile_(One())
    got, want = lean(compiled)(X), compiled(Tensor.from_dlpack(X))
    np.testing.assert_array_equal(np.from_dlpack(got), np.from_dlpack(want))
    np.testing.assert_allclose(np.from_dlpack(got), X @ WEIGHT.T + BIAS)


def test_several_results(compile_: Callable[[Module], Any]) -> None:
    """Several results come in a list, in their order."""
    first, second = lean(compile_(Two()))(X)
    np.testing.assert_allclose(np.from_dlpack(first), X @ WEIGHT.T + BIAS)
    np.testing.assert_array_equal(np.from_dlpack(second), X)


def test_inputs_of_all_kinds(compile_: Callable[[Module], Any]) -> None:
    """Eager tensors, the driver's tensors and arrays, also read-only, are inputs."""
    read_only = X.copy()
    read_only.setflags(write=False)
    forward = lean(compile_(One()))
    for x in (X, read_only, driver.Tensor.from_dlpack(X), Tensor.from_dlpack(X)):
        np.testing.assert_allclose(np.from_dlpack(forward(x)), X @ WEIGHT.T + BIAS)


def test_weights_outlive_the_module(compile_: Callable[[Module], Any]) -> None:
    """The lean model needs neither the module nor the function of its `compile`."""
    forward = lean(compile_(One()))
    gc.collect()
    taken = [np.full_like(WEIGHT, 7) for _ in range(100)]  # the memory, if it was freed
    np.testing.assert_allclose(np.from_dlpack(forward(X)), X @ WEIGHT.T + BIAS)
    del taken


def test_results_are_tensors() -> None:
    """Eager operations take a result like any other tensor, also after others ran."""
    forward = Lean(Echo(), CPU(), single=True)
    with interpreting():
        result = forward(X)
        assert isinstance(result, Tensor)
        doubled = np.from_dlpack(result * 2)
        again = np.from_dlpack(F.concat([result, forward(X + 1)], axis=1))
    np.testing.assert_array_equal(doubled, 2 * X)
    np.testing.assert_array_equal(again, np.concatenate([X, X + 1], axis=1))
    assert [int(size) for size in result.shape] == [1, 2, 3]
    with pytest.raises(AttributeError, match="'Result' object has no attribute 'size'"):
        _ = result.size


# What is kept


class Echo:
    """An engine's model that returns a copy of its input; it costs no compiling."""

    def execute(self, x: driver.Tensor) -> list[driver.Tensor]:
        return [driver.Tensor.from_dlpack(np.from_dlpack(x).copy())]


def alive(call: Callable[[Any], Any]) -> int:
    """How many results are left of five calls, when nobody holds one."""
    refs = []
    for _ in range(5):
        result = call(X)
        np.from_dlpack(result)
        refs.append(weakref.ref(result))
        del result
    gc.collect()
    return sum(ref() is not None for ref in refs)


def test_results_are_let_go() -> None:
    """A result that nobody holds is freed, and the eager graph never heard of it."""
    before = len(GRAPH.sources)
    assert alive(Lean(Echo(), CPU(), single=True)) == 0
    assert len(GRAPH.sources) == before


def test_max_keeps_results() -> None:
    """What MAX does without it: when this fails, MAX lets go and `lean` can go too."""
    compiled = F.functional(Echo().execute)  # as in Module.compile
    assert alive(lambda x: compiled(driver.Tensor.from_dlpack(x))[0]) == 5


def test_held_results_stay() -> None:
    """A result that is held keeps its values when the model runs again."""
    forward = Lean(Echo(), CPU(), single=True)
    held = [forward(X + i) for i in range(3)]
    for i, result in enumerate(held):
        np.testing.assert_array_equal(np.from_dlpack(result), X + i)


# What it refuses


@pytest.mark.parametrize("make", [One, lambda: One, lambda: len, lambda: One.__call__])
def test_only_compiled_functions(make: Callable[[], Any]) -> None:
    """What `Module.compile` did not return is refused, modules included."""
    with pytest.raises(TypeError, match=r"is not what Module\.compile returned"):
        lean(make())
