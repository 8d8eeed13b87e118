# right: nodes behind the loss, sorted by a depth-first search as in micrograd
from max import _core, mlir
from max.graph import TensorValue, ops

from models.graph import Operation
from models.rules import GIVEN, fill, sum_to

RULES = {}


def rule(*names):
    def enter(function):
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


for name, given in GIVEN.items():
    rule(name)(given)


def key(value):
    return mlir.Value._CAPICreate(value._mlir_value._CAPIPtr)


def topological(loss):
    """The operations behind the loss, each after those that it reads."""
    order, seen, stack = [], set(), [(key(loss).owner, False)]
    while stack:
        op, ready = stack.pop()
        if isinstance(op, mlir.Block):
            continue
        if ready:
            order.append(op)
        elif op not in seen:
            seen.add(op)
            stack.append((op, True))
            stack += [(x.owner, False) for x in op.operands]
    return order


def dependent(order, wrt):
    """What among them depends on wrt."""
    found = {key(x) for x in wrt}
    for op in order:
        if any(x in found for x in op.operands):
            found.update(op.results)
    return found


def gradients(loss, wrt):
    if not all(size == 1 for size in loss.shape):
        raise ValueError(f"a loss of shape {loss.shape} is not a number")
    order = topological(loss)
    needed = dependent(order, wrt)
    grad = {key(loss): fill(1, loss)}
    for op in reversed(order):
        if any(x in needed for x in op.operands):
            _backward(Operation(op, needed), grad, needed)
    return [grad.get(key(x), fill(0, x)) for x in wrt]


def _backward(op, grad, needed):
    outs = [grad.get(key(y)) for y in op.results]
    if all(g is None for g in outs):
        return
    if op.name not in RULES:
        raise NotImplementedError(f"backward of {op.name}")
    outs = [fill(0, y) if g is None else g for g, y in zip(outs, op.results)]
    one = len(outs) == 1
    terms = RULES[op.name](
        op, outs[0] if one else outs, op.results[0] if one else op.results, *op.operands
    )
    for x, term in zip(op.operands, terms):
        if term is not None and key(x) in needed:
            grad[key(x)] = grad[key(x)] + term if key(x) in grad else term


rule("rmo.add")(lambda op, g, y, a, b: [sum_to(g, a), sum_to(g, b)])
rule("rmo.sub")(lambda op, g, y, a, b: [sum_to(g, a), sum_to(-g, b)])
rule("rmo.div")(lambda op, g, y, a, b: [sum_to(g / b, a), sum_to(-g * y / b, b)])
rule("rmo.mo.negative")(lambda op, g, y, x: [-g])
rule("rmo.mo.exp")(lambda op, g, y, x: [g * y])
rule("rmo.mo.tanh")(lambda op, g, y, x: [g * (1 - y * y)])


@rule("rmo.mul", "rmo.matmul")
def product(op, g, y, a, b):
    if op.name == "rmo.matmul":
        return sum_to(g @ b.transpose(-1, -2), a), sum_to(a.transpose(-1, -2) @ g, b)
    return sum_to(g * b, a), sum_to(g * a, b)


@rule("rmo.mo.softmax")
def softmax(op, g, y, x, axis):
    return [y * (g - ops.sum(y * g, -1))]


@rule("mo.layer_norm")
def layer_norm(op, g, y, x, gamma, beta, epsilon):
    centred = x - ops.mean(x, -1)
    std = ops.sqrt(ops.mean(centred * centred, -1) + epsilon)
    n = centred / std
    h = g * gamma / std
    dx = h - ops.mean(h, -1) - n * ops.mean(h * n, -1)
    return dx, sum_to(g * n, gamma), sum_to(g, beta)
