"""Step 13: automatic differentiation, which says how to change each weight.

Training makes a loss smaller: a number that says how wrong the model is. For that it
needs the gradient, d loss / d w, of each of 124 million weights w. Trying them one by
one would take 124 million forward passes. Reverse mode takes about three: one forward,
and two more for going back.

It is the chain rule, applied from the loss back. Call g = d loss / d y the gradient of
y; it has y's shape. Each operation y = f(x) has a rule that makes x's gradient from it:
3 g for y = 3 x, and 2 x g for y = x^2. If x is 5 and the loss is (3 x)^2 = 225, the
walk starts with 1, then 2 * 15 * 1 = 30 for 3 x, and 3 * 30 = 90 for x. And 5.01 gives
225.9, which is 0.01 * 90 more.

MAX has no automatic differentiation, but it records the operations of your code as a
graph (step 2). So all modules of steps 3 to 7 can be differentiated as they are: walk
through the graph in reverse and add, for each operation, the operations of its rule.

Source: Baydin et al. 2018, "Automatic Differentiation in Machine Learning: a Survey",
section 3.2. A rule is called a vector-Jacobian product there and in JAX.
"""

from collections.abc import Callable, Iterator, Sequence

from max.graph import TensorValue, ops

from models.graph import Operation, ValueDict, path
from models.rules import GIVEN, Gradients, Rule, fill, sum_to, with_matrices

RULES: dict[str, Rule] = dict(GIVEN)


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter the rule of the operations with these names, as MAX prints them.

    A rule is called with the operation, the gradient g of its result, its result y and
    its operands; it returns a gradient per operand, or None (an axis, an index). Where
    an operation has several results, g and y are lists.
    """

    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def gradients(loss: TensorValue, wrt: Sequence[TensorValue]) -> list[TensorValue]:
    """d loss / d x for each x in `wrt`, while a graph is traced.

    Args:
        loss: a value with one element.
        wrt: inputs of the graph, values on the way to the loss, or the loss itself
            (what the derivatives are taken with respect to).

    Returns:
        For each x a value of its shape and dtype: zeros, if the loss does not depend
        on it.

    Raises:
        ValueError: the loss has more than one element.
        NotImplementedError: an operation between `wrt` and the loss has no rule.
    """
    loss, wrt = TensorValue(loss), [TensorValue(x) for x in wrt]
    if any(size != 1 for size in loss.shape):
        shape = ", ".join(map(str, loss.shape))
        raise ValueError(f"the loss has the shape [{shape}], must have one element")
    # hole: walk back
    total = ValueDict()
    total[loss] = fill(1, loss)
    for op in reversed(path(wrt)):
        for x, gradient in pull_back(op, total):
            total[x] = total[x] + gradient if x in total else gradient
    return [total[x] if x in total else fill(0, x) for x in wrt]
    # end


def pull_back(
    op: Operation, total: ValueDict
) -> Iterator[tuple[TensorValue, TensorValue]]:
    """From the gradients of an operation's results to its operands, by its rule: pairs
    of an operand and a gradient. There are none where the loss does not depend on it."""
    given = [total.get(y) for y in op.results]
    if all(g is None for g in given):
        return
    if op.name not in RULES:
        raise NotImplementedError(f"there is no rule for {op}: enter one with @rule")
    g = [fill(0, y) if g is None else g for g, y in zip(given, op.results, strict=True)]
    several = len(g) > 1
    found = RULES[op.name](
        op, g if several else g[0], op.results if several else op.results[0], *op.operands
    )
    for x, gradient in zip(op.operands, found, strict=False):
        if gradient is not None and op.needs(x):
            yield x, gradient


rule("rmo.add")(lambda op, g, y, a, b: [sum_to(g, a), sum_to(g, b)])
rule("rmo.sub")(lambda op, g, y, a, b: [sum_to(g, a), sum_to(-g, b)])
rule("rmo.div")(lambda op, g, y, a, b: [sum_to(g / b, a), sum_to(-g * y / b, b)])
rule("rmo.mo.negative")(lambda op, g, y, x: [-g])
rule("rmo.mo.exp")(lambda op, g, y, x: [g * y])
rule("rmo.mo.tanh")(lambda op, g, y, x: [g * (1 - y * y)])


@rule("rmo.mul")
def product(
    op: Operation, g: TensorValue, y: TensorValue, a: TensorValue, b: TensorValue
) -> Gradients:
    """y = a * b, number by number, or y = a @ b, matrix by matrix."""
    # hole: products
    if op.name == "rmo.mul":
        return sum_to(g * b, a), sum_to(g * a, b)
    return sum_to(g @ swap(b), a), sum_to(swap(a) @ g, b)
    # end


rule("rmo.matmul")(with_matrices(product))


def swap(x: TensorValue) -> TensorValue:
    """Each matrix transposed: [..., M, N] -> [..., N, M]."""
    return x.transpose(-1, -2)


@rule("rmo.mo.softmax")
def softmax(
    op: Operation, g: TensorValue, y: TensorValue, x: TensorValue, axis: TensorValue
) -> Gradients:
    """y_i = exp(x_i) / sum_j exp(x_j) over the last dimension."""
    # hole: softmax
    g = g * y
    return [g - y * ops.sum(g, -1)]
    # end


@rule("mo.layer_norm")
def layer_norm(
    op: Operation,
    g: TensorValue,
    y: TensorValue,
    x: TensorValue,
    gamma: TensorValue,
    beta: TensorValue,
    epsilon: TensorValue,
) -> Gradients:
    """y = n gamma + beta with n = (x - mean) / std, over the last dimension."""
    centred = x - ops.mean(x, -1)
    std = ops.sqrt(ops.mean(centred * centred, -1) + epsilon.to(x.device))
    n = centred / std
    # hole: layer norm
    gn = g * gamma
    dx = (gn - ops.mean(gn, -1) - n * ops.mean(gn * n, -1)) / std
    return dx, sum_to(g * n, gamma), sum_to(g, beta)
    # end
