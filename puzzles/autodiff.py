"""Step 13: automatic differentiation, which says how to change each weight.

Training makes a loss smaller: a number that says how wrong the model is. For that it
needs the gradient, the derivative d loss / d w for each of 124 million weights w. To
try the weights one by one would take 124 million forward passes. Reverse mode finds all
of them in one walk back, which costs about as much as two forward passes.

It is the chain rule, applied from the loss back. Let g be d loss / d y, the gradient of
a value y; it has y's shape. Each operation y = f(x) has a rule that turns g into the
gradient of x: 3 g for y = 3 x, and 2 x g for y = x^2. For x = 5 and the loss (3 x)^2:

    x = 5   ->  3 x = 15  ->  loss = 15^2 = 225      forward
        90  <-       30   <-         1               back: 3 * 30, 2 * 15 * 1

And indeed, x = 5.01 gives 225.9, which is 0.01 * 90 more.

MAX has no automatic differentiation, but it records the operations of traced code as a
graph (step 2). So your modules of steps 3 to 7 can be trained as they are: walk through
their graph in reverse, and for each operation add those of its rule to the same graph.

Source: Baydin et al. 2018, "Automatic Differentiation in Machine Learning: a Survey",
section 3.2. What is called a rule here is a vector-Jacobian product in JAX.
"""

from collections.abc import Callable, Iterator, Sequence

from max.graph import TensorValue, ops

from models.graph import Operation, ValueDict, path
from models.rules import GIVEN, Gradients, Rule, fill, sum_to, with_matrices

# From an operation's name, as MAX prints it, to its rule.
RULES: dict[str, Rule] = dict(GIVEN)


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Enter a function as the rule of the operations with these names.

    A rule gets the operation, g, its result y and its operands. It returns the
    gradients of the operands in their order, and may end before those that have none,
    such as an axis. `sum_to(g, x)` in `models/rules.py` goes back over a broadcast.
    """

    def enter(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def gradients(loss: TensorValue, wrt: Sequence[TensorValue]) -> list[TensorValue]:
    """d loss / d x for each x in `wrt`. Call it while a graph is traced.

    Args:
        loss: a value of the graph with one element.
        wrt: the values to differentiate with respect to: inputs, values on the way to
            the loss, or the loss itself.

    Returns:
        A value of the shape and dtype of x for each x: zeros where the loss does not
        depend on it.

    Raises:
        ValueError: the loss has more than one element.
        NotImplementedError: an operation between `wrt` and the loss has no rule.
    """
    if any(size != 1 for size in loss.shape):
        shape = ", ".join(map(str, loss.shape))
        raise ValueError(f"the loss has the shape [{shape}], must have one element")
    # hole: walk back
    # Keep the gradient of each value in a `ValueDict()`, a dictionary whose keys may
    # be values of a graph. It starts with that of the loss: what is d loss / d loss?
    #
    # `path(wrt)` lists the operations that depend on `wrt`, in the order in which they
    # were traced. Go through them from the last to the first: then all operations that
    # read a value come before the one that made it. `pull_back(op, total)` gives pairs
    # of an operand and a gradient. A value that is read several times gets a gradient
    # from each reading. For y = x + x * x at x = 3 they are 1, 3 and 3, and d y / d x
    # is 7.
    #
    # Return a list with the gradient of each x in `wrt`: zeros if the walk has not
    # reached x. `fill(number, like)` makes a value of the shape and dtype of another.
    raise NotImplementedError("walk back")
    # end


def pull_back(
    op: Operation, total: ValueDict
) -> Iterator[tuple[TensorValue, TensorValue]]:
    """Apply the rule of an operation to the gradients of its results in `total`.

    Yields:
        Pairs of an operand and a gradient. There are none for an operation that the
        loss does not depend on, or an operand that does not depend on `wrt`.
    """
    if not any(y in total for y in op.results):
        return
    if op.name not in RULES:
        raise NotImplementedError(
            f"there is no rule for {op}, which is between wrt and the loss: enter one "
            f'with @rule("{op.name}")'
        )
    g = [total[y] if y in total else fill(0, y) for y in op.results]
    g, y = (g, op.results) if len(g) > 1 else (g[0], op.results[0])
    found = RULES[op.name](op, g, y, *op.operands)
    if found is None or isinstance(found, TensorValue):
        kind = type(found).__name__
        raise TypeError(f"the rule of {op.name} returned a {kind}, must return a list")
    for x, gradient in zip(op.operands, found, strict=False):
        if gradient is not None and op.needs(x):
            yield x, gradient


# These are the lines of a table of derivatives, times g. The rules of other operations,
# such as sums and slices, are in models/rules.py.

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
    """The rule of y = a * b, number by number, and of y = a @ b, matrix by matrix.

    Shapes: a @ b is [..., M, K] @ [..., K, N] -> [..., M, N]; either may be broadcast.
    """
    # hole: products
    # Two operations, one idea: the gradient of a factor is g times the other factor.
    # `op.name` is "rmo.mul" for a * b and "rmo.matmul" for a @ b. Return the gradients
    # of a and of b.
    #
    # Numbers: for 3 * 5 with g = 2 the gradients are 10 and 6. MAX broadcasts: a factor
    # [C] may meet a tensor [B, T, C]. Each of its numbers is then used B T times, and
    # `sum_to(gradient, factor)` adds up what arrives.
    #
    # Matrices: y = a @ b is [M, K] @ [K, N] -> [M, N]. Its entry y_mn is the sum over k
    # of a_mk b_kn, so a_mk gets g_mn b_kn from each n. Which product of g [M, N] with b
    # [K, N], or with b transposed [N, K], has the shape of a, [M, K]? Which one with a
    # has the shape of b? `swap(x)` transposes. A batch may be broadcast here, too.
    raise NotImplementedError("products")
    # end


rule("rmo.matmul")(with_matrices(product))  # vectors as matrices, tokens as rows


def swap(x: TensorValue) -> TensorValue:
    """Each matrix transposed: [..., M, N] -> [..., N, M]."""
    return x.transpose(-1, -2)


@rule("rmo.mo.softmax")
def softmax(
    op: Operation, g: TensorValue, y: TensorValue, x: TensorValue, axis: TensorValue
) -> Gradients:
    """The rule of y_i = exp(x_i) / sum_j exp(x_j) in the last dimension: [..., C]."""
    # hole: softmax
    # Each x_j changes every y_i, because the y sum to 1: d y_i / d x_j is y_i (1 - y_i)
    # for i = j, and -y_i y_j otherwise. The gradient of x_j is the sum over i of g_i
    # times that. With two scores, y = [0.5, 0.5] and g = [1, 0], it is [0.25, -0.25]:
    # raising the second score lowers the first probability.
    #
    # This looks like a product with a C x C matrix for each token. But take y_j out of
    # the sum, and one sum per token is left. Return a list with the gradient of x; the
    # axis, always the last one, has none. `ops.sum(x, -1)` keeps the axis, with size 1:
    # https://docs.modular.com/max/api/python/graph/ops/#max.graph.ops.sum
    raise NotImplementedError("softmax")
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
    """The rule of y = n * gamma + beta, where n = (x - mean) / std over the last
    dimension: x, y and g are [..., C], gamma and beta [C], std [..., 1]."""
    centred = x - ops.mean(x, -1)
    std = ops.sqrt(ops.mean(centred * centred, -1) + epsilon.to(x.device))
    n = centred / std
    # hole: layer norm
    # Return the gradients of x, gamma and beta. Those of gamma and beta are [C]: they
    # have the rules of a product and a sum, and `sum_to` adds up all tokens.
    #
    # x reaches y in three ways: directly, through the mean, and through std. First, the
    # gradient of n is h = g * gamma. With a constant mean and std, that of x would be
    # h / std. But adding one number to all features of a token does not change n, so h
    # has to lose its mean. Nor does scaling x - mean, so h has to lose its part along n
    # as well: n times the mean of what?
    #
    # An example without epsilon: two features are always normalized to [-1, 1] or
    # [1, -1], whatever x is, so the gradient of x is 0. For n = [-1, 1] and h = [3, 5]:
    # what is h minus its mean, and what has to be subtracted from that? All means are
    # over the last axis, [..., C] -> [..., 1]. `ops.mean`:
    # https://docs.modular.com/max/api/python/graph/ops/#max.graph.ops.mean
    raise NotImplementedError("layer norm")
    # end
