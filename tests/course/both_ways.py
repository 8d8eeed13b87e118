"""A graph run both ways: interpreted, and compiled by MAX."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from max.driver import CPU
from max.dtype import DType
from max.engine import InferenceSession
from max.graph import DeviceRef, Graph, TensorType

from checker import interpreter

HOST = DeviceRef.CPU()
RNG = np.random.default_rng(7)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def integers(low: int, high: int, *shape: int) -> np.ndarray:
    return RNG.integers(low, high, shape)


def tensor_type(array: np.ndarray) -> TensorType:
    return TensorType(DType.from_numpy(array.dtype), array.shape, HOST)


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


@contextlib.contextmanager
def listening() -> Iterator[list[str]]:
    """Collects what the interpreter says of the graphs that it leaves to MAX."""
    lines: list[str] = []
    before = interpreter.listen(lines.append)
    try:
        yield lines
    finally:
        interpreter.listen(before)
