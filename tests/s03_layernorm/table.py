"""Step 3, ``layernorm.py``: each vector of features to mean 0 and variance 1.

Oracle: (x - mean) / sqrt(var + eps) * weight + bias over the last axis, with the biased
variance (divided by n). Ba, Kiros and Hinton 2016, arXiv:1607.06450.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from checker.table import Check, Mistake, Table, flaws, refusals
from checker.verdict.compare import same
from tests.s03_layernorm.probes import EPS, FAINT, C, layer, uneven, weights
from tests.support.data import Array
from tests.support.rows import Rows, moved, two_at_once

DEFAULT = 1e-5
Axes = int | tuple[int, ...]


def mean(x: Array, axis: Axes = -1) -> Array:
    return x.mean(axis, keepdims=True)


def var(x: Array, axis: Axes = -1, ddof: int = 0) -> Array:
    return x.var(axis, keepdims=True, ddof=ddof)


def std(x: Array, eps: float = 0.0, axis: Axes = -1, ddof: int = 0) -> Array:
    """What a vector is divided by: sqrt(var + eps)."""
    return np.sqrt(var(x, axis, ddof) + eps)


def layer_norm(
    x: Array,
    weight: Array,
    bias: Array,
    eps: float = DEFAULT,
    *,
    shift: Callable[..., Array] = mean,
    root: Callable[..., Array] = std,
    normalize: Callable[..., Array] | None = None,
    finish: Callable[..., Array] = lambda y, w, b: y * w + b,
) -> Array:
    """The formula above; the keyword arguments make the mistakes."""
    normal = normalize(x) if normalize else (x - shift(x)) / root(x, eps)
    return finish(normal, weight, bias).astype(np.float32)


X, W = uneven(layer.sizes), weights(layer.sizes)
G, B = W["weight"], W["bias"]


def answer(**flaw: Any) -> Array:
    """The layer's answer to the check's input, with a flaw."""
    return layer_norm(X, G, B, EPS, **flaw)


def normal(x: Array) -> Array:
    """Normalized, before weight and bias."""
    return (x - mean(x)) / std(x, EPS)


def around(shift: Callable[[Array], Any]) -> dict[str, Any]:
    """Another mean, in the variance as well."""
    return dict(shift=shift, root=lambda x, e: np.sqrt(mean((x - shift(x)) ** 2) + e))


def over(axis: Axes) -> dict[str, Any]:
    """Mean and variance over another axis."""
    return dict(shift=lambda x: mean(x, axis), root=lambda x, e: std(x, e, axis))


NORMALIZING = (
    ("eps-outside-the-root", "eps is added outside the root: sqrt(var) + eps",
     dict(root=lambda x, e: std(x) + e)),
    ("eps-ignored", "eps has no effect", dict(root=lambda x, e: std(x))),
    ("eps-hard-coded", "eps is always 1e-5 and the argument is ignored",
     dict(root=lambda x, e: std(x, DEFAULT))),
    ("eps-squared", "the square of eps is added", dict(root=lambda x, e: std(x, e**2))),
    ("eps-subtracted", "eps is subtracted from the variance",
     dict(root=lambda x, e: std(x, -e))),
    ("eps-as-minimum", "eps is a minimum of the variance; it has to be added to it",
     dict(root=lambda x, e: np.sqrt(np.maximum(var(x), e)))),
    ("eps-at-the-end", "eps is added to the quotient, not to the variance",
     dict(normalize=lambda x: (x - mean(x)) / std(x) + EPS)),
    ("eps-in-the-numerator", "eps is added to x - mean, not to the variance",
     dict(normalize=lambda x: (x - mean(x) + EPS) / std(x))),
    ("mean-not-subtracted", "the mean is not subtracted", dict(shift=lambda x: 0.0)),
    ("not-divided", "the vector is shifted to mean 0, but not divided by anything",
     dict(root=lambda x, e: 1.0)),
    ("no-root", "the vector is divided by the variance: the square root is missing",
     dict(root=lambda x, e: var(x) + e)),
    ("multiplied", "the vector is multiplied by its standard deviation, not divided",
     dict(root=lambda x, e: 1 / std(x, e))),
    ("unbiased", "the variance is divided by n - 1; layer norm divides by n",
     dict(root=lambda x, e: std(x, e, ddof=1))),
    ("unbiased-eps-outside", "the variance is divided by n - 1, and eps is added "
     "outside the root", dict(root=lambda x, e: std(x, ddof=1) + e)),
    ("variance-summed", "the squares are summed; the variance is their mean",
     dict(root=lambda x, e: np.sqrt(C * var(x) + e))),
    ("length", "the shifted vector is divided by its length",
     dict(root=lambda x, e: np.sqrt(C * var(x)))),
    ("mean-summed", "the sum of the features is subtracted, not their mean",
     dict(shift=lambda x: C * mean(x))),
    ("divided-by-768", "the sums are divided by 768, GPT-2 small's size, not by dim",
     dict(shift=lambda x: mean(x) * C / 768,
          root=lambda x, e: np.sqrt(mean((x - mean(x) * C / 768) ** 2) * C / 768 + e))),
    ("root-mean-square", "the mean is neither subtracted nor part of the variance: "
     "this is RMS norm", around(lambda x: 0.0)),
    ("variance-around-zero", "the variance is taken around 0, not around the mean",
     dict(root=lambda x, e: np.sqrt(mean(x * x) + e))),
    ("mean-subtracted-last", "the mean is subtracted after the division: parentheses "
     "are missing", dict(normalize=lambda x: x / std(x, EPS) - mean(x))),
    ("mean-divided-only", "only the mean is divided: parentheses are missing",
     dict(normalize=lambda x: x - mean(x) / std(x, EPS))),
    ("absolute-deviation", "the vector is divided by the mean of its absolute "
     "deviations", dict(root=lambda x, e: mean(np.abs(x - mean(x))) + e)),
    ("softmax", "there is a softmax where the normalization belongs",
     dict(normalize=lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True))),
    ("over-tokens", "mean and variance are taken over the tokens, axis 1", over(1)),
    ("over-batch", "mean and variance are taken over the batch, axis 0", over(0)),
    ("over-tokens-and-features", "mean and variance are taken over tokens and features",
     over((1, 2))),
    ("over-batch-and-tokens", "mean and variance are taken over batch and tokens: this "
     "is batch norm", over((0, 1))),
    ("over-everything", "mean and variance are taken over the whole tensor",
     over((0, 1, 2))),
    ("mean-over-tokens", "the mean is taken over the tokens, the variance is right",
     dict(shift=lambda x: mean(x, 1))),
    ("variance-over-tokens", "the variance is taken over the tokens, the mean is right",
     dict(root=lambda x, e: std(x, e, 1))),
    ("normalized-before", "the vector is normalized twice",
     dict(normalize=lambda x: normal(normal(x)))),
    ("residual-inside", "the input is added to the normalized vector",
     dict(normalize=lambda x: x + normal(x))),
    ("normalization-dropped", "weight and bias are applied to the input, not to the "
     "normalized vector", dict(normalize=lambda x: x)),
)  # fmt: skip
FINISHING = (
    ("weight-ignored", "weight is not applied", dict(finish=lambda y, w, b: y + b)),
    ("bias-ignored", "bias is not added", dict(finish=lambda y, w, b: y * w)),
    ("weight-and-bias-ignored", "neither weight nor bias is applied",
     dict(finish=lambda y, w, b: y)),
    ("weight-and-bias-swapped", "weight and bias are swapped",
     dict(finish=lambda y, w, b: y * b + w)),
    ("bias-before-weight", "bias is added before weight is applied",
     dict(finish=lambda y, w, b: (y + b) * w)),
    ("weight-added", "weight is added; it is a scale",
     dict(finish=lambda y, w, b: y + w + b)),
    ("bias-multiplied", "bias is a factor; it has to be added",
     dict(finish=lambda y, w, b: y * w * b)),
    ("weight-twice", "weight is applied twice",
     dict(finish=lambda y, w, b: y * w**2 + b)),
    ("bias-twice", "bias is added twice", dict(finish=lambda y, w, b: y * w + 2 * b)),
    ("weight-twice-on-bias", "weight is applied twice, the second time to bias as well",
     dict(finish=lambda y, w, b: (y * w + b) * w)),
    ("bias-subtracted", "bias is subtracted", dict(finish=lambda y, w, b: y * w - b)),
    ("weight-divided", "the vector is divided by weight",
     dict(finish=lambda y, w, b: y / w + b)),
    ("one-plus-weight", "the scale is 1 + weight; weight starts at 1 already",
     dict(finish=lambda y, w, b: y * (1 + w) + b)),
    ("residual-outside", "the input is added to the result",
     dict(finish=lambda y, w, b: X + y * w + b)),
)  # fmt: skip
WHOLE = (
    ("applied-before", "weight and bias are applied to the input, before it is "
     "normalized",
     dict(normalize=lambda x: normal(x * G + B), finish=lambda y, w, b: y)),
    ("weight-before", "weight is applied to the input, before it is normalized",
     dict(normalize=lambda x: normal(x * G), finish=lambda y, w, b: y + b)),
    ("parentheses-missing", "the parentheses around x - mean are missing: only the "
     "mean is divided and scaled",
     dict(finish=lambda y, w, b: X - mean(X) / std(X, EPS) * w + b)),
    ("normalized-twice", "the whole layer is applied twice",
     dict(normalize=lambda x: normal(answer()))),
    ("mean-returned", "the mean is returned, not the normalized vector",
     dict(normalize=mean, finish=lambda y, w, b: y)),
    ("input-returned", "the input is returned as it was",
     dict(normalize=lambda x: x, finish=lambda y, w, b: y)),
)  # fmt: skip


def another_eps(x: Array, eps: float, message: str, name: str) -> Mistake:
    """Another eps, and nothing else, explains every value."""

    def proves(got: Array) -> bool:
        ratio = (x - mean(x)).astype(np.float64) * G / (got.astype(np.float64) - B)
        found = float(np.median(ratio**2 - var(x)))
        right_else = same(got, layer_norm(x, G, B, found), 1e-4)
        return right_else and abs(found / eps - 1) > 0.02

    return Mistake(name, message, proves=proves)


def starts(weight: float, bias: float, dim: int = C) -> dict[str, object]:
    """What the parameters of a new layer are."""
    w, b = (np.full(dim, value, np.float32) for value in (weight, bias))
    return {"weight": w, "bias": b}


def filled(got: dict[str, Array]) -> bool:
    """Whether it is ones and zeros, of whatever shape and dtype."""
    w, b = got["weight"], got["bias"]
    return bool(w.size and b.size and (w == 1).all() and (b == 0).all())


STARTING = (
    ("starts-swapped", "weight starts at 0 and bias at 1, the wrong way round",
     dict(weight=0, bias=1)),
    ("weight-zeros", "weight starts at 0, so that whatever it scales is 0",
     dict(weight=0, bias=0)),
    ("bias-ones", "bias starts at 1; an offset that changes nothing is 0",
     dict(weight=1, bias=1)),
    ("dim-hard-coded", "there are 768 features, GPT-2 small's, whatever dim is",
     dict(weight=1, bias=0, dim=768)),
)  # fmt: skip
STARTING_ALSO = (
    Mistake("wrong-shape", "weight and bias have the shape [dim]: one number for each "
            "feature.", proves=lambda got: filled(got) and
            {got["weight"].shape, got["bias"].shape} != {(C,)}),
    Mistake("not-float32", "A parameter is not float32 like the rest of the model.",
            proves=lambda got: filled(got) and
            {got["weight"].dtype, got["bias"].dtype} != {np.dtype(np.float32)},
            refused=r"(weight|bias) is bfloat16"),
    Mistake("random-start", "A parameter starts with random numbers: two new layers "
            "differ.", probe="starts_twice",
            proves=lambda got: any(1e-3 < moved(*got[name]) < np.inf
                                   for name in ("weight", "bias"))),
    *refusals(
        ("parameter-missing", "A layer norm has two parameters, weight and bias.",
         r"has no `(weight|bias)`|(weight|bias) is None"),
        ("not-a-tensor", "A parameter is a MAX Tensor: Module finds nothing else.",
         r"(weight|bias) is a \w+ \w+, not a MAX Tensor"),
    ),
)  # fmt: skip
DEFAULTS = (
    *((f"default-eps-{eps:.0e}", f"{eps:g} is added when no eps is given; GPT-2 adds "
       "1e-5", dict(eps=eps))
      for eps in (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-7, 1e-8)),
    ("default-eps-tiny", "nothing is added when no eps is given, or as good as nothing "
     "(1e-12); GPT-2 adds 1e-5", dict(eps=0.0)),
    ("default-eps-large", "100 or more is added when no eps is given; GPT-2 adds "
     "1e-5",
     dict(eps=1e5)),
)  # fmt: skip
NORM = Rows(
    layer,
    lambda x, w, sizes: layer_norm(
        x, w["weight"], w["bias"], sizes["layer_norm_epsilon"]
    ),
    "starts with a weight of ones and a bias of zeros, one for each feature",
    "normalizes the features of each token, scales by weight and adds bias",
)

TABLE = Table(
    checks=(
        NORM.structure(*flaws(starts, *STARTING), *STARTING_ALSO, starts=starts(1, 0)),
        NORM.calls(
            *flaws(answer, *NORMALIZING, *FINISHING, *WHOLE),
            another_eps(X, EPS, "All is right, but it is not eps that is added to the "
                        "variance.", "another-eps"),
            Mistake("wrong-dtype", "The values are right, but they are not float32.",
                    proves=lambda got: got.dtype != np.float32 and
                    same(got.astype(np.float32), answer(), NORM.tolerance)),
            two_at_once("Two mistakes together give this: one in how mean and variance "
                        "are used, one in how weight and bias are applied.", answer,
                        NORM.tolerance, FINISHING, NORMALIZING),
        ),
        Check(
            "adds 0.00001 to the variance when no eps is given",
            "calls_by_default",
            expect=lambda: layer_norm(FAINT, G, B),
            needs=(NORM.does,),
            where="LayerNorm.__init__",
            mistakes=(
                *flaws(lambda eps: layer_norm(FAINT, G, B, eps), *DEFAULTS),
                another_eps(FAINT, DEFAULT, "Another number than 1e-5 is added to the "
                            "variance when no eps is given.",
                            "default-eps"),
            ),
        ),
        *NORM.properties(
            "3 rows of 37 tokens, 1000 features, another eps",
            causal=False,
            extremes="large values, and for features that are all equal",
        ),
    ),
    compiled=NORM.compiled(),
)  # fmt: skip
