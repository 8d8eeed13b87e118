"""Rules of step 13 that are given: each operation's gradient but for products, softmax
and layer norm.

A rule is called with the operation, the gradient g of its result, its result y and its
operands. It returns the operands' gradients; None, or nothing at the end, for those
that have none, such as an axis. Where an operation has several results, g and y are
lists of them.

Source of the formulas: `tools/autograd/derivatives.yaml` of PyTorch.
"""

from collections.abc import Callable, Sequence

import numpy as np
from max.dtype import DType
from max.graph import DeviceRef, Dim, DimLike, StaticDim, TensorValue, ops

from models.graph import Operation, scatter_nd_add

Gradients = Sequence[TensorValue | None]
Rule = Callable[..., Gradients]

# --- what rules are made of -----------------------------------------------------------


def fill(number: float, like: TensorValue) -> TensorValue:
    """A number everywhere, in the shape and dtype of another value."""
    return ops.constant(number, like.dtype, like.device).broadcast_to(like.shape)


def sum_to(g: TensorValue, x: TensorValue) -> TensorValue:
    """Sum over the dimensions along which x was broadcast: g's shape -> x's shape.

    A number that was used several times gets the sum of the gradients: for a bias [C]
    that was added to each of B T tokens, [B, T, C] -> [C].
    """
    if list(g.shape) == list(x.shape):
        return g
    if extra := g.rank - x.rank:
        g = ops.sum(g.reshape([-1, *g.shape[extra:]]), 0).reshape(g.shape[extra:])
    for axis in range(x.rank):
        if x.shape[axis] == 1 != g.shape[axis]:
            g = ops.sum(g, axis)
    return g.reshape(x.shape)


def number(dim: Dim, like: TensorValue) -> TensorValue:
    """A dimension, symbolic ones included, as a number of the graph: [], of the dtype
    of another value."""
    if isinstance(dim, StaticDim):
        return ops.constant(int(dim), like.dtype, like.device)
    return TensorValue(dim).cast(like.dtype).to(like.device)


def permuted(x: TensorValue, order: list[int]) -> TensorValue:
    return x if order == sorted(order) else x.permute(order)


def positions(
    start: DimLike | TensorValue, step: int | TensorValue, length: Dim, on: DeviceRef
) -> TensorValue:
    """start, start + step, …: int64 [length]."""
    cpu = DeviceRef.CPU()
    counted = ops.range(0, length, 1, length, dtype=DType.int64, device=cpu)
    return (counted * step + start).to(on)


def zeros_around(
    x: TensorValue, axis: int, before: DimLike, after: DimLike
) -> TensorValue:
    """Zeros before and after x along an axis, in numbers that may be symbolic."""
    shape = list(x.shape)
    zero = ops.constant(0, x.dtype, x.device)
    sides = []
    for length in (before, after):
        shape[axis] = Dim(length)
        sides.append(zero.broadcast_to(shape))
    return ops.concat([sides[0], x, sides[1]], axis)


def put_back(g: TensorValue, indices: TensorValue, axis: int, size: Dim) -> TensorValue:
    """What was read at `indices` of an axis, put back and added up there.

    Args:
        g: [*before, *indices.shape, *after], `before` being `axis` dimensions.
        indices: int32 or int64; those below 0 count from the end.
        size: how long the axis is.

    Returns:
        [*before, size, *after], with zeros where nothing was read.
    """
    inner = list(range(axis, axis + indices.rank))
    outer = [each for each in range(g.rank) if each not in inner]
    shape = [g.shape[each] for each in outer]
    updates = permuted(g, inner + outer).reshape([-1, *shape])
    zeros = ops.constant(0, g.dtype, g.device).broadcast_to([size, *shape])
    places = ops.where(indices < 0, indices + number(size, indices), indices)
    found = scatter_nd_add(zeros, updates, places.reshape([-1, 1]))
    return permuted(found, [*range(1, axis + 1), 0, *range(axis + 1, found.rank)])


# --- each number by itself ------------------------------------------------------------


def power(
    op: Operation, g: TensorValue, y: TensorValue, a: TensorValue, b: TensorValue
) -> Gradients:
    """y = a^b. Where a has no logarithm, the gradient of b is 0."""
    log = ops.log(ops.where(a > 0, a, fill(1, a)))
    return sum_to(g * b * ops.pow(a, b - 1), a), sum_to(g * y * log, b)


def extreme(
    op: Operation, g: TensorValue, y: TensorValue, a: TensorValue, b: TensorValue
) -> Gradients:
    """The larger or the smaller of two; of equal ones a."""
    chosen = a >= b if op.name == "rmo.max" else a <= b
    return select(op, g, y, chosen, a, b)[1:]


def select(
    op: Operation,
    g: TensorValue,
    y: TensorValue,
    chosen: TensorValue,
    a: TensorValue,
    b: TensorValue,
) -> Gradients:
    """a where `chosen` is true, b elsewhere."""
    zeros = fill(0, g)
    one, other = ops.where(chosen, g, zeros), ops.where(chosen, zeros, g)
    return None, sum_to(one, a), sum_to(other, b)


def cast(op: Operation, g: TensorValue, y: TensorValue, x: TensorValue) -> Gradients:
    return [g.cast(x.dtype) if x.dtype.is_float() else None]


# --- along an axis --------------------------------------------------------------------


def mean(
    op: Operation, g: TensorValue, y: TensorValue, x: TensorValue, axis: TensorValue
) -> Gradients:
    count = number(x.shape[op.number(1)], like=g)
    return [(g / count).broadcast_to(x.shape)]


def reduced_extreme(
    op: Operation, g: TensorValue, y: TensorValue, x: TensorValue, axis: TensorValue
) -> Gradients:
    """The largest or the smallest along an axis; equal ones share the gradient."""
    found = ops.equal(x, y).cast(g.dtype)
    return [found * (g / ops.sum(found, op.number(1)))]


# --- numbers that move: their gradients move back -------------------------------------


def transpose(
    op: Operation, g: TensorValue, y: TensorValue, x: TensorValue, order: TensorValue
) -> Gradients:
    return [g.permute(np.argsort(op.numbers(1)).tolist())]


def band_part(
    op: Operation, g: TensorValue, y: TensorValue, x: TensorValue, *band: TensorValue
) -> Gradients:
    lower, upper, exclude = (op.number(index) for index in (1, 2, 3))
    limits = [None if limit < 0 else limit for limit in (lower, upper)]
    return [ops.band_part(g, *limits, exclude=bool(exclude))]


def concat(
    op: Operation, g: TensorValue, y: TensorValue, *xs: TensorValue
) -> Gradients:
    axis, start, pieces = op.attribute("axis") % g.rank, Dim(0), []
    for x in xs:
        stop = start + x.shape[axis]
        place = *[slice(None)] * axis, slice(start, stop)
        pieces.append(g[place].rebind(x.shape))
        start = stop
    return pieces


def sliced(op: Operation, g: TensorValue, y: TensorValue, x: TensorValue) -> Gradients:
    for axis, (start, step) in enumerate(op.slices()):
        size, length = x.shape[axis], g.shape[axis]
        if step > 1:
            places = positions(start, step, length, g.device)
            g = put_back(g, places, axis, size)
        elif length != size:
            g = zeros_around(g, axis, start, size - start - length)
    return [g.rebind(x.shape)]


def sliced_later(
    op: Operation,
    g: TensorValue,
    y: TensorValue,
    x: TensorValue,
    start: TensorValue,
    stop: TensorValue,
    step: TensorValue,
) -> Gradients:
    """The same where starts and steps [rank] are known when the graph runs."""
    for axis, size in enumerate(x.shape):
        first = ops.min(start[axis], number(size, start) - 1)  # MAX's end is 2^63 - 1
        places = positions(first, step[axis], g.shape[axis], g.device)
        g = put_back(g, places, axis, size)
    return [g]


def gather(
    op: Operation,
    g: TensorValue,
    y: TensorValue,
    x: TensorValue,
    indices: TensorValue,
    axis: TensorValue,
) -> Gradients:
    along = op.number(2)
    return [put_back(g, indices, along, x.shape[along])]


def gather_nd(
    op: Operation, g: TensorValue, y: TensorValue, x: TensorValue, indices: TensorValue
) -> Gradients:
    """The batch dimensions, which x and indices share, become indices as well."""
    shape, columns = [*indices.shape[:-1], 1], [indices]
    for axis in reversed(range(op.attribute("batch_dims"))):
        length = shape[axis]
        places = positions(0, 1, length, g.device).cast(indices.dtype)
        places = places.reshape([length, *[1] * (len(shape) - 1 - axis)])
        columns.insert(0, places.broadcast_to(shape))
    return [scatter_nd_add(fill(0, x), g, ops.concat(columns, -1))]


# --- products -------------------------------------------------------------------------


def with_matrices(rule: Rule) -> Rule:
    """From a rule for products of matrices, [..., M, K] @ [..., K, N], one for whatever
    else MAX multiplies: vectors, and all tokens of a batch with the matrix of a layer,
    which is one large product instead of many.
    """

    def whole(
        op: Operation, g: TensorValue, y: TensorValue, a: TensorValue, b: TensorValue
    ) -> Gradients:
        if b.rank == 1:
            found = whole(op, ops.unsqueeze(g, -1), y, a, ops.unsqueeze(b, -1))
        elif a.rank == 1:
            found = whole(op, ops.unsqueeze(g, -2), y, ops.unsqueeze(a, 0), b)
        elif b.rank == 2:
            found = rule(op, rows(g), y, rows(a), b)
        else:
            return rule(op, g, y, a, b)
        return [
            each if each is None else each.reshape(x.shape)
            for each, x in zip(found, (a, b), strict=False)
        ]

    return whole


def rows(x: TensorValue) -> TensorValue:
    """[..., C] -> [N, C]"""
    return x.reshape([-1, x.shape[-1]])


# --- the table, by the names that MAX prints ------------------------------------------

GIVEN: dict[str, Rule] = {
    "mo.cast": cast,
    "mo.split": lambda op, g, y, x, *how: [ops.concat(g, op.number(2))],
    "rmo.broadcast_to": lambda op, g, y, x: [sum_to(g, x)],
    "rmo.concat": concat,
    "rmo.max": extreme,
    "rmo.min": extreme,
    "rmo.mo.abs": lambda op, g, y, x: [ops.where(x < 0, -g, g)],
    "rmo.mo.cos": lambda op, g, y, x: [-g * ops.sin(x)],
    "rmo.mo.erf": lambda op, g, y, x: [g * ops.exp(-x * x) * (2 / np.pi**0.5)],
    "rmo.mo.gather": gather,
    "rmo.mo.gather_nd": gather_nd,
    "rmo.mo.linalg.band_part": band_part,
    "rmo.mo.log": lambda op, g, y, x: [g / x],
    "rmo.mo.log1p": lambda op, g, y, x: [g / (1 + x)],
    "rmo.mo.logsoftmax": lambda op, g, y, x, axis: [g - ops.exp(y) * ops.sum(g, -1)],
    "rmo.mo.mean": mean,
    "rmo.mo.reduce.add": lambda op, g, y, x, axis: [g.broadcast_to(x.shape)],
    "rmo.mo.reduce.max": reduced_extreme,
    "rmo.mo.reduce.min": reduced_extreme,
    "rmo.mo.relu": lambda op, g, y, x: [ops.where(x > 0, g, fill(0, g))],
    "rmo.mo.rsqrt": lambda op, g, y, x: [g * y * y * y * -0.5],
    "rmo.mo.sin": lambda op, g, y, x: [g * ops.cos(x)],
    "rmo.mo.slice": sliced_later,
    "rmo.mo.sqrt": lambda op, g, y, x: [g / (2 * y)],
    "rmo.mo.transpose": transpose,
    "rmo.pow": power,
    "rmo.rebind_tensor_shape": lambda op, g, y, x: [g.rebind(x.shape)],
    "rmo.reshape": lambda op, g, y, x: [g.reshape(x.shape)],
    "rmo.select": select,
    "rmo.slice": sliced,
}
