"""What each operation of MAX 25.7 computes, in NumPy.

To add an operation, add a row to one of the two tables at the end, under the name that
MAX prints for the operation. `OPERATIONS` is for those that need only their operands,
`WITH_OP` for those that also ask their `Op`: for its name, an attribute, a block or the
shape of the result. What takes more than a line is a function above the tables.

A result is cast to the dtype that MAX gave it, and may share memory with an operand.
NaN, infinity and bad indices are treated as MAX treats them on x86.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from checker.interpreter.graph import Op

Array = np.ndarray[Any, np.dtype[Any]]
Handler = Callable[..., Any]


class Refused(Exception):
    """The graph cannot run with these values: MAX refuses them as well."""


def _exp(x: Array) -> Array:
    """NaN gives infinity, and so do softmax and sigmoid."""
    return np.where(np.isnan(x), np.inf, np.exp(x))


def _mod(x: Array, y: Array) -> Array:
    """The sign is that of the divisor, as in Python."""
    return x - np.floor(x / y) * y if x.dtype.kind == "f" else np.mod(x, y)


def _last_only(x: Array, axis: Array, message: str) -> None:
    """MAX knows only the last axis on a CPU, and says so when the graph runs."""
    if axis != x.ndim - 1:
        raise Refused(message)


def _arg_max(op: Op, x: Array, axis: Array) -> Any:
    """The first of equal values; NaN is chosen last."""
    _last_only(x, axis, "axis other than innermost not supported yet")
    greatest = op.name == "rmo.mo.arg_max"
    if x.dtype.kind == "f":
        x = np.where(np.isnan(x), -np.inf if greatest else np.inf, x)
    return (np.argmax if greatest else np.argmin)(x, -1, keepdims=True)


def _softmax(op: Op, x: Array, axis: Array) -> Array:
    _last_only(x, axis, "softmax not supported on non-inner axis yet")
    x = x - np.fmax.reduce(x, axis=-1, keepdims=True, initial=-np.inf)
    total = np.sum(_exp(x), axis=-1, keepdims=True)
    return _exp(x) / total if op.name == "rmo.mo.softmax" else x - np.log(total)


def _layer_norm(x: Array, gamma: Array, beta: Array, epsilon: Array) -> Array:
    centred = x - np.mean(x, axis=-1, keepdims=True)
    variance = np.mean(centred * centred, axis=-1, keepdims=True)
    return np.asarray(centred / np.sqrt(variance + epsilon) * gamma + beta)


def _cumsum(op: Op, x: Array, axis: Array) -> Array:
    backwards = op.core.reverse
    x = np.flip(x, int(axis)) if backwards else x
    total = np.cumsum(x, int(axis), x.dtype)
    if op.core.exclusive:
        total -= x
    return np.flip(total, int(axis)) if backwards else total


def _descending(x: Array, axis: int) -> Array:
    """The order from the greatest to the least; equal values keep their order."""
    backwards = np.flip(x, axis).argsort(axis, kind="stable")
    return np.asarray(x.shape[axis] - 1 - np.flip(backwards, axis))


def _argsort(op: Op, x: Array) -> Array:
    ascending = "true" in str(op.core.parameters)
    return x.argsort(kind="stable") if ascending else _descending(x, 0)


def _top_k(op: Op, x: Array) -> tuple[Array, Array]:
    axis = op.core.axis
    indices = np.take(_descending(x, axis), np.arange(op.core.k), axis)
    return np.take_along_axis(x, indices, axis), indices


def _band_part(x: Array, lower: Array, upper: Array, exclude: Array) -> Array:
    row, column = np.ogrid[: x.shape[-2], : x.shape[-1]]
    inside = (lower < 0) | (row - column <= lower)
    inside = inside & ((upper < 0) | (column - row <= upper))
    return np.where(inside ^ exclude, x, x.dtype.type(0))


def _slice(op: Op, x: Array, *slices: Array) -> Array:
    bounds = slices or [op.sizes(name) for name in ("starts", "stops", "steps")]
    return np.asarray(x[tuple(map(slice, *bounds))])


def _checked(indices: Array, axis: int, size: int, least: int, what: str) -> Array:
    """The indices, if all lie between `least`, MAX's lower bound, and the size."""
    bad = indices[(indices < least) | (indices >= size)]
    if bad.size:
        where = f"for axis {axis} with size {size}"
        raise Refused(f"{what} index {bad.flat[0]} is out of bounds {where}")
    return indices


def _gather(x: Array, indices: Array, axis: Array) -> Array:
    size = x.shape[axis]
    return np.take(x, _checked(indices, int(axis), size, -size, "gather"), int(axis))


def _places(x: Array, indices: Array, axis: Array) -> tuple[Array, ...]:
    """What to index `x` with, where `indices` are positions along an axis."""
    size = x.shape[axis]
    places: list[Array] = list(np.indices(indices.shape, sparse=True))
    places[axis] = _checked(indices, int(axis), size, -size, "scatter")
    return tuple(places)


def _scatter(x: Array, updates: Array, indices: Array, axis: Array) -> Array:
    x = x.copy()
    x[_places(x, indices, axis)] = updates
    return x


def _scatter_add(x: Array, updates: Array, indices: Array, axis: Array) -> Array:
    x = x.copy()
    np.add.at(x, _places(x, indices, axis), updates)
    return x


def _nd(what: str, x: Array, indices: Array, batch_dims: int) -> tuple[Array, ...]:
    """What to index `x` with, where the last axis of `indices` holds positions."""
    grid = np.indices(indices.shape[:-1], sparse=True)[:batch_dims]
    positions = enumerate(np.moveaxis(indices, -1, 0), batch_dims)
    checked = (_checked(each, axis, x.shape[axis], 0, what) for axis, each in positions)
    return *grid, *checked


def _gather_nd(op: Op, x: Array, indices: Array) -> Array:
    return np.asarray(x[_nd("gather_nd", x, indices, op.core.batch_dims)])


def _scatter_nd(x: Array, updates: Array, indices: Array) -> Array:
    x = x.copy()
    used = tuple(map(slice, indices.shape[:-1]))  # a mask uses the first updates only
    x[_nd("scatter_nd", x, indices, 0)] = updates[used]
    return x


def _scatter_nd_add(x: Array, updates: Array, indices: Array) -> Array:
    x = x.copy()
    np.add.at(x, _nd("scatter_nd", x, indices, 0), updates)
    return x


def _store(buffer: Array, x: Array, *slices: Array) -> tuple[()]:
    buffer[tuple(map(slice, *slices)) if slices else ...] = x
    return ()


def _random(op: Op, shape: Array, a: Array, b: Array, seed: Array) -> Any:
    """Not MAX's numbers, but of the same distribution, and the same for one seed."""
    generator = np.random.default_rng(int(seed) & (2**64 - 1))
    if op.name == "rmo.mo.random.normal":  # mean and standard deviation
        return a + b * generator.standard_normal(tuple(shape), np.float32)
    return a + (b - a) * generator.random(tuple(shape), np.float32)


def _while(op: Op, *state: Array) -> list[Array]:
    test, body = op.blocks
    again, *arrays = test.run(state, op.program.values)
    while again:
        arrays = body.run(arrays, op.program.values)
        again, *arrays = test.run(arrays, op.program.values)
    return arrays


# --- the tables -----------------------------------------------------------------------

OPERATIONS: dict[str, Handler] = {
    "mo.cast": lambda x: x,
    "mo.chain.create": lambda: (),
    "mo.layer_norm": _layer_norm,
    "mo.split": lambda x, sizes, axis: np.split(x, np.cumsum(sizes)[:-1], int(axis)),
    "repeat_interleave": np.repeat,
    "rmo.add": np.add,
    "rmo.and": np.logical_and,
    "rmo.div": np.divide,
    "rmo.equal": np.equal,
    "rmo.greater": np.greater,
    "rmo.greater_equal": np.greater_equal,
    "rmo.matmul": np.matmul,
    "rmo.max": np.fmax,
    "rmo.min": np.fmin,
    "rmo.mo.abs": np.abs,
    "rmo.mo.arg_nonzero": np.argwhere,
    "rmo.mo.atanh": np.arctanh,
    "rmo.mo.cos": np.cos,
    "rmo.mo.erf": np.frompyfunc(math.erf, 1, 1),
    "rmo.mo.exp": _exp,
    "rmo.mo.floor": np.floor,
    "rmo.mo.gather": _gather,
    "rmo.mo.is_inf": np.isinf,
    "rmo.mo.is_nan": np.isnan,
    "rmo.mo.linalg.band_part": _band_part,
    "rmo.mo.log": lambda x: np.log(np.minimum(x, np.finfo(x.dtype).max)),
    "rmo.mo.log1p": lambda x: np.log1p(np.minimum(x, np.finfo(np.float64).max)),
    "rmo.mo.mean": lambda x, axis: np.mean(x, int(axis), keepdims=True),
    "rmo.mo.mutable.load": lambda x: x.copy() if x.flags.writeable else x,
    "rmo.mo.mutable.store": _store,
    "rmo.mo.mutable.store.slice": _store,
    "rmo.mo.negative": np.negative,
    "rmo.mo.not": np.logical_not,
    "rmo.mo.pad.constant": lambda x, sizes, fill: np.pad(
        x, sizes.reshape(-1, 2), constant_values=fill
    ),
    "rmo.mo.range": np.arange,
    "rmo.mo.reduce.add": lambda x, axis: np.sum(x, int(axis), x.dtype, keepdims=True),
    "rmo.mo.reduce.max": lambda x, axis: np.fmax.reduce(x, int(axis), keepdims=True),
    "rmo.mo.reduce.min": lambda x, axis: np.fmin.reduce(x, int(axis), keepdims=True),
    "rmo.mo.relu": lambda x: np.fmax(x, 0),
    "rmo.mo.round": np.round,
    "rmo.mo.rsqrt": lambda x: 1 / np.sqrt(x),
    "rmo.mo.scatter": _scatter,
    "rmo.mo.scatter.add": _scatter_add,
    "rmo.mo.scatter_nd": _scatter_nd,
    "rmo.mo.scatter_nd.add": _scatter_nd_add,
    "rmo.mo.sin": np.sin,
    "rmo.mo.sqrt": np.sqrt,
    "rmo.mo.tanh": lambda x: np.where(np.isnan(x), 1, np.tanh(x)),
    "rmo.mo.tile": np.tile,
    "rmo.mo.transfer": lambda x: x,
    "rmo.mo.transpose": np.transpose,
    "rmo.mo.trunc": np.trunc,
    "rmo.mod": _mod,
    "rmo.mul": np.multiply,
    "rmo.not_equal": lambda x, y: (x < y) | (x > y),  # False where one is NaN
    "rmo.or": np.logical_or,
    "rmo.pow": np.power,
    "rmo.rebind_tensor_shape": lambda x: x,
    "rmo.select": np.where,
    "rmo.sub": np.subtract,
    "rmo.xor": np.logical_xor,
}

WITH_OP: dict[str, Handler] = {
    "mo.buffer.create": lambda op: np.zeros(op.shape),
    "mo.constant": lambda op: op.constant,
    "mo.constant.external": lambda op: op.program.weights[op.core.name],
    "mo.if": lambda op, test: op.blocks[0 if test else 1].run([], op.program.values),
    "mo.while": _while,
    "mx.argsort": _argsort,
    "rmo.broadcast_to": lambda op, x: np.broadcast_to(x, op.shape),
    "rmo.concat": lambda op, *xs: np.concatenate(
        xs, op.operation.attributes["axis"].value
    ),
    "rmo.mo.arg_max": _arg_max,
    "rmo.mo.arg_min": _arg_max,
    "rmo.mo.cumsum": _cumsum,
    "rmo.mo.gather_nd": _gather_nd,
    "rmo.mo.logsoftmax": _softmax,
    "rmo.mo.random.normal": _random,
    "rmo.mo.random.uniform": _random,
    "rmo.mo.slice": _slice,
    "rmo.mo.softmax": _softmax,
    "rmo.reshape": lambda op, x: x.reshape(op.shape),
    "rmo.shape_to_tensor": lambda op: np.array(op.sizes("shape")),
    "rmo.slice": _slice,
    "rmo.top_k": _top_k,
}
