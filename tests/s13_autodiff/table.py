"""Step 13, ``autodiff.py``: gradients of a graph, from the loss back.

Oracles: the formula of each rule, and the complex step for whole graphs. Baydin et al.
2018, section 3.2; Ba, Kiros and Hinton 2016 for the layer norm; the formulas of
PyTorch's ``tools/autograd/derivatives.yaml``.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import permutations
from typing import Any

import numpy as np

from checker.table import Check, Flaw, Mistake, Table, flaws, refusals
from tests.s13_autodiff import probes
from tests.s13_autodiff.probes import CASES, EPS
from tests.support.complex_step import NUMPY, derivatives
from tests.support.data import Array, Weights
from tests.support.rows import name_missing

Rule = Callable[..., Array]


def swap(x: Array) -> Array:
    return x.swapaxes(-1, -2)


def below(case: str, name: str = "v") -> Array:
    """The gradient of a result: 1 / v."""
    return 1 / CASES[case].arrays[name]


def floats(found: dict[str, Any]) -> Weights:
    return {name: np.asarray(each, np.float32) for name, each in found.items()}


@cache
def exact(name: str) -> Weights:
    """A case's gradients by the complex step."""
    case = CASES[name]
    return derivatives(lambda at: case.trace(NUMPY, at)["loss"], case.arrays, case.wrt)


# The walk, on a tape: what is computed, how, and from what.

LOCAL: dict[str, Callable[..., list[Array]]] = {
    "exp": lambda g, y, x: [g * np.exp(x)],
    "tanh": lambda g, y, x: [g * (1 - np.tanh(x) ** 2)],
    "add": lambda g, y, a, b: [g, g],
    "sub": lambda g, y, a, b: [g, -g],
}
FORWARD: dict[str, Callable[..., Array]] = {
    "exp": np.exp, "tanh": np.tanh, "add": np.add, "sub": np.subtract,
}  # fmt: skip
Entry = tuple[str, str, tuple[str, ...]]
TAPES: dict[str, tuple[Entry, ...]] = {
    "chain": (("h", "tanh", ("x",)), ("y", "exp", ("h",))),
    "uses": (
        ("exp a", "exp", ("a",)), ("tanh a", "tanh", ("a",)),
        ("two", "add", ("exp a", "tanh a")), ("three", "sub", ("two", "a")),
        ("h", "tanh", ("b",)), ("exp h", "exp", ("h",)),
        ("diamond", "add", ("h", "exp h")),
        ("some", "add", ("three", "diamond")), ("twice", "add", ("c", "c")),
        ("y", "add", ("some", "twice")),
    ),
}  # fmt: skip
"""The graphs of ``probes.py``, but for the division by v and the sum."""
TAPES["between"] = TAPES["chain"]
Add = Callable[[Array, Array], Array]


def tape(name: str) -> tuple[tuple[Entry, ...], Weights]:
    """The entries, and the values of all that is computed."""
    values = {n: x.astype(np.float64) for n, x in CASES[name].arrays.items()}
    for out, function, operands in TAPES[name]:
        values[out] = FORWARD[function](*(values[each] for each in operands))
    return TAPES[name], values


def pulled(entry: Entry, values: Weights, g: Array) -> Iterator[tuple[str, Array]]:
    """Operands of an entry, and their gradients."""
    out, function, operands = entry
    xs = [values[each] for each in operands]
    yield from zip(operands, LOCAL[function](g, values[out], *xs), strict=True)


def walk(
    name: str,
    *,
    add: Add = np.add,
    twice: bool = True,
    pull: Callable[..., Any] = pulled,
    start: float = 1.0,
) -> Weights:
    """From the result back; the keyword arguments make the mistakes."""
    entries, values = tape(name)
    totals: Weights = {"y": start * below(name)}
    for entry in reversed(entries):
        found = list(pull(entry, values, totals[entry[0]]))
        for x, gradient in found if twice else dict(found).items():
            totals[x] = add(totals[x], gradient) if x in totals else gradient
    return floats({x: totals[x] for x in CASES[name].wrt if x in totals})


def hurried(name: str, *, once: bool, last: bool) -> Weights:
    """From each value to what it is made of as soon as a gradient has arrived, with all
    that has arrived: several times, or only once."""
    entries, values = tape(name)
    by_result = {entry[0]: entry for entry in entries}
    totals: Weights = {}

    def arrive(x: str, gradient: Array) -> None:
        known = x in totals
        totals[x] = totals[x] + gradient if known else gradient
        if x in by_result and not (once and known):
            found = list(pulled(by_result[x], values, totals[x]))
            for operand, each in reversed(found) if last else found:
                arrive(operand, each)

    arrive("y", below(name))
    return floats({x: totals[x] for x in CASES[name].wrt})


def local(entry: Entry, values: Weights, g: Array) -> Iterator[tuple[str, Array]]:
    return pulled(entry, values, np.ones_like(g))


def unchanged(entry: Entry, values: Weights, g: Array) -> list[tuple[str, Array]]:
    return [(operand, g) for operand in entry[2]]


CHAINING = (
    ("derivatives-not-multiplied", "the derivatives along a chain are not multiplied: "
     "each operation's rule gets 1, not the gradient of its result", dict(pull=local)),
    ("passed-on-unchanged", "the gradient of a result is passed on to the operands as "
     "it is, without the operation's rule", dict(pull=unchanged)),
)  # fmt: skip
ADDING: tuple[Flaw, ...] = (
    ("overwritten", "the last of a value's gradients replaces the others; they have to "
     "be added up", dict(add=lambda old, new: new)),
    ("first-only", "only the first of a value's gradients is kept; they have to be "
     "added up", dict(add=lambda old, new: old)),
    ("gradients-multiplied", "the gradients of a value are multiplied; they have to be "
     "added up", dict(add=np.multiply)),
    ("gradients-averaged", "the old total and the new gradient are averaged; they have "
     "to be added up", dict(add=lambda old, new: (old + new) / 2)),
    *(("gradients-subtracted", "one gradient of a value is subtracted from another; "
       "they have to be added up", dict(add=add))
      for add in (np.subtract, lambda old, new: new - old)),
    ("total-doubled", "the total is added to itself, and the new gradient is lost",
     dict(add=lambda old, new: old + old)),
    ("twice-in-one-operation", "an operation that has one value twice, such as c + c, "
     "gives it only one gradient", dict(twice=False)),
)  # fmt: skip


def reordered(order: tuple[str, ...]) -> Weights:
    """The gradients of a, b and c, in another order."""
    right = walk("uses")
    return {name: right[other] for name, other in zip(right, order, strict=True)}


ORDERS = tuple(
    ("other-order", "the gradients are in another order than wrt", dict(order=order))
    for order in permutations("abc")
    if order != ("a", "b", "c")
)
HURRYING = tuple(
    (name, message, dict(once=once, last=last))
    for last in (False, True)
    for name, message, once in (
        ("propagated-repeatedly", "a value's gradient is passed on each time that one "
         "arrives, with what was passed on before: it counts several times", False),
        ("propagated-early", "a value's gradient is passed on as soon as the first one "
         "arrives; later ones get no further. First all operations that read it have "
         "to be done", True),
    )
)  # fmt: skip


def between(**factors: float) -> Weights:
    """Gradients of the input, of values on the way and of the loss, each scaled."""
    _, values = tape("between")
    g = below("between")
    found = {
        "x": g * values["y"] * (1 - values["h"] ** 2),
        "h": g * values["y"],
        "y": g,
        "loss": np.ones(1),
    }
    return floats({n: factors.get(n, 1) * each for n, each in found.items()})


KEEPING = (
    ("between-lost", "Values on the way get no gradient, although one has passed "
     "through them: keep it when the walk goes on.", dict(h=0, y=0)),
    *(("stopped-at-wrt", "the walk ends at a value that is in wrt: nothing reaches "
       "what is behind it", behind)
      for behind in (dict(x=0), dict(x=0, h=0), dict(x=0, h=0, y=0))),
)  # fmt: skip


def scaled(got: Weights) -> bool:
    """Whether all is right but for one factor."""
    right = walk("chain")["x"]
    factor = float((got["x"] * right).sum() / (right * right).sum())
    tolerance = 1e-4 * max(1.0, abs(factor))
    off = np.abs(got["x"] - factor * right).max()
    return bool(off < tolerance and abs(factor - 1) > 0.01 and factor != 0)


def of_loss(start: Array | float = 1.0) -> Weights:
    return floats({"loss": np.full((1, 1), start)})


def apart(zeros: Callable[[Array], Array] = np.zeros_like) -> Weights:
    """Zeros for what the loss does not depend on."""
    arrays = CASES["apart"].arrays
    found = {n: zeros(arrays[n]) for n in ("far", "ids", "loose")}
    return {**found, "beside": zeros(arrays["x"]), **walk("chain")}


ZEROS = (
    ("zeros-float32", "all zeros are float32; each has to have its value's own dtype",
     dict(zeros=lambda x: np.zeros(x.shape, np.float32))),
    ("zeros-scalar", "the zeros are single numbers; each has to have its value's own "
     "shape", dict(zeros=lambda x: np.zeros((), x.dtype))),
    ("zeros-scalar-float32", "the zeros are single float32 numbers; each has to have "
     "its value's own shape and dtype", dict(zeros=lambda x: np.zeros((), np.float32))),
    ("zeros-of-the-loss", "the zeros have the shape of the loss; each has to have its "
     "value's own", dict(zeros=lambda x: np.zeros(1, x.dtype))),
    ("zeros-like-the-loss", "the zeros have the shape and the dtype of the loss; each "
     "has to have its value's own", dict(zeros=lambda x: np.zeros(1, np.float32))),
    ("ones-instead", "what the loss does not depend on gets ones; its derivative is 0",
     dict(zeros=np.ones_like)),
)  # fmt: skip

# Products


def multiply(
    da: Rule = lambda g, a, b: g * b, db: Rule = lambda g, a, b: g * a, case: str = ""
) -> Weights:
    arrays = CASES[case or "multiply"].arrays
    a, b, g = arrays["a"], arrays["b"], below(case or "multiply")
    return floats({"a": da(g, a, b), "b": db(g, a, b)})


def both(of_a: Rule, of_b: Rule) -> dict[str, Any]:
    return dict(da=of_a, db=of_b)


MULTIPLYING = (
    ("own-factor", "each factor's gradient is g times that factor itself; it has to be "
     "the other one", both(lambda g, a, b: g * a, lambda g, a, b: g * b)),
    ("both-times-b", "both gradients are g b; that of b is g a",
     dict(db=lambda g, a, b: g * b)),
    ("both-times-a", "both gradients are g a; that of a is g b",
     dict(da=lambda g, a, b: g * a)),
    ("g-forgotten", "the other factor alone is returned, without g",
     both(lambda g, a, b: b, lambda g, a, b: a)),
    ("like-a-sum", "both gradients are g: that is the rule of a sum",
     both(lambda g, a, b: g, lambda g, a, b: g)),
    ("added-to-g", "the other factor is added to g, not multiplied",
     both(lambda g, a, b: g + b, lambda g, a, b: g + a)),
    ("times-the-product", "both gradients are g times the product",
     both(lambda g, a, b: g * a * b, lambda g, a, b: g * a * b)),
    ("like-a-quotient", "the second gradient is that of a quotient, with a minus sign",
     dict(db=lambda g, a, b: -g * a)),
    ("divided", "g is divided by the other factor",
     both(lambda g, a, b: g / b, lambda g, a, b: g / a)),
    ("first-factor-only", "the second factor has no gradient: it is not passed on",
     dict(db=lambda g, a, b: 0 * b)),
    ("second-factor-only", "the first factor has no gradient: it is not passed on",
     dict(da=lambda g, a, b: 0 * a)),
)  # fmt: skip
AS_MATRICES = (
    ("matrices-for-numbers", "a * b is treated like a @ b: its gradients are products "
     "of matrices", both(lambda g, a, b: g @ swap(b), lambda g, a, b: swap(a) @ g)),
)  # fmt: skip


def summed(full: Array, like: Array) -> Array:
    """Over the dimensions along which ``like`` was broadcast."""
    extra = full.ndim - like.ndim
    axes = [i for i, n in enumerate(like.shape, extra) if n == 1 != full.shape[i]]
    return full.sum((*range(extra), *axes)).reshape(like.shape)


def spread(reduce: Callable[[Array, Array], Array] = summed) -> Weights:
    """The gradients of broadcast factors, each before the sum and then reduced."""
    at = {n: each.astype(np.float64) for n, each in CASES["spread"].arrays.items()}
    g, outer = below("spread"), below("spread", "u")
    row, column, number, x = (at[n] for n in ("row", "column", "number", "x"))
    full = {
        "row": g * number * column * x,
        "column": g * number * x * row,
        "number": g * x * row * column,
        "high": outer * at["wide"],
        "wide": outer * at["high"],
    }
    found = {name: reduce(each, at[name]) for name, each in full.items()}
    return floats({"x": g * number * column * row, **found})


def averaged(full: Array, like: Array) -> Array:
    return summed(full, like) * like.size / full.size


def kept(full: Array, like: Array) -> Array:
    """With dimensions of size 1 where it was summed."""
    done = summed(full, like)
    return done.reshape((1,) * (full.ndim - like.ndim) + like.shape)


def leading(full: Array, like: Array) -> Array:
    """Over the dimensions that ``like`` lacks, and not over those of size 1."""
    return np.asarray(full.sum(tuple(range(full.ndim - like.ndim))))


SPREADING = (
    ("not-summed", "the gradient of a factor that was broadcast is not summed: it has "
     "the shape of the product", dict(reduce=lambda full, like: full)),
    ("averaged-not-summed", "the gradient of a factor that was broadcast is averaged, "
     "not summed", dict(reduce=averaged)),
    ("size-one-left", "the gradient is summed over the missing dimensions and keeps "
     "them, with size 1", dict(reduce=kept)),
    ("size-one-not-summed", "the gradient is summed over the dimensions that a factor "
     "lacks, and not over those where its size is 1", dict(reduce=leading)),
)  # fmt: skip


def matmul(
    da: Rule = lambda g, a, b: g @ swap(b),
    db: Rule = lambda g, a, b: swap(a) @ g,
    case: str = "matmul",
    reduce: Callable[[Array, Array], Array] = summed,
) -> Weights:
    """The gradients of all factors of a case, in its order."""
    at, found = CASES[case].arrays, {}
    for name, other in probes.PAIRS.items():
        if name in at:
            a, b, g = at[name], at[other], below(case, f"{name} @ {other}")
            found[name] = reduce(da(g, a, b), a)
            found[other] = reduce(db(g, a, b), b)
    return floats(found)


SUMMING = (
    ("not-summed-over-batch", "the gradient of a matrix that multiplies a whole batch "
     "is not summed over the batch", dict(reduce=lambda full, like: full)),
    ("averaged-over-batch", "the gradient of a matrix that multiplies a whole batch is "
     "averaged over the batch, not summed", dict(reduce=averaged)),
)  # fmt: skip
LOSING = (
    ("first-matrix-only", "the second matrix has no gradient: it is not passed on",
     dict(db=lambda g, a, b: 0 * b)),
    ("second-matrix-only", "the first matrix has no gradient: it is not passed on",
     dict(da=lambda g, a, b: 0 * a)),
)  # fmt: skip
SQUARE = (
    ("transposes-missing", "nothing is transposed: g B and A g, not g B^T and A^T g",
     both(lambda g, a, b: g @ b, lambda g, a, b: a @ g)),
    ("transposes-exchanged", "the factors are in the wrong order: B^T g and g A^T, not "
     "g B^T and A^T g", both(lambda g, a, b: swap(b) @ g, lambda g, a, b: g @ swap(a))),
    ("order-and-transposes", "the factors are in the wrong order, and nothing is "
     "transposed: B g and g A, not g B^T and A^T g",
     both(lambda g, a, b: b @ g, lambda g, a, b: g @ a)),
    ("g-transposed", "g is transposed, not the other factor: g^T B and A g^T, not "
     "g B^T and A^T g", both(lambda g, a, b: swap(g) @ b, lambda g, a, b: a @ swap(g))),
    ("b-not-transposed", "the gradient of A is g B; it has to be g B^T",
     dict(da=lambda g, a, b: g @ b)),
    ("a-not-transposed", "the gradient of B is A g; it has to be A^T g",
     dict(db=lambda g, a, b: a @ g)),
    ("b-on-the-left", "the gradient of A is B^T g; it has to be g B^T",
     dict(da=lambda g, a, b: swap(b) @ g)),
    ("a-on-the-right", "the gradient of B is g A^T; it has to be A^T g",
     dict(db=lambda g, a, b: g @ swap(a))),
    ("own-matrix", "each matrix's gradient is made of that matrix itself: g A^T and "
     "B^T g; it has to be the other one",
     both(lambda g, a, b: g @ swap(a), lambda g, a, b: swap(b) @ g)),
    ("gradients-exchanged", "the two gradients are exchanged: that of B comes first",
     both(lambda g, a, b: swap(a) @ g, lambda g, a, b: g @ swap(b))),
    ("result-transposed", "both gradients are transposed",
     both(lambda g, a, b: b @ swap(g), lambda g, a, b: swap(g) @ a)),
    ("matrix-g-forgotten", "g is missing: B^T and A^T alone",
     both(lambda g, a, b: swap(b), lambda g, a, b: swap(a))),
    ("numbers-for-matrices", "a @ b is treated like a * b: its gradients are g B and "
     "g A, number by number", both(lambda g, a, b: g * b, lambda g, a, b: g * a)),
)  # fmt: skip

# Softmax and layer norm


def last(x: Array) -> Array:
    return x.sum(-1, keepdims=True)


def average(x: Array) -> Array:
    return x.mean(-1, keepdims=True)


def softmax(dx: Rule = lambda g, y, x: y * (g - last(g * y))) -> Weights:
    x = CASES["softmax"].arrays["x"].astype(np.float64)
    return floats({"x": dx(below("softmax"), NUMPY.softmax(x), x)})


def formula(dx: Rule) -> dict[str, Any]:
    return dict(dx=dx)


SOFTMAX = (
    ("second-term-missing", "the second term is missing: g y alone. A larger x_i also "
     "makes the other y smaller", formula(lambda g, y, x: g * y)),
    ("first-term-missing", "the first term is missing: -y sum(g y) alone",
     formula(lambda g, y, x: -y * last(g * y))),
    ("diagonal-only", "only the diagonal of the Jacobian is used, g y (1 - y): that is "
     "a sigmoid's rule", formula(lambda g, y, x: g * y * (1 - y))),
    ("y-forgotten", "the factor y in front is missing: g - sum(g y)",
     formula(lambda g, y, x: g - last(g * y))),
    ("sum-not-weighted", "the sum is that of g; each g has to be weighted by its y",
     formula(lambda g, y, x: y * (g - last(g)))),
    ("sum-without-y", "sum(g y) is subtracted without its factor y: g y - sum(g y)",
     formula(lambda g, y, x: g * y - last(g * y))),
    ("mean-for-sum", "the mean of g y is subtracted, not the sum",
     formula(lambda g, y, x: y * (g - average(g * y)))),
    ("mean-of-g", "the mean of g is subtracted; it has to be the sum of g y",
     formula(lambda g, y, x: y * (g - average(g)))),
    ("terms-added", "the second term is added; it has to be subtracted",
     formula(lambda g, y, x: y * (g + last(g * y)))),
    ("g-twice", "the second term has g twice: y g - y g sum(g y)",
     formula(lambda g, y, x: y * (g - g * last(g * y)))),
    ("g-in-front", "g is the common factor: g (y - sum(g y))",
     formula(lambda g, y, x: g * (y - last(g * y)))),
    ("y-squared", "y is in both places of the first term: y (g y - sum(g y))",
     formula(lambda g, y, x: y * (g * y - last(g * y)))),
    ("log-softmax", "the rule is that of log softmax: g - y sum(g)",
     formula(lambda g, y, x: g - y * last(g))),
    ("from-x", "x is used where y belongs",
     formula(lambda g, y, x: x * (g - last(g * x)))),
    ("sum-over-tokens", "the sum runs over the tokens, not over the last dimension",
     formula(lambda g, y, x: y * (g - (g * y).sum(1, keepdims=True)))),
    ("sum-over-batch", "the sum runs over the batch, not over the last dimension",
     formula(lambda g, y, x: y * (g - (g * y).sum(0, keepdims=True)))),
    ("sum-over-everything", "the sum runs over all numbers, not the last dimension",
     formula(lambda g, y, x: y * (g - (g * y).sum()))),
    ("sum-of-y", "g is missing in the sum: g y - y sum(y)",
     formula(lambda g, y, x: g * y - y * last(y))),
    ("sign-reversed", "the sign is reversed: y sum(g y) - g y",
     formula(lambda g, y, x: y * last(g * y) - g * y)),
    ("like-exp", "the rule is that of exp(x), without the sum that divides it",
     formula(lambda g, y, x: g * np.exp(x))),
    ("softmax-passed-on", "g is passed on as it is", formula(lambda g, y, x: g)),
)  # fmt: skip


def normalized(eps: float = EPS) -> tuple[Array, ...]:
    """g, x, gamma, the normalized vectors and what they were divided by."""
    at = {n: each.astype(np.float64) for n, each in CASES["layer norm"].arrays.items()}
    x = at["x"]
    std = np.sqrt(x.var(-1, keepdims=True) + eps)
    return below("layer norm"), x, at["gamma"], (x - average(x)) / std, std


def norm_dx(
    mean: Rule = lambda gn, n: average(gn),
    deviation: Rule = lambda gn, n: n * average(gn * n),
    scale: Rule = lambda g, gamma: g * gamma,
    divide: Rule = lambda dx, std: dx / std,
    eps: float = EPS,
) -> Weights:
    """The gradient of x: (gn - mean(gn) - n mean(gn n)) / std, with gn = g gamma."""
    g, _, gamma, n, std = normalized(eps)
    gn = scale(g, gamma)
    return floats({"x": divide(gn - mean(gn, n) - deviation(gn, n), std)})


def nothing(*_: Array) -> float:
    return 0.0


def centred() -> Array:
    _, x, *_ = normalized()
    return x - average(x)


NOT_NORMALIZED: tuple[Rule, ...] = (
    lambda gn, n: centred() * average(gn * centred()),
    lambda gn, n: n * average(gn * centred()),
)
NORM_X: tuple[Flaw, ...] = (
    ("mean-constant", "the mean is taken for a constant: the term mean(gn) is missing",
     dict(mean=nothing)),
    ("deviation-constant", "the standard deviation is taken for a constant: the term "
     "n mean(gn n) is missing", dict(deviation=nothing)),
    ("mean-and-deviation-constant", "mean and standard deviation are taken for "
     "constants: g gamma / std alone", dict(mean=nothing, deviation=nothing)),
    ("gamma-forgotten", "gamma is forgotten: g is used where g gamma belongs",
     dict(scale=lambda g, gamma: g)),
    ("gamma-divided", "g is divided by gamma", dict(scale=lambda g, gamma: g / gamma)),
    ("gamma-added", "gamma is added to g", dict(scale=lambda g, gamma: g + gamma)),
    ("not-divided-by-std", "the division by the standard deviation is missing",
     dict(divide=lambda dx, std: dx)),
    ("times-std", "it is multiplied by the standard deviation; it has to be divided",
     dict(divide=lambda dx, std: dx * std)),
    ("divided-by-variance", "it is divided by the variance, not by its root",
     dict(divide=lambda dx, std: dx / std**2)),
    ("sums-for-means", "both means are sums",
     dict(mean=lambda gn, n: last(gn), deviation=lambda gn, n: n * last(gn * n))),
    ("sum-for-first-mean", "the first mean is a sum",
     dict(mean=lambda gn, n: last(gn))),
    ("sum-for-second-mean", "the second mean is a sum",
     dict(deviation=lambda gn, n: n * last(gn * n))),
    ("n-forgotten", "the factor n of the last term is missing: mean(gn n) alone",
     dict(deviation=lambda gn, n: average(gn * n))),
    ("n-not-in-the-mean", "n is missing inside the last mean: n mean(gn)",
     dict(deviation=lambda gn, n: n * average(gn))),
    ("last-term-added", "the last term is added; it has to be subtracted",
     dict(deviation=lambda gn, n: -n * average(gn * n))),
    ("first-mean-added", "mean(gn) is added; it has to be subtracted",
     dict(mean=lambda gn, n: -average(gn))),
    ("last-term-halved", "the last term is halved",
     dict(deviation=lambda gn, n: n * average(gn * n) / 2)),
    ("g-in-the-last-term", "the last term has gn where n belongs: gn mean(gn n)",
     dict(deviation=lambda gn, n: gn * average(gn * n))),
    ("over-tokens", "the means are taken over the tokens",
     dict(mean=lambda gn, n: gn.mean(1, keepdims=True),
          deviation=lambda gn, n: n * (gn * n).mean(1, keepdims=True))),
    ("means-over-everything", "the means are taken over all numbers",
     dict(mean=lambda gn, n: gn.mean(), deviation=lambda gn, n: n * (gn * n).mean())),
    ("only-last-term-divided", "only the last term is divided by the standard "
     "deviation: parentheses are missing",
     dict(deviation=lambda gn, n: n * average(gn * n) / normalized()[-1],
          divide=lambda dx, std: dx)),
    ("eps-forgotten", "epsilon is missing under the root", dict(eps=0.0)),
    ("eps-twice", "epsilon is added to the standard deviation as well",
     dict(divide=lambda dx, std: dx / (std + EPS))),
    ("gamma-not-in-first-mean", "gamma is missing in the first mean",
     dict(mean=lambda gn, n: average(below("layer norm")))),
    ("gamma-not-in-last-mean", "gamma is missing in the last mean",
     dict(deviation=lambda gn, n: n * average(below("layer norm") * n))),
    *(("not-normalized", "x - mean is used where n belongs; it is not divided by the "
       "standard deviation", dict(deviation=each)) for each in NOT_NORMALIZED),
    ("x-in-last-mean", "the last mean is that of gn x, and n is the one to use",
     dict(deviation=lambda gn, n: n * average(gn * normalized()[1]))),
    ("terms-negated", "the sign of the whole is reversed",
     dict(divide=lambda dx, std: -dx / std)),
    ("layer-norm-passed-on", "g is passed on to x as it is",
     dict(mean=nothing, deviation=nothing, scale=lambda g, gamma: g,
          divide=lambda dx, std: dx)),
)  # fmt: skip
ROWS = (0, 1)


def norm_parameters(
    dgamma: Rule = lambda g, x, n, gamma: (g * n).sum(ROWS),
    dbeta: Rule = lambda g, x, n, gamma: g.sum(ROWS),
    eps: float = EPS,
) -> Weights:
    """The gradients of gamma and beta: the sums of g n and of g."""
    g, x, gamma, n, _ = normalized(eps)
    return floats({"gamma": dgamma(g, x, n, gamma), "beta": dbeta(g, x, n, gamma)})


def lost(g: Array, x: Array, n: Array, gamma: Array) -> Array:
    return 0 * gamma


NORM_PARAMETERS = (
    ("n-not-in-gamma", "gamma gets the sum of g; it has to be that of g n",
     dict(dgamma=lambda g, x, n, gamma: g.sum(ROWS))),
    ("gamma-from-x", "gamma gets the sum of g x; x is not normalized",
     dict(dgamma=lambda g, x, n, gamma: (g * x).sum(ROWS))),
    ("gamma-from-centred", "gamma gets the sum of g (x - mean), which is not divided "
     "by the standard deviation",
     dict(dgamma=lambda g, x, n, gamma: (g * (x - average(x))).sum(ROWS))),
    ("gamma-twice", "gamma gets the sum of g gamma n: gamma is no part of its own "
     "gradient", dict(dgamma=lambda g, x, n, gamma: (g * gamma * n).sum(ROWS))),
    ("gamma-from-y", "gamma gets the sum of g y; it has to be that of g n",
     dict(dgamma=lambda g, x, n, gamma: (
         g * (n * gamma + CASES["layer norm"].arrays["beta"])).sum(ROWS))),
    ("gamma-from-gn-alone", "gamma gets the sum of g gamma; it has to be that of g n",
     dict(dgamma=lambda g, x, n, gamma: (g * gamma).sum(ROWS))),
    ("beta-times-gamma", "beta gets the sum of g gamma; it has to be that of g",
     dict(dbeta=lambda g, x, n, gamma: (g * gamma).sum(ROWS))),
    ("parameters-times-gamma", "gamma and beta get the sums of g gamma n and g gamma: "
     "gamma is no part of them", dict(
         dgamma=lambda g, x, n, gamma: (g * gamma * n).sum(ROWS),
         dbeta=lambda g, x, n, gamma: (g * gamma).sum(ROWS))),
    ("beta-times-n", "beta gets the sum of g n; that is gamma's",
     dict(dbeta=lambda g, x, n, gamma: (g * n).sum(ROWS))),
    ("all-exchanged", "the gradients are in another order than x, gamma, beta",
     dict(dgamma=lambda g, x, n, gamma: g.sum(ROWS), dbeta=lambda g, x, n, gamma:
          norm_dx()["x"])),
    ("parameters-exchanged", "the gradients of gamma and beta are exchanged",
     dict(dgamma=lambda g, x, n, gamma: g.sum(ROWS),
          dbeta=lambda g, x, n, gamma: (g * n).sum(ROWS))),
    ("parameters-not-summed", "the gradients of gamma and beta are not summed over the "
     "tokens", dict(dgamma=lambda g, x, n, gamma: g * n,
                    dbeta=lambda g, x, n, gamma: g)),
    ("gamma-not-summed", "the gradient of gamma is not summed over the tokens",
     dict(dgamma=lambda g, x, n, gamma: g * n)),
    ("beta-not-summed", "the gradient of beta is not summed over the tokens",
     dict(dbeta=lambda g, x, n, gamma: g)),
    ("parameters-averaged", "the gradients of gamma and beta are averaged over the "
     "tokens, not summed", dict(dgamma=lambda g, x, n, gamma: (g * n).mean(ROWS),
                                dbeta=lambda g, x, n, gamma: g.mean(ROWS))),
    ("eps-forgotten", "epsilon is missing under the root", dict(eps=0.0)),
    ("gamma-lost", "gamma has no gradient", dict(dgamma=lost)),
    ("beta-lost", "beta has no gradient", dict(dbeta=lost)),
    ("parameters-lost", "gamma and beta have no gradients",
     dict(dgamma=lost, dbeta=lost)),
)  # fmt: skip

# GPT-2, and what cannot be differentiated


def scaled_in(case: str, **factors: float) -> Weights:
    """The gradients of a case, some of them scaled."""
    found = exact(case).items()
    return {n: np.float32(factors.get(n, 1)) * each for n, each in found}


@cache
def untied() -> Weights:
    """As if the head were another tensor than wte: its gradient of the lookup alone."""
    case = CASES["gpt2"]

    def loss(at: Weights) -> Any:
        apart = {**at, "head": case.arrays["wte.weight"]}
        return case.trace(NUMPY, apart)["loss"]

    return {**exact("gpt2"), **derivatives(loss, case.arrays, ("wte.weight",))}


def without(*lost: str) -> Callable[[dict[str, str]], bool]:
    """Whether there is a KeyError for these values, and for no others."""

    def proves(got: dict[str, str]) -> bool:
        errors = {name for name, kind in got.items() if kind == "KeyError"}
        others = {kind for name, kind in got.items() if name not in errors}
        return errors == set(lost) and others == {probes.NOTHING}

    return proves


@cache
def overwritten() -> Weights:
    """As if the last of the readings of a row or a column were the only one."""
    at = CASES["lookups"].arrays
    rows, columns = np.zeros_like(at["rows"]), np.zeros_like(at["columns"])
    for place in np.ndindex(at["read"].shape):
        rows[at["read"][place]] = below("lookups", "below rows")[place]
        column = below("lookups", "below columns")[:, *place]
        columns[:, at["read"][place]] = column
    return {**exact("lookups"), "rows": rows, "columns": columns}


UNUSABLE = refusals(
    ("nothing-returned", "gradients gives None. Does it end without a `return`?",
     r"^gradients\(\.\.\.\) is None"),
    ("not-a-list", "gradients returns a list: one value of the graph for each of wrt.",
     r"^gradients\(\.\.\.\) is a \w+, not a list"),
    ("wrong-length", "gradients returns one value for each of wrt, in their order, "
     "also where the loss does not depend on it.",
     r"^gradients\(\.\.\.\) has the length "),
    ("none-for-zeros", "None is in the list where zeros belong.",
     r"^gradients\(\.\.\.\)\[\d+\] is None"),
    ("number-for-a-value", "A plain number is in the list; a value of the graph "
     "belongs there.", r"^gradients\(\.\.\.\)\[\d+\] is a (int|float)"),
)  # fmt: skip

[NAMES] = name_missing("gradients", "RULES", "rule")
ONE, TWO = "course.one", "course.two"
CHAINS = "follows a chain of operations from the loss back"
ADDS = "adds up the gradients of a value that is used several times"
OWN = "is 1 for the loss itself, in its shape"
ON_THE_WAY = "gives the gradients of values on the way too"
NONE = "gives zeros for what the loss does not depend on, of its own shape and dtype"
MULTIPLIES = "multiplies: the gradient of each factor is g times the other one"
BROADCASTS = "sums the gradient of a factor that was broadcast"
MATMULS = "multiplies matrices, also many at once and a layer's with a batch"
SOFTMAXES = "goes back through a softmax"
NORMS = "goes back through a layer norm to its input"
NORM_WEIGHTS = "goes back through a layer norm to gamma and beta"


def row(name: str, probe: str, **more: Any) -> Check:
    return Check(name, probe, **{"where": "gradients", "needs": (CHAINS,), **more})


def of(
    case: str, name: str, expect: Any, *mistakes: Mistake, tolerance: float = 5e-5,
    **more: Any,
) -> Check:  # fmt: skip
    """The row about the gradients of a case."""
    missing = Mistake("rule-missing", "An operation has no rule: `RULES` does not have "
                      "its name.", probe="lacks_a_rule", given=(case,),
                      proves=lambda got: got is True)  # fmt: skip
    return row(name, "gradients", given=(case,), expect=expect, tolerance=tolerance,
               mistakes=(*mistakes, *UNUSABLE, missing), **more)  # fmt: skip


def squares(oracle: Callable[..., Weights], case: str, *table: Flaw) -> tuple[Any, ...]:
    """The mistakes that matrices of other sizes than 4 x 4 turn into exceptions."""
    return flaws(partial(oracle, case=case), *table, probe="gradients", given=(case,))


TABLE = Table(
    checks=(
        of("chain", CHAINS, partial(walk, "chain"),
           NAMES,
           *flaws(partial(walk, "chain"), *CHAINING),
           Mistake("nothing-arrives", "No gradient reaches the input: all of it is 0. "
                   "Does the walk go from the loss back?",
                   gives=lambda: floats({"x": 0 * probes.X})),
           Mistake("another-start", "Every gradient is too large or too small by one "
                   "factor. The walk starts from 1, the derivative of the loss by "
                   "itself.", proves=scaled),
           needs=()),
        of("uses", ADDS, partial(walk, "uses"),
           *flaws(partial(walk, "uses"), *ADDING),
           *flaws(partial(hurried, "uses"), *HURRYING),
           *flaws(reordered, *ORDERS)),
        of("again", "answers a second call like the first: nothing is kept",
           partial(walk, "chain"),
           Mistake("kept-between-calls", "The second call gives a multiple of the "
                   "first: totals are kept from one call to the next.", proves=scaled)),
        of("seed", OWN, of_loss,
           Mistake("loss-zero", "The derivative of the loss by itself comes out as 0; "
                   "it is 1.", gives=lambda: of_loss(0.0)),
           Mistake("loss-shape", "The loss's own gradient has another shape than the "
                   "loss.", proves=lambda got: got["loss"].shape != (1, 1)
                   and bool((got["loss"] == 1).all()))),
        of("between", ON_THE_WAY, between,
           *flaws(between, *KEEPING),
           *(Mistake("between-lost", KEEPING[0][1], probe="errors_beside_x",
                     given=("between",), proves=without(*lost))
             for lost in (("h", "y"), ("h", "y", "loss"))),
           needs=(OWN,)),
        of("apart", NONE, apart,
           *flaws(apart, *ZEROS),
           Mistake("rule-not-needed", "An operation without a rule is refused, "
                   "although it does not lead to the loss.",
                   refused=r"^NotImplementedError: .*floor"),
           Mistake("zeros-missing", "There is a KeyError for each value that the loss "
                   "does not depend on: the walk has not reached it, and its gradient "
                   "is zeros.", probe="errors_beside_x", given=("apart",),
                   proves=without("far", "ids", "beside", "loose"))),
        of("multiply", MULTIPLIES, multiply,
           *flaws(multiply, *MULTIPLYING),
           *squares(multiply, "multiply squares", *AS_MATRICES),
           where="product"),
        of("spread", BROADCASTS, spread, *flaws(spread, *SPREADING),
           where="product", needs=(MULTIPLIES,)),
        of("matmul", MATMULS, matmul,
           *flaws(matmul, *SUMMING, *LOSING),
           *squares(matmul, "matmul squares", *SQUARE),
           where="product"),
        of("softmax", SOFTMAXES, softmax, *flaws(softmax, *SOFTMAX), where="softmax"),
        of("layer norm", NORMS, norm_dx, *flaws(norm_dx, *NORM_X), where="layer_norm"),
        of("layer norm", NORM_WEIGHTS, norm_parameters,
           *flaws(norm_parameters, *NORM_PARAMETERS), where="layer_norm"),
        of("numbers", "has a rule for what is done to each number",
           partial(exact, "numbers"),
           Mistake("exponent-constant", "The exponent of a power has no gradient.",
                   gives=lambda: scaled_in("numbers", **{"2 ** a": 0}))),
        of("axes", "has rules along an axis: sum, mean, maximum, log softmax",
           partial(exact, "axes"),
           Mistake("mean-like-a-sum", "This is what comes out when the gradient of a "
                   "mean is not divided by the number of its terms.",
                   gives=lambda: scaled_in("axes", mean=5))),
        of("moves", "has rules for numbers that move: reshape, split, slices",
           partial(exact, "moves")),
        of("lookups", "has rules for lookups: a row that is read twice gets both "
           "gradients", partial(exact, "lookups"),
           Mistake("lookup-overwritten", "This is what comes out when the last reading "
                   "of a row replaces the others; they have to add up.",
                   gives=overwritten)),
        of("gpt2", "differentiates a whole GPT-2 with any batch size and number of "
           "tokens", partial(exact, "gpt2"),
           Mistake("tied-weight-once", "This is what comes out when the head's part of "
                   "the gradient of wte is lost: it is read twice.", gives=untied),
           needs=(ADDS, BROADCASTS, MATMULS, SOFTMAXES, NORMS, NORM_WEIGHTS)),
        row("refuses a loss of several elements with a ValueError",
            "of_several_elements", expect=lambda: "ValueError",
            mistakes=(
                Mistake("several-elements-accepted", "Gradients are returned for a "
                        "loss of several elements; there is none of all at once.",
                        gives=lambda: probes.NOTHING),
            )),
        row("names an operation without a rule in a NotImplementedError",
            "without_a_rule",
            expect=lambda: {"raised": "NotImplementedError", "named": True},
            mistakes=(
                NAMES,
                Mistake("unknown-passed-over", "An operation without a rule is passed "
                        "over, and nothing is said.",
                        gives=lambda: {"raised": probes.NOTHING, "named": False}),
                Mistake("unknown-not-named", "The NotImplementedError does not name "
                        "the operation.",
                        gives=lambda: {"raised": "NotImplementedError",
                                       "named": False}),
                Mistake("unknown-key-error", "An operation without a rule ends in a "
                        "KeyError; it has to be a NotImplementedError that names it.",
                        gives=lambda: {"raised": "KeyError", "named": True}),
            )),
        row("rule enters a rule into RULES, under each of its names", "enters",
            expect=lambda: {ONE: True, TWO: True}, where="rule",
            mistakes=(
                NAMES,
                Mistake("rule-under-one-name", "rule takes several names and enters "
                        "the rule under one of them only.",
                        proves=lambda got: sorted(got.values()) == [False, True]),
                Mistake("rule-not-entered", "rule returns a decorator that does not "
                        "put the function into RULES.",
                        gives=lambda: {ONE: False, TWO: False}),
            )),
    ),
    compiled=of("small", "compiled and run by MAX: the same gradients",
                partial(exact, "small"), tolerance=1e-4),
)  # fmt: skip
