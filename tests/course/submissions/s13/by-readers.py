# right: each value asks the operations that read it, in a recursion that remembers
from max.graph import ops

from models.graph import Operation, ValueDict, path
from models.rules import GIVEN, fill, sum_to, with_matrices

RULES = {**GIVEN}


def rule(*names):
    def enter(f):
        RULES.update({name: f for name in names})
        return f

    return enter


class Backward:
    """Answers what the gradient of a value is, None where nothing reaches it."""

    def __init__(self, loss, wrt):
        self.readers = ValueDict()
        self.known = ValueDict()
        self.known[loss] = fill(1, loss)
        self.applied = {}
        self.loss = loss
        for op in path(wrt):
            for x in op.operands:
                if op.needs(x) and op not in self.readers.get(x, []):
                    self.readers.setdefault(x, []).append(op)

    def of(self, x):
        if x not in self.known:
            self.known[x] = self.summed(x)
        return self.known[x]

    def summed(self, x):
        result = None
        for op in self.readers.get(x, []):
            key = ValueDict()
            key[x] = True
            for operand, gradient in zip(op.operands, self.apply(op)):
                if operand in key and gradient is not None:
                    result = gradient if result is None else result + gradient
        return result

    def apply(self, op: Operation):
        if id(op) not in self.applied:
            self.applied[id(op)] = self.rule_of(op)
        return self.applied[id(op)]

    def rule_of(self, op):
        g = [self.of(y) for y in op.results]
        if all(each is None for each in g):
            return []
        try:
            rule = RULES[op.name]
        except KeyError:
            raise NotImplementedError(f"{op.name} has no rule") from None
        g = [fill(0, y) if each is None else each for each, y in zip(g, op.results)]
        if len(g) == 1:
            return rule(op, g[0], op.results[0], *op.operands)
        return rule(op, g, op.results, *op.operands)


def gradients(loss, wrt):
    if list(loss.shape) != [1] * loss.rank:
        raise ValueError("the loss must be one number")
    backward = Backward(loss, wrt)
    results = []
    for x in wrt:
        gradient = backward.of(x)
        results.append(fill(0, x) if gradient is None else gradient)
    return results


@rule("rmo.add")
def add(op, g, y, a, b):
    return sum_to(g, a), sum_to(g, b)


@rule("rmo.sub")
def sub(op, g, y, a, b):
    return sum_to(g, a), sum_to(-g, b)


@rule("rmo.div")
def div(op, g, y, a, b):
    return sum_to(g / b, a), sum_to(-g * y / b, b)


@rule("rmo.mo.negative")
def negative(op, g, y, x):
    return (-g,)


@rule("rmo.mo.exp")
def exp(op, g, y, x):
    return (g * y,)


@rule("rmo.mo.tanh")
def tanh(op, g, y, x):
    return (g * (1 - y * y),)


@rule("rmo.mul")
def mul(op, g, y, a, b):
    return sum_to(g * b, a), sum_to(g * a, b)


@with_matrices
def matmul(op, g, y, a, b):
    return (
        sum_to(ops.matmul(g, ops.transpose(b, -2, -1)), a),
        sum_to(ops.matmul(ops.transpose(a, -2, -1), g), b),
    )


rule("rmo.matmul")(matmul)


@rule("rmo.mo.softmax")
def softmax(op, g, y, x, axis):
    expected = ops.sum(g * y, axis=-1)
    return (y * (g - expected),)


@rule("mo.layer_norm")
def layer_norm(op, g, y, x, gamma, beta, epsilon):
    mean = ops.mean(x, axis=-1)
    inverse = ops.rsqrt(ops.mean((x - mean) * (x - mean), axis=-1) + epsilon)
    n = (x - mean) * inverse
    gn = g * gamma
    gn = gn - ops.mean(gn, axis=-1)
    dx = inverse * (gn - n * ops.mean(gn * n, axis=-1))
    return dx, sum_to(g * n, gamma), sum_to(g, beta)
