"""Derivatives by the complex step: im f(x + ih) / h. The parent process imports this.

There is no difference of nearly equal numbers in it, so h can be tiny, and the result
is as exact as f. Squire and Trapp 1998, "Using Complex Variables to Estimate
Derivatives of Real Functions", SIAM Review 40(1).
"""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.support.data import Array, Weights
from tests.support.formulas import softmax

STEP = 1e-30


def derivatives(
    f: Callable[[Weights], Any], at: Weights, names: Iterable[str]
) -> Weights:
    """d f / d x for each named array x, float32; ``f`` gives one number."""
    exact = {n: x.astype(complex) if x.dtype.kind == "f" else x for n, x in at.items()}
    found = {}
    for name in names:
        x, gradient = exact[name], np.empty(at[name].shape)
        for place in np.ndindex(x.shape):
            kept, x[place] = x[place], x[place] + STEP * 1j
            gradient[place] = np.imag(f(exact)).item() / STEP
            x[place] = kept
        found[name] = gradient.astype(np.float32)
    return found


def _gather_nd(x: Array, indices: Array, batch_dims: int) -> Array:
    grid = np.indices(indices.shape[:-1], sparse=True)[:batch_dims]
    return x[(*grid, *np.moveaxis(indices, -1, 0))]


def _transpose(x: Array, one: int, other: int) -> Array:
    return x.swapaxes(one, other)


def _layer_norm(x: Array, gamma: Array, beta: Array, epsilon: float) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred * centred).mean(-1, keepdims=True)
    return centred / np.sqrt(variance + epsilon) * gamma + beta


def _gelu(x: Array, approximate: str) -> Array:
    assert approximate == "tanh"
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


NUMPY = SimpleNamespace(
    exp=np.exp,
    log=np.log,
    sqrt=np.sqrt,
    tanh=np.tanh,
    pow=np.power,
    floor=lambda x: np.floor(x.real),
    where=np.where,
    reshape=np.reshape,
    broadcast_to=np.broadcast_to,
    unsqueeze=np.expand_dims,
    permute=np.transpose,
    transpose=_transpose,
    rsqrt=lambda x: 1 / np.sqrt(x),
    sum=lambda x, axis: x.sum(axis, keepdims=True),
    mean=lambda x, axis: x.mean(axis, keepdims=True),
    max=lambda x, axis: x.max(axis, keepdims=True),
    softmax=softmax,
    logsoftmax=lambda x: np.log(softmax(x)),
    gelu=_gelu,
    layer_norm=_layer_norm,
    split=lambda x, sizes, axis: np.split(x, np.cumsum(sizes)[:-1], axis),
    concat=np.concatenate,
    gather=lambda x, indices, axis: np.take(x, indices, axis),
    gather_nd=_gather_nd,
)
"""``max.graph.ops`` in NumPy, complex numbers included."""
