# right: no helpers of the course: MLIR's own operations, all rules in the file
import math

import numpy as np
from max import _core, mlir
from max._core.dialects import kgen, rmo
from max.dtype import DType
from max.graph import DeviceRef, Dim, Graph, Shape, StaticDim, TensorValue, ops

CPU = DeviceRef.CPU()
RULES = {}


def rule(*names):
    def enter(function):
        for name in names:
            RULES[name] = function
        return function

    return enter


def handle(value):
    return mlir.Value._CAPICreate(value._mlir_value._CAPIPtr)


def wrap(value):
    return TensorValue.from_mlir(_core.Value._from_cmlir(value))


def constant_of(value):
    data = _core.Operation._from_cmlir(value.owner).value.data.data
    kind = wrap(value).dtype.to_numpy()
    return np.array(list(data), np.uint8).view(kind).tolist()


def like(x, number):
    return ops.broadcast_to(ops.constant(number, x.dtype, x.device), x.shape)


def gradients(loss, wrt):
    if loss.type.num_elements() != 1:
        raise ValueError(f"loss has {loss.type.num_elements()} elements")
    wanted = [handle(x) for x in wrt]
    reach = set(wanted)
    chain = []
    for each in Graph.current._mlir_op.regions[0].blocks[0].operations:
        op = each.operation
        if reach & set(op.operands):
            reach |= set(op.results)
            chain.insert(0, op)
    adjoint = {handle(loss): like(loss, 1)}
    for op in chain:
        outs = [adjoint.get(y) for y in op.results]
        if not [each for each in outs if each is not None]:
            continue
        if op.name not in RULES:
            raise NotImplementedError(f"no derivative is known for {op.name}")
        ys = [wrap(y) for y in op.results]
        outs = [like(y, 0) if each is None else each for each, y in zip(outs, ys)]
        xs = [wrap(x) for x in op.operands]
        for x, term in zip(op.operands, RULES[op.name](op, outs, ys, xs)):
            if term is None or x not in reach:
                continue
            adjoint[x] = term if x not in adjoint else adjoint[x] + term
    return [adjoint[h] if h in adjoint else like(x, 0) for h, x in zip(wanted, wrt)]


def unbroadcast(g, x):
    while g.rank > x.rank:
        g = ops.squeeze(ops.sum(g, 0), 0)
    for axis, size in enumerate(x.shape):
        if size == 1 and g.shape[axis] != 1:
            g = ops.sum(g, axis)
    return g


def unary(*names):
    """Enter a function of g, y and x."""

    def enter(f):
        rule(*names)(lambda op, g, y, x: [f(g[0], y[0], x[0])])
        return f

    return enter


def binary(name):
    """Enter a function of g, y, a and b; what it gives is summed over broadcasts."""

    def enter(f):
        def derivative(op, g, y, x):
            a, b = x
            da, db = f(g[0], y[0], a, b)
            return [unbroadcast(da, a), unbroadcast(db, b)]

        rule(name)(derivative)
        return f

    return enter


binary("rmo.add")(lambda g, y, a, b: (g, g))
binary("rmo.sub")(lambda g, y, a, b: (g, -g))
binary("rmo.mul")(lambda g, y, a, b: (g * b, g * a))
binary("rmo.div")(lambda g, y, a, b: (g / b, -(g * y) / b))
binary("rmo.matmul")(
    lambda g, y, a, b: (g @ b.transpose(-2, -1), a.transpose(-2, -1) @ g)
)
binary("rmo.pow")(
    lambda g, y, a, b: (
        g * b * ops.pow(a, b - 1),
        g * y * ops.log(ops.max(a, 1e-30)),
    )
)
unary("rmo.mo.negative")(lambda g, y, x: -g)
unary("rmo.mo.exp")(lambda g, y, x: g * y)
unary("rmo.mo.log")(lambda g, y, x: g / x)
unary("rmo.mo.sqrt")(lambda g, y, x: g * 0.5 / y)
unary("rmo.mo.rsqrt")(lambda g, y, x: g * y / x * -0.5)
unary("rmo.mo.tanh")(lambda g, y, x: g * (1 - y) * (1 + y))
unary("rmo.mo.erf")(lambda g, y, x: g * 2 / math.sqrt(math.pi) * ops.exp(-(x * x)))
unary("rmo.reshape")(lambda g, y, x: ops.reshape(g, x.shape))
unary("rmo.rebind_tensor_shape")(lambda g, y, x: ops.rebind(g, x.shape))
unary("rmo.broadcast_to")(lambda g, y, x: unbroadcast(g, x))


@rule("mo.cast")
def cast(op, g, y, x):
    return [g[0].cast(x[0].dtype)] if x[0].dtype.is_float() else [None]


@rule("rmo.select")
def select(op, g, y, x):
    condition, a, b = x
    zero = like(g[0], 0)
    return [
        None,
        unbroadcast(ops.where(condition, g[0], zero), a),
        unbroadcast(ops.where(condition, zero, g[0]), b),
    ]


@rule("rmo.mo.reduce.add")
def reduce_add(op, g, y, x):
    return [ops.broadcast_to(g[0], x[0].shape)]


@rule("rmo.mo.mean")
def mean(op, g, y, x):
    # the mean of ones is 1, so the sum of ones is the count
    [axis] = constant_of(op.operands[1])
    count = ops.sum(like(x[0], 1), axis)
    return [ops.broadcast_to(g[0] / count, x[0].shape)]


@rule("rmo.mo.reduce.max", "rmo.mo.reduce.min")
def extreme(op, g, y, x):
    [axis] = constant_of(op.operands[1])
    hit = ops.equal(x[0], y[0]).cast(g[0].dtype)
    return [g[0] * hit / ops.sum(hit, axis)]


@rule("rmo.mo.softmax")
def softmax(op, g, y, x):
    [g], [y] = g, y
    return [y * (g - ops.sum(g * y, -1))]


@rule("rmo.mo.logsoftmax")
def logsoftmax(op, g, y, x):
    [g], [y] = g, y
    return [g - ops.exp(y) * ops.sum(g, -1)]


@rule("mo.layer_norm")
def layer_norm(op, g, y, x):
    [g], [x, gamma, beta, epsilon] = g, x
    d = x - ops.mean(x, -1)
    v = ops.mean(d * d, -1) + epsilon
    n = d / ops.sqrt(v)
    h = g * gamma
    h = h - ops.mean(h, -1)
    h = h - d * (ops.mean(h * d, -1) / v)
    return [h / ops.sqrt(v), unbroadcast(g * n, gamma), unbroadcast(g, beta)]


@rule("rmo.mo.transpose")
def transpose(op, g, y, x):
    order = constant_of(op.operands[1])
    return [ops.permute(g[0], [order.index(i) for i in range(len(order))])]


@rule("mo.split")
def split(op, g, y, x):
    [axis] = constant_of(op.operands[2])
    return [ops.concat(g, axis)]


@rule("rmo.concat")
def concat(op, g, y, x):
    axis = op.attributes["axis"].value
    return ops.split(g[0], [int(each.shape[axis]) for each in x], axis)


def scatter_nd_add(x, updates, indices):
    none = kgen.ParamDeclArrayAttr([])
    make = Graph.current._add_op_generated
    return make(rmo.MoScatterNdAddOp, x.type, x, updates, indices, none)[0].tensor


def along(g, places, axis, x):
    """Rows of g [.., n, ..] added to zeros like x at places [n] of the axis."""
    front = [axis, *(i for i in range(x.rank) if i != axis)]
    back = [front.index(i) for i in range(x.rank)]
    zeros = ops.permute(like(x, 0), front)
    rows = scatter_nd_add(zeros, ops.permute(g, front), ops.unsqueeze(places, -1))
    return ops.permute(rows, back)


@rule("rmo.mo.gather")
def gather(op, g, y, x):
    [axis] = constant_of(op.operands[2])
    shape = list(x[0].shape)
    shape[axis : axis + 1] = [-1]
    return [along(ops.reshape(g[0], shape), ops.reshape(x[1], [-1]), axis, x[0])]


@rule("rmo.mo.gather_nd")
def gather_nd(op, g, y, x):
    """The last axis of a tensor read at one place: a one-hot row times g."""
    size = x[0].shape[-1]
    every = ops.range(0, size, 1, size, dtype=DType.int64, device=CPU)
    return [ops.unsqueeze(g[0], -1) * ops.equal(x[1], every).cast(g[0].dtype)]


@rule("rmo.slice")
def slice_(op, g, y, x):
    core = _core.Operation._from_cmlir(op)
    [g], [x] = g, x
    starts, steps = (list(Shape.from_mlir(s)) for s in (core.starts, core.steps))
    for axis, size in enumerate(x.shape):
        start, step, length = starts[axis], int(steps[axis]), g.shape[axis]
        if isinstance(start, StaticDim) and int(start) < 0:
            start = size + start
        if step == 1 and length == size:
            continue
        places = ops.range(0, length, 1, length, dtype=DType.int64, device=CPU)
        whole = [*g.shape]
        whole[axis] = size
        shaped = ops.broadcast_to(
            ops.constant(0, g.dtype, g.device), whole
        )
        g = along(g, places * step + TensorValue(Dim(start)), axis, shaped)
    return [g]
