"""Step 3, ``layernorm.py``: each vector of features to mean 0 and variance 1.

Oracle: (x - mean) / sqrt(var + eps) * weight + bias over the last axis, with the
biased variance (divided by n). Ba, Kiros and Hinton 2016, arXiv:1607.06450. An eps of
0.1 is loud; the default of 1e-5 is checked with data whose variance is 1e-6.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from checker.compare import same
from checker.probe import Learner, Unusable, array, attribute, fill, tensor, traced
from checker.table import Check, Mistake, Step
from tests.common import name_missing, noise

B, T, C = 2, 5, 12
EPS = 0.1
DEFAULT = 1e-5

Array = np.ndarray
Weights = dict[str, Array]
Axes = int | tuple[int, ...]


def weights(channels: int, prefix: str = "") -> Weights:
    """Loud ones, in the place of ones and zeros."""
    return {
        f"{prefix}weight": 1 + noise(f"{prefix}ln.weight", channels) / 2,
        f"{prefix}bias": noise(f"{prefix}ln.bias", channels),
    }


def mean(x: Array, axis: Axes = -1) -> Array:
    return x.mean(axis, keepdims=True)


def variance(x: Array, axis: Axes = -1) -> Array:
    return x.var(axis, keepdims=True)


def deviation(x: Array, eps: float, axis: Axes = -1) -> Array:
    """What a vector is divided by: sqrt(var + eps)."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(variance(x, axis) + eps)


def affine(y: Array, weight: Array, bias: Array) -> Array:
    return y * weight + bias


def layer_norm(
    x: Array,
    weight: Array,
    bias: Array,
    eps: float = DEFAULT,
    *,
    axis: Axes = -1,
    shift: Callable[..., Array] = mean,
    root: Callable[..., Array] = deviation,
    normalize: Callable[..., Array] | None = None,
    finish: Callable[..., Array] = affine,
) -> Array:
    """The formula above; the keyword arguments make the mistakes."""
    if normalize is None:
        normal = (x - shift(x, axis)) / root(x, eps, axis)
    else:
        normal = normalize(x)
    return finish(normal, weight, bias).astype(np.float32)


W = weights(C)
X = noise("x", B, T, C) * (1 + np.arange(T, dtype=np.float32)[:, None] / T) + 0.7
FAINT = noise("faint", B, T, C) / 1000


def norm(x: Array = X, eps: float = EPS, **flaws: Any) -> Array:
    return layer_norm(x, W["weight"], W["bias"], eps, **flaws)


def normal(x: Array, eps: float = EPS) -> Array:
    """Normalized, before weight and bias."""
    return (x - mean(x)) / deviation(x, eps)


def _square(x: Array, axis: Axes = -1) -> Array:
    return mean(x * x, axis)


def _unbiased(x: Array, axis: Axes = -1) -> Array:
    return x.var(axis, keepdims=True, ddof=1)


def _around(shift: Callable[..., Array]) -> dict[str, Any]:
    """Another mean, in the variance as well."""
    return {
        "shift": shift,
        "root": lambda x, eps, axis: np.sqrt(_square(x - shift(x, axis), axis) + eps),
    }


def _times(y: Array, w: Array, b: Array) -> Array:
    return y * w


def _plain(y: Array, w: Array, b: Array) -> Array:
    return y


NORMALIZING: dict[str, tuple[str, dict[str, Any]]] = {
    "mean-not-subtracted": (
        "the mean is not subtracted",
        {"shift": lambda x, axis: 0.0},
    ),
    "mean-added": ("the mean is added", {"shift": lambda x, axis: -mean(x, axis)}),
    "not-divided": (
        "the vector is shifted to mean 0, but not divided by its deviation",
        {"root": lambda x, eps, axis: 1.0},
    ),
    "no-root": (
        "the vector is divided by the variance: the square root is missing",
        {"root": lambda x, eps, axis: variance(x, axis) + eps},
    ),
    "multiplied": (
        "the vector is multiplied by the deviation instead of divided",
        {"root": lambda x, eps, axis: 1 / deviation(x, eps, axis)},
    ),
    "eps-outside-the-root": (
        "eps is added outside the root: sqrt(var) + eps",
        {"root": lambda x, eps, axis: np.sqrt(variance(x, axis)) + eps},
    ),
    "eps-inside-and-outside": (
        "eps is added twice, inside the root and outside",
        {"root": lambda x, eps, axis: deviation(x, eps, axis) + eps},
    ),
    "eps-ignored": (
        "eps has no effect, or one of 1e-5 or less is written in: use the argument",
        {"root": lambda x, eps, axis: np.sqrt(variance(x, axis))},
    ),
    "eps-added-twice": (
        "eps is added twice, inside the root",
        {"root": lambda x, eps, axis: deviation(x, 2 * eps, axis)},
    ),
    "eps-squared": (
        "the square of eps is added",
        {"root": lambda x, eps, axis: deviation(x, eps**2, axis)},
    ),
    "eps-root": (
        "the root of eps is added to the variance",
        {"root": lambda x, eps, axis: deviation(x, eps**0.5, axis)},
    ),
    "eps-subtracted": (
        "eps is subtracted from the variance",
        {"root": lambda x, eps, axis: deviation(x, -eps, axis)},
    ),
    "eps-multiplied": (
        "the variance is multiplied by eps",
        {"root": lambda x, eps, axis: np.sqrt(variance(x, axis) * eps)},
    ),
    "eps-as-minimum": (
        "eps is a lower bound of the variance; it is added to it",
        {"root": lambda x, eps, axis: np.sqrt(np.maximum(variance(x), 10 * eps))},
    ),
    "eps-at-the-end": (
        "eps is added to the quotient, not to the variance",
        {"normalize": lambda x: (x - mean(x)) / np.sqrt(variance(x)) + EPS},
    ),
    "eps-in-the-numerator": (
        "eps is added to x - mean, not to the variance",
        {"normalize": lambda x: (x - mean(x) + EPS) / np.sqrt(variance(x))},
    ),
    "eps-in-both": (
        "eps is added to x - mean as well as to the variance",
        {"normalize": lambda x: (x - mean(x) + EPS) / deviation(x, EPS)},
    ),
    "eps-after-the-reciprocal": (
        "eps is added to 1 / sqrt(var), not to the variance",
        {"root": lambda x, eps, axis: 1 / (1 / np.sqrt(variance(x, axis)) + eps)},
    ),
    "unbiased": (
        "the variance is divided by n - 1; layer norm divides by n",
        {"root": lambda x, eps, axis: np.sqrt(_unbiased(x, axis) + eps)},
    ),
    "unbiased-eps-outside": (
        "the variance is divided by n - 1, and eps is added outside the root",
        {"root": lambda x, eps, axis: np.sqrt(_unbiased(x, axis)) + eps},
    ),
    "unbiased-eps-ignored": (
        "the variance is divided by n - 1, and eps has no effect",
        {"root": lambda x, eps, axis: np.sqrt(_unbiased(x, axis))},
    ),
    "no-root-eps-ignored": (
        "the vector is divided by the variance, without root and eps",
        {"root": lambda x, eps, axis: variance(x, axis)},
    ),
    "variance-summed": (
        "the squares are summed; the variance is their mean",
        {"root": lambda x, eps, axis: deviation(x * C**0.5, eps, axis)},
    ),
    "length": (
        "the shifted vector is divided by its length",
        {"root": lambda x, eps, axis: C**0.5 * np.sqrt(variance(x, axis))},
    ),
    "mean-summed": (
        "the sum of the features is subtracted; it is their mean",
        {"shift": lambda x, axis: x.sum(axis, keepdims=True)},
    ),
    "root-mean-square": (
        "the mean is neither subtracted nor part of the variance: this is RMS norm",
        {
            "shift": lambda x, axis: 0.0,
            "root": lambda x, eps, axis: np.sqrt(_square(x, axis) + eps),
        },
    ),
    "variance-around-zero": (
        "the variance is taken around 0, not around the mean",
        {"root": lambda x, eps, axis: np.sqrt(_square(x, axis) + eps)},
    ),
    "mean-subtracted-last": (
        "the mean is subtracted after the division: parentheses are missing",
        {"normalize": lambda x: x / deviation(x, EPS) - mean(x)},
    ),
    "mean-divided-only": (
        "only the mean is divided by the deviation: parentheses are missing",
        {"normalize": lambda x: x - mean(x) / deviation(x, EPS)},
    ),
    "absolute-deviation": (
        "the vector is divided by the mean of the absolute deviations",
        {"root": lambda x, eps, axis: mean(np.abs(x - mean(x, axis)), axis) + eps},
    ),
    "range": (
        "the vector is scaled by its smallest and greatest feature",
        {
            "shift": lambda x, axis: x.min(axis, keepdims=True),
            "root": lambda x, eps, axis: np.ptp(x, axis, keepdims=True) + eps,
        },
    ),
    "softmax": (
        "a softmax stands where the normalization belongs",
        {"normalize": lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)},
    ),
    "over-tokens": (
        "mean and variance run over the tokens (axis 1), not over the features",
        {"axis": 1},
    ),
    "over-batch": ("mean and variance run over the batch (axis 0)", {"axis": 0}),
    "over-tokens-and-features": (
        "mean and variance run over the tokens as well as the features",
        {"axis": (1, 2)},
    ),
    "over-batch-and-tokens": (
        "mean and variance run over batch and tokens: this is batch norm",
        {"axis": (0, 1)},
    ),
    "over-everything": (
        "mean and variance run over the whole tensor",
        {"axis": (0, 1, 2)},
    ),
    "mean-over-tokens": (
        "the mean runs over the tokens, the variance over the features",
        {"shift": lambda x, axis: mean(x, 1)},
    ),
    "mean-over-tokens-in-both": (
        "the mean runs over the tokens, in the variance as well",
        _around(lambda x, axis: mean(x, 1)),
    ),
    "mean-over-batch": (
        "the mean runs over the batch, the variance over the features",
        {"shift": lambda x, axis: mean(x, 0)},
    ),
    "mean-over-batch-in-both": (
        "the mean runs over the batch, in the variance as well",
        _around(lambda x, axis: mean(x, 0)),
    ),
    "mean-over-everything-in-both": (
        "the mean runs over the whole tensor, in the variance as well",
        _around(lambda x, axis: x.mean(keepdims=True)),
    ),
    "mean-summed-in-both": (
        "the sum of the features stands for their mean, in the variance as well",
        _around(lambda x, axis: x.sum(axis, keepdims=True)),
    ),
    "variance-over-tokens": (
        "the variance runs over the tokens, the mean over the features",
        {"root": lambda x, eps, axis: deviation(x, eps, 1)},
    ),
    "mean-over-everything": (
        "the mean runs over the whole tensor, the variance over the features",
        {"shift": lambda x, axis: x.mean()},
    ),
    "variance-over-everything": (
        "the variance runs over the whole tensor, the mean over the features",
        {"root": lambda x, eps, axis: np.sqrt(x.var() + eps)},
    ),
    "normalized-before": (
        "the result is normalized a second time",
        {"normalize": lambda x: normal(normal(x))},
    ),
    "residual-inside": (
        "the input is added to the normalized vector",
        {"normalize": lambda x: x + normal(x)},
    ),
    "normalization-dropped": (
        "the normalized vector is computed and dropped: weight and bias are applied "
        "to the input",
        {"normalize": lambda x: x},
    ),
}

FINISHING: dict[str, tuple[str, dict[str, Any]]] = {
    "weight-ignored": (
        "weight is not applied",
        {"finish": lambda y, w, b: y + b},
    ),
    "bias-ignored": ("bias is not added", {"finish": _times}),
    "weight-and-bias-ignored": (
        "neither weight nor bias is applied",
        {"finish": _plain},
    ),
    "weight-and-bias-swapped": (
        "weight and bias are swapped",
        {"finish": lambda y, w, b: y * b + w},
    ),
    "bias-before-weight": (
        "bias is added before weight scales",
        {"finish": lambda y, w, b: (y + b) * w},
    ),
    "weight-added": (
        "weight is added; it is a scale",
        {"finish": lambda y, w, b: y + w + b},
    ),
    "weight-added-bias-ignored": (
        "weight is added, and bias is not",
        {"finish": lambda y, w, b: y + w},
    ),
    "bias-multiplied": (
        "bias is multiplied; it is an offset",
        {"finish": lambda y, w, b: y * w * b},
    ),
    "bias-for-weight": (
        "bias scales, and weight is not applied",
        {"finish": lambda y, w, b: y * b},
    ),
    "weight-twice": (
        "weight is applied twice",
        {"finish": lambda y, w, b: y * w * w + b},
    ),
    "bias-twice": ("bias is added twice", {"finish": lambda y, w, b: y * w + 2 * b}),
    "weight-twice-on-bias": (
        "weight is applied twice, the second time to bias as well",
        {"finish": lambda y, w, b: (y * w + b) * w},
    ),
    "both-twice": (
        "weight and bias are applied twice",
        {"finish": lambda y, w, b: (y * w + b) * w + b},
    ),
    "bias-subtracted": (
        "bias is subtracted",
        {"finish": lambda y, w, b: y * w - b},
    ),
    "weight-divided": (
        "the vector is divided by weight",
        {"finish": lambda y, w, b: y / w + b},
    ),
    "one-plus-weight": (
        "the scale is 1 + weight; weight starts at 1 already",
        {"finish": lambda y, w, b: y * (1 + w) + b},
    ),
}

BOTH: dict[str, tuple[str, Callable[[], Array]]] = {
    "applied-before": (
        "weight and bias are applied to the input, before it is normalized",
        lambda: normal(affine(X, W["weight"], W["bias"])).astype(np.float32),
    ),
    "weight-before": (
        "weight is applied to the input, before it is normalized",
        lambda: (normal(X * W["weight"]) + W["bias"]).astype(np.float32),
    ),
    "rms-without-bias": (
        "this is RMS norm: the mean is not subtracted, and bias is not added",
        lambda: norm(**NORMALIZING["root-mean-square"][1], finish=_times),
    ),
    "parentheses-missing": (
        "the parentheses around x - mean are missing: only the mean is divided and "
        "scaled",
        lambda: X - mean(X) / deviation(X, EPS) * W["weight"] + W["bias"],
    ),
    "normalized-twice": (
        "the whole layer is applied twice",
        lambda: norm(norm()),
    ),
    "residual-outside": ("the input is added to the result", lambda: X + norm()),
    "mean-returned": (
        "the mean is returned, not the normalized vector",
        lambda: mean(X).astype(np.float32),
    ),
    "variance-returned": (
        "the variance is returned, not the normalized vector",
        lambda: variance(X).astype(np.float32),
    ),
    "transposed": (
        "the last two axes of the result are swapped",
        lambda: norm().swapaxes(1, 2),
    ),
}


def _mistake(
    name: str, message: str, gives: Callable[[], object], **more: Any
) -> Mistake:
    return Mistake(name, f"This is what comes out when {message}.", gives=gives, **more)


def effective_eps(got: Any, x: Array) -> float | None:
    """The eps that turns ``x`` into ``got``; None where there is none."""
    if not isinstance(got, np.ndarray) or got.shape != x.shape:
        return None
    with np.errstate(all="ignore"):
        shifted = (x - mean(x)).astype(np.float64)
        ratio = shifted * W["weight"] / (got.astype(np.float64) - W["bias"])
        eps = float(np.median(ratio**2 - variance(x.astype(np.float64))))
        if not eps + variance(x).min() > 0:
            return None
        close = np.isclose(got, norm(x, eps), rtol=1e-4, atol=1e-4).all()
    return eps if close else None


def _far(eps: float | None, from_: float) -> bool:
    return eps is not None and abs(eps / from_ - 1) > 0.02


def two_mistakes(got: Any) -> bool:
    """One of each table at once."""
    flaws = (
        {**one, **other}
        for _, one in NORMALIZING.values()
        for _, other in FINISHING.values()
    )
    return any(same(got, norm(**each), 5e-5) for each in flaws)


# Probes.


def parameters(layernorm: Learner) -> dict[str, Any]:
    """What a new layer starts with."""
    from max.nn.module_v3 import Module

    made = layernorm.LayerNorm(C)
    found = {name: _parameter(made, name) for name in ("weight", "bias")}
    return {**found, "is a Module": isinstance(made, Module)}


def _parameter(made: Any, name: str) -> Array:
    value = attribute(made, name)
    if value is None:
        raise Unusable(f"{name} is None, not a MAX Tensor")
    return array(value, name)


def layer(layernorm: Learner, channels: int = C, **eps: float) -> Any:
    return fill(layernorm.LayerNorm(channels, **eps), weights(channels))


def calls(layernorm: Learner) -> Array:
    return array(layer(layernorm, eps=EPS)(tensor(X)), "LayerNorm(...)(x)")


def calls_by_default(layernorm: Learner) -> Array:
    return array(layer(layernorm)(tensor(FAINT)), "LayerNorm(...)(x)")


def at_shape(*shape: int) -> Callable[[Learner], Array]:
    def probe(layernorm: Learner) -> Array:
        made = layer(layernorm, shape[-1], eps=EPS)
        return array(made(tensor(noise("shaped", *shape))), "LayerNorm(...)(x)")

    return probe


def shaped(*shape: int, **flaws: Any) -> Array:
    w = weights(shape[-1])
    x = noise("shaped", *shape)
    return layer_norm(x, w["weight"], w["bias"], EPS, **flaws)


def neighbours_changed(layernorm: Learner) -> dict[str, Array]:
    made = layer(layernorm, eps=EPS)
    changed = X.copy()
    changed[1, 3] *= 5
    return {"before": array(made(tensor(X))), "after": array(made(tensor(changed)))}


def input_afterwards(layernorm: Learner) -> Array:
    x = tensor(X)
    array(layer(layernorm, eps=EPS)(x))
    return array(x)


def traces(layernorm: Learner) -> Array:
    made = layer(layernorm, eps=EPS)
    return traced(made, made, ("batch", "seqlen", C), X)


def each_by_itself(got: dict[str, Array]) -> str | None:
    moved = np.abs(got["before"] - got["after"]).max(-1)
    moved[1, 3] = 0
    if np.isnan(moved).any() or moved.max() > 1e-5:
        return f"one token was changed, and others moved by {moved.max():.3g}"
    return None


def _starts_as(weight: float, bias: float) -> Callable[[], object]:
    return lambda: {
        "weight": np.full(C, weight, np.float32),
        "bias": np.full(C, bias, np.float32),
    }


def _any(test: Callable[[Array], bool]) -> Callable[[Any], bool]:
    return lambda got: any(test(got[name]) for name in ("weight", "bias"))


SMALL_ONLY = Mistake(
    "sizes-hard-coded",
    "At GPT-2 small's 768 features this is right, at others not: the number is "
    "written in instead of taken from dim.",
    probe=at_shape(2, 3, 768),
    gives=lambda: shaped(2, 3, 768),
)
RETURN = Mistake(
    "nothing-returned",
    "The method ends without a `return`: what it computed is lost.",
    raises=r"is None: is a `return` missing",
)
SLIPS = (
    Mistake(
        "name-not-defined",
        "A name is used that the file does not define: it is misspelt, or its import "
        "is missing.",
        raises=r"^NameError",
    ),
    Mistake(
        "attribute-not-set",
        "An attribute is used that was never set: compare its name with __init__.",
        raises=r"^AttributeError: '\w+' object has no attribute",
    ),
    Mistake(
        "self-missing",
        "A method is given one thing more than it takes: is `self` missing?",
        raises=r"takes \d+ positional arguments? but \d+ (was|were) given",
    ),
)
"""What goes wrong in writing, in any step."""
TRACING = (
    Mistake(
        "sizes-read-as-numbers",
        "In a graph batch and seqlen are names, not numbers: there is no int to make "
        "of them.",
        raises=r"Int conversions only|SymbolicDim",
    ),
    Mistake(
        "leaves-the-graph",
        "In a graph tensors have no values yet: NumPy, item() and float() cannot read "
        "them.",
        raises=r"realize symbolic",
    ),
    Mistake(
        "sizes-fixed",
        "A size of batch or sequence is a number in the graph; it is a name there.",
        raises=r"seqlen|batch",
    ),
)
STARTS = "starts with a weight of ones and a bias of zeros, one for each feature"
CALLS = "normalizes the features of each token, scales by weight and adds bias"

STEP = Step(
    checks=(
        Check(
            STARTS,
            parameters,
            expect=lambda: {**_starts_as(1, 0)(), "is a Module": True},  # type: ignore[dict-item]
            where="LayerNorm.__init__",
            mistakes=(
                name_missing("LayerNorm"),
                Mistake(
                    "weight-and-bias-swapped",
                    "weight starts at 0 and bias at 1; it is the other way round.",
                    gives=_starts_as(0, 1),
                ),
                Mistake(
                    "weight-zeros",
                    "weight starts at 0, and what it scales is 0 as well.",
                    gives=_starts_as(0, 0),
                ),
                Mistake(
                    "bias-ones",
                    "bias starts at 1; an offset that does nothing is 0.",
                    gives=_starts_as(1, 1),
                ),
                Mistake(
                    "dim-hard-coded",
                    "There are 768 features whatever dim is: GPT-2 small's size is "
                    "written in.",
                    recognise=_any(lambda value: 768 in value.shape),
                ),
                Mistake(
                    "wrong-shape",
                    "weight and bias are vectors, [dim]: a number for each feature.",
                    recognise=_any(lambda value: value.shape != (C,)),
                ),
                Mistake(
                    "wrong-dtype",
                    "The parameters are not float32, which the rest of the model is.",
                    recognise=_any(lambda value: value.dtype != np.float32),
                ),
                Mistake(
                    "random-start",
                    "A parameter starts with random numbers; ones and zeros change "
                    "nothing before they are trained.",
                    recognise=_any(lambda value: bool(np.ptp(value) > 0)),
                ),
                Mistake(
                    "another-start",
                    "A parameter starts with another number: a scale that does "
                    "nothing is 1, an offset that does nothing is 0.",
                    recognise=lambda got: bool(
                        (got["weight"] != 1).any() or (got["bias"] != 0).any()
                    ),
                ),
                Mistake(
                    "not-a-module",
                    "LayerNorm does not inherit from Module: MAX does not find its "
                    "parameters.",
                    recognise=lambda got: not got["is a Module"],
                ),
                Mistake(
                    "parameter-missing",
                    "A layer norm has two parameters, weight and bias.",
                    raises=r"has no `(weight|bias)`|(weight|bias) is None",
                ),
                Mistake(
                    "not-a-tensor",
                    "A parameter is a MAX Tensor: Module finds nothing else.",
                    raises=r"(weight|bias) is a \w+ \w+, not a MAX Tensor",
                ),
                Mistake(
                    "half-precision",
                    "The parameters are bfloat16; the rest of the model is float32.",
                    raises=r"bfloat16|Unsupported dtype",
                ),
                Mistake(
                    "dim-as-shape",
                    "MAX takes a shape as a list: a single number is not one.",
                    raises=r"'int' object is not iterable",
                ),
                *SLIPS,
            ),
        ),
        Check(
            CALLS,
            calls,
            expect=norm,
            where="LayerNorm.__call__",
            mistakes=(
                *(
                    _mistake(name, message, lambda flaws=flaws: norm(**flaws))  # type: ignore[misc]
                    for name, (message, flaws) in {**NORMALIZING, **FINISHING}.items()
                ),
                *(
                    _mistake(name, message, gives)
                    for name, (message, gives) in BOTH.items()
                ),
                Mistake(
                    "input-returned",
                    "The input comes back as it went in.",
                    gives=lambda: X,
                ),
                Mistake(
                    "another-eps",
                    "The variance is right, but it is not eps that is added to it.",
                    recognise=lambda got: _far(effective_eps(got, X), EPS),
                ),
                Mistake(
                    "two-mistakes",
                    "Two things are off here: how mean and variance are used, and how "
                    "weight and bias are applied.",
                    recognise=two_mistakes,
                ),
                Mistake(
                    "wrong-dtype",
                    "The result has another dtype than the input.",
                    recognise=lambda got: got.dtype != np.float32,
                ),
                Mistake(
                    "arguments-of-layer-norm",
                    "F.layer_norm takes four arguments, in this order: the input, "
                    "weight, bias and epsilon.",
                    raises=r"layer_norm\(\) (missing|got|takes)|^TypeError: $",
                ),
                RETURN,
                *SLIPS,
                Mistake(
                    "eps-not-taken",
                    "LayerNorm does not take eps: it is a keyword argument.",
                    raises=r"unexpected keyword argument 'eps'",
                ),
                SMALL_ONLY,
            ),
        ),
        Check(
            "adds 0.00001 to the variance when no eps is given",
            calls_by_default,
            expect=lambda: norm(FAINT, DEFAULT),
            needs=(CALLS,),
            where="LayerNorm.__init__",
            mistakes=(
                name_missing("LayerNorm"),
                *(
                    Mistake(
                        f"default-eps-{eps:.0e}",
                        f"The default of eps is {eps:g} here; GPT-2's is 1e-5.",
                        gives=lambda eps=eps: norm(FAINT, eps),  # type: ignore[misc]
                    )
                    for eps in (1e-2, 1e-3, 1e-4, 1e-6, 1e-7, 1e-8)
                ),
                Mistake(
                    "default-eps-tiny",
                    "The default of eps is 0, or as good as (1e-12); GPT-2's is 1e-5.",
                    gives=lambda: norm(FAINT, 0.0),
                ),
                Mistake(
                    "default-eps-large",
                    "The default of eps is 0.1 or more; GPT-2's is 1e-5.",
                    recognise=lambda got: (
                        (effective_eps(got, FAINT) or 0) > 0.05
                        or bool(np.allclose(got, W["bias"], atol=5e-3))
                    ),
                ),
                Mistake(
                    "default-eps",
                    "The default of eps is not 1e-5, which is GPT-2's.",
                    recognise=lambda got: _far(effective_eps(got, FAINT), DEFAULT),
                ),
                Mistake(
                    "no-default",
                    "eps has no default; GPT-2's is 1e-5.",
                    raises=r"missing 1 required .* argument: 'eps'|epsilon must be",
                ),
            ),
        ),
        Check(
            "works for other sizes: 3 rows of 7 tokens with 20 features",
            at_shape(3, 7, 20),
            expect=lambda: shaped(3, 7, 20),
            needs=(CALLS,),
            where="LayerNorm.__call__",
            mistakes=(
                SMALL_ONLY,
                Mistake(
                    "one-size-only",
                    "It is right at one size only: numbers are written in instead of "
                    "taken from dim and the input.",
                    recognise=lambda got: not same(got, shaped(3, 7, 20), 1e-4),
                    raises=r".",
                ),
            ),
        ),
        Check(
            "treats each token by itself",
            neighbours_changed,
            accept=each_by_itself,
            needs=(CALLS,),
            where="LayerNorm.__call__",
        ),
        Check(
            "leaves its input unchanged",
            input_afterwards,
            expect=lambda: X,
            needs=(CALLS,),
            where="LayerNorm.__call__",
        ),
        Check(
            "can be traced with any batch size and number of tokens",
            traces,
            expect=norm,
            needs=(CALLS,),
            where="LayerNorm.__call__",
            mistakes=TRACING,
        ),
    ),
    compiled=Check(
        "compiled and run by MAX: the same answer",
        traces,
        expect=norm,
        tolerance=1e-4,
    ),
)
