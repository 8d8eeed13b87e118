# right: the same formulas in another form: Jacobians, sums instead of means, y as n
from max.graph import TensorValue, ops

from models.graph import Operation, ValueDict, path
from models.rules import GIVEN, fill, sum_to, with_matrices

RULES = dict(GIVEN)


def rule(*names):
    return lambda function: [RULES.__setitem__(name, function) for name in names] and function


def gradients(loss: TensorValue, wrt) -> list:
    count = 1
    for size in loss.shape:
        count = count * int(size)
    if count != 1:
        raise ValueError(f"one element, please: {count}")
    arrived = ValueDict()
    arrived[loss] = [fill(1, loss)]
    for op in path(wrt)[::-1]:
        for x, gradient in pull_back(op, arrived):
            arrived.setdefault(x, []).append(gradient)
    return [added(arrived.get(x, [x * 0])) for x in wrt]


def added(terms):
    result = terms[0]
    for term in terms[1:]:
        result += term
    return result


def pull_back(op: Operation, arrived):
    if not any(y in arrived for y in op.results):
        return
    if op.name not in RULES:
        raise NotImplementedError(f"{op.name}?")
    g = [added(arrived.get(y, [y * 0])) for y in op.results]
    ys = op.results
    if len(ys) == 1:
        g, ys = g[0], ys[0]
    yield from (
        (x, d)
        for x, d in zip(op.operands, RULES[op.name](op, g, ys, *op.operands))
        if d is not None
    )


rule("rmo.add")(lambda op, g, y, a, b: [sum_to(g, a), sum_to(g, b)])
rule("rmo.sub")(lambda op, g, y, a, b: [sum_to(g, a), sum_to(-g, b)])
rule("rmo.div")(lambda op, g, y, a, b: [sum_to(g / b, a), sum_to(-g * a / (b * b), b)])
rule("rmo.mo.negative")(lambda op, g, y, x: [0 - g])
rule("rmo.mo.exp")(lambda op, g, y, x: [y * g])
rule("rmo.mo.tanh")(lambda op, g, y, x: [g - g * y**2])


@rule("rmo.mul")
def product(op, g, y, a, b):
    if op.name == "rmo.matmul":
        return [
            sum_to(transposed(b @ transposed(g)), a),
            sum_to(transposed(transposed(g) @ a), b),
        ]
    return [sum_to(b * g, a), sum_to(a * g, b)]


rule("rmo.matmul")(with_matrices(product))


def transposed(x):
    order = list(range(x.rank))
    order[-1], order[-2] = order[-2], order[-1]
    return x.permute(order)


@rule("rmo.mo.softmax")
def softmax(op, g, y, x, axis):
    column, row = ops.unsqueeze(y, -1), ops.unsqueeze(y, -2)
    outer = column @ row  # [..., C, C], the second term of the Jacobian
    return [y * g - ops.squeeze(outer @ ops.unsqueeze(g, -1), -1)]


@rule("mo.layer_norm")
def layer_norm(op, g, y, x, gamma, beta, epsilon):
    size = int(gamma.shape[0])
    mean = ops.sum(x, -1) / size
    var = ops.sum((x - mean) ** 2, -1) / size
    inverse = (var + epsilon) ** -0.5
    n = (x - mean) * inverse
    h = g * gamma
    dvar = ops.sum(h * (x - mean), -1) * -0.5 * inverse**3
    dmean = -ops.sum(h * inverse, -1)
    dx = h * inverse + dvar * 2 * (x - mean) / size + dmean / size
    rows = [-1, size]
    dgamma = ops.sum((g * n).reshape(rows), 0).reshape([size])
    dbeta = ops.sum(g.reshape(rows), 0).reshape([size])
    return [dx, dgamma, dbeta]
