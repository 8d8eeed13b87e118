"""Step 4, ``mlp.py``: expand, apply GELU, project back.

Oracle: c_proj(gelu(c_fc(x))) with the tanh approximation of GELU,
0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))). Hendrycks and Gimpel 2016,
arXiv:1606.08415; ``GPT2MLP`` in Hugging Face's modeling_gpt2.py. The exact GELU is at
most 5e-4 away: the tolerance is 2e-5.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from checker.table import Check, Mistake, Table, flaws
from checker.verdict.compare import same
from tests.s04_mlp.probes import INNER, SQUARE, C, layer, loud, weights
from tests.support.data import SIZES, Array, Sizes, Weights
from tests.support.formulas import affine
from tests.support.rows import NOT_A_TENSOR, Rows, no_bias, two_at_once

Function = Callable[[Array], Array]
ROOT = math.sqrt(2 / math.pi)


def gelu(
    x: Array,
    *,
    root: float = ROOT,
    cubic: float = 0.044715,
    power: int = 3,
    half: float = 0.5,
    one: float = 1.0,
) -> Array:
    """The approximation above; the keyword arguments make the mistakes."""
    return half * x * (one + np.tanh(root * (x + cubic * x**power)))


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def exact(x: Array) -> Array:
    """GELU itself: x times the normal distribution's cumulative function."""
    erf = np.frompyfunc(math.erf, 1, 1)
    return 0.5 * x * (1 + erf(x / math.sqrt(2)).astype(x.dtype))


def same_as(x: Array) -> Array:
    return x


def mlp(
    x: Array,
    w: Weights,
    sizes: Sizes,
    prefix: str = "",
    *,
    activation: Function = gelu,
    before: Function = same_as,
    after: Function = same_as,
    expand: Callable[..., Array] = affine,
    project: Callable[..., Array] = affine,
) -> Array:
    """The layer, [..., C] -> [..., C]; the keyword arguments make the mistakes."""
    fc = w[f"{prefix}c_fc.weight"], w[f"{prefix}c_fc.bias"]
    proj = w[f"{prefix}c_proj.weight"], w[f"{prefix}c_proj.bias"]
    inner = activation(expand(before(x), *fc))
    return after(project(inner, *proj)).astype(np.float32)


X, W = loud(layer.sizes), weights(layer.sizes)


def answer(**flaw: Any) -> Array:
    """The layer's answer to the check's input, with a flaw."""
    return mlp(X, W, layer.sizes, **flaw)


ACTIVATIONS = (
    ("gelu-missing", "there is no GELU between the two layers",
     dict(activation=lambda x: x)),
    ("gelu-exact", "GELU is the exact one (erf); GPT-2 has the approximation, "
     'approximate="tanh"', dict(activation=exact)),
    ("gelu-quick", "GELU is the quick one, x sigmoid(1.702 x); GPT-2 has "
     'approximate="tanh"', dict(activation=lambda x: x * sigmoid(1.702 * x))),
    ("gelu-twice", "GELU is applied twice", dict(activation=lambda x: gelu(gelu(x)))),
    ("relu", "ReLU stands where GELU belongs",
     dict(activation=lambda x: np.maximum(x, 0))),
    ("relu-squared", "the square of ReLU stands where GELU belongs",
     dict(activation=lambda x: np.maximum(x, 0) ** 2)),
    ("leaky-relu", "a leaky ReLU stands where GELU belongs",
     dict(activation=lambda x: np.where(x > 0, x, 0.01 * x))),
    ("silu", "SiLU, x sigmoid(x), stands where GELU belongs",
     dict(activation=lambda x: x * sigmoid(x))),
    ("sigmoid", "a sigmoid stands where GELU belongs", dict(activation=sigmoid)),
    ("tanh", "tanh stands where GELU belongs", dict(activation=np.tanh)),
    ("elu", "ELU stands where GELU belongs",
     dict(activation=lambda x: np.where(x > 0, x, np.exp(x) - 1))),
    ("softplus", "softplus stands where GELU belongs",
     dict(activation=lambda x: np.log1p(np.exp(x)))),
    ("softmax", "a softmax stands where GELU belongs",
     dict(activation=lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True))),
    ("cube-missing", "GELU's cubic term, 0.044715 x^3, is missing",
     dict(activation=partial(gelu, cubic=0.0))),
    ("cube-not-scaled", "GELU's cubic term lacks its factor 0.044715",
     dict(activation=partial(gelu, cubic=1.0))),
    ("square-for-cube", "GELU has x^2 where x^3 belongs",
     dict(activation=partial(gelu, power=2))),
    ("line-for-cube", "GELU has x where x^3 belongs",
     dict(activation=partial(gelu, power=1))),
    ("fourth-for-cube", "GELU has x^4 where x^3 belongs",
     dict(activation=partial(gelu, power=4))),
    ("cube-of-sum", "GELU has (x + 0.044715 x)^3: only x is cubed, and then scaled",
     dict(activation=lambda x: 0.5 * x * (1 + np.tanh(ROOT * (1.044715 * x) ** 3)))),
    ("cube-subtracted", "GELU's cubic term is subtracted",
     dict(activation=partial(gelu, cubic=-0.044715))),
    ("constant-ten-times", "GELU's constant is 0.44715; it is 0.044715",
     dict(activation=partial(gelu, cubic=0.44715))),
    ("constant-a-tenth", "GELU's constant is 0.0044715; it is 0.044715",
     dict(activation=partial(gelu, cubic=0.0044715))),
    ("constant-digits", "GELU's constant is 0.04715; it is 0.044715",
     dict(activation=partial(gelu, cubic=0.04715))),
    ("root-missing", "GELU's factor sqrt(2 / pi) is missing",
     dict(activation=partial(gelu, root=1.0))),
    ("two-over-pi", "GELU has 2 / pi where sqrt(2 / pi) belongs",
     dict(activation=partial(gelu, root=2 / math.pi))),
    ("pi-over-two", "GELU has sqrt(pi / 2) where sqrt(2 / pi) belongs",
     dict(activation=partial(gelu, root=math.sqrt(math.pi / 2)))),
    ("root-of-two-over-pi", "GELU has sqrt(2) / pi where sqrt(2 / pi) belongs",
     dict(activation=partial(gelu, root=math.sqrt(2) / math.pi))),
    ("root-of-two-pi", "GELU has sqrt(2 pi) where sqrt(2 / pi) belongs",
     dict(activation=partial(gelu, root=math.sqrt(2 * math.pi)))),
    ("root-on-x-only", "GELU's factor sqrt(2 / pi) scales x, but not the cubic term",
     dict(activation=lambda x: 0.5 * x * (1 + np.tanh(ROOT * x + 0.044715 * x ** 3)))),
    ("root-on-cube-only", "GELU's factor sqrt(2 / pi) scales the cubic term, but "
     "not x",
     dict(activation=lambda x: 0.5 * x * (1 + np.tanh(x + ROOT * 0.044715 * x ** 3)))),
    ("half-missing", "GELU's factor 0.5 is missing",
     dict(activation=partial(gelu, half=1.0))),
    ("half-twice", "GELU has 0.25 where 0.5 belongs",
     dict(activation=partial(gelu, half=0.25))),
    ("one-missing", "GELU's 1 is missing: 1 + tanh(...)",
     dict(activation=partial(gelu, one=0.0))),
    ("half-and-one-missing", "GELU is x tanh(...): 0.5 and 1 are missing",
     dict(activation=partial(gelu, half=1.0, one=0.0))),
    ("one-minus-tanh", "GELU has 1 - tanh(...) where 1 + tanh(...) belongs",
     dict(activation=partial(gelu, root=-ROOT))),
    ("x-missing", "GELU's factor x is missing: it is 0.5 x (1 + tanh(...))",
     dict(activation=lambda x: 0.5 * (1 + np.tanh(ROOT * (x + 0.044715 * x**3))))),
    ("parenthesis-missing", "GELU lacks the parentheses around 1 + tanh(...): only "
     "1 is scaled",
     dict(activation=lambda x: 0.5 * x + np.tanh(ROOT * (x + 0.044715 * x ** 3)))),
    ("tanh-missing", "GELU's tanh is missing",
     dict(activation=lambda x: 0.5 * x * (1 + ROOT * (x + 0.044715 * x ** 3)))),
    ("sigmoid-for-tanh", "GELU has a sigmoid where tanh belongs",
     dict(activation=lambda x: 0.5 * x * (1 + sigmoid(ROOT * (x + 0.044715 * x**3))))),
    ("relu-and-gelu", "ReLU comes beside GELU, before it or after it",
     dict(activation=lambda x: np.maximum(gelu(x), 0))),
    ("erf-without-root", "GELU has erf(x) where erf(x / sqrt(2)) belongs, and GPT-2 "
     "has the tanh approximation",
     dict(activation=lambda x: exact(x * math.sqrt(2)) / math.sqrt(2))),
)  # fmt: skip


def without_bias(x: Array, weight: Array, bias: Array) -> Array:
    return x @ weight.T


def dropped(x: Array, weight: Array, bias: Array) -> Array:
    return x


def normalized(x: Array) -> Array:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


PLACES = (
    ("gelu-after-c_proj", "GELU comes after c_proj, not between the two layers",
     dict(activation=same_as, after=gelu)),
    ("gelu-after-both", "GELU comes after both layers; it belongs after c_fc alone",
     dict(after=gelu)),
    ("gelu-before-c_fc", "GELU comes before c_fc, not between the two layers",
     dict(activation=same_as, before=gelu)),
    ("gelu-before-both", "GELU comes before both layers", dict(before=gelu)),
    ("gelu-everywhere", "GELU comes before, between and after the two layers",
     dict(before=gelu, after=gelu)),
    ("gelu-around", "GELU comes before and after the two layers, not between them",
     dict(before=gelu, activation=same_as, after=gelu)),
    ("residual-around-gelu", "the input of GELU is added to its output",
     dict(activation=lambda x: x + gelu(x))),
    ("gated", "the output of GELU is multiplied by its input",
     dict(activation=lambda x: x * gelu(x))),
    ("c_fc-without-bias", "c_fc is applied without its bias",
     dict(expand=without_bias)),
    ("c_proj-without-bias", "c_proj is applied without its bias",
     dict(project=without_bias)),
    ("without-biases", "both layers are applied without their biases",
     dict(expand=without_bias, project=without_bias)),
    ("c_fc-bias-after-gelu", "c_fc's bias is added after GELU",
     dict(expand=without_bias, activation=lambda x: gelu(x) + W["c_fc.bias"])),
    ("c_fc-for-both", "c_fc's weight, transposed, projects back; c_proj's is not used",
     dict(project=lambda x, w, b: x @ W["c_fc.weight"] + b)),
    ("c_proj-missing", "c_proj is not applied: this is the intermediate size",
     dict(project=dropped)),
    ("c_proj-and-gelu-missing", "neither GELU nor c_proj is applied, only c_fc",
     dict(activation=same_as, project=dropped)),
    ("normalized", "the input is normalized first; that is the block's job",
     dict(before=normalized)),
    ("residual-inside", "the input is added to the result; that is the block's job",
     dict(after=lambda y: X + y)),
)  # fmt: skip


# With as many features inside as outside, what mixes up the layers is no exception.

FC, PROJ = (
    partial(affine, weight=weights(SQUARE)[f"{name}.weight"],
            bias=weights(SQUARE)[f"{name}.bias"])
    for name in ("c_fc", "c_proj")
)  # fmt: skip


def squared(layers: Callable[[Array], Array]) -> Array:
    return layers(X).astype(np.float32)


def transposed(x: Array, weight: Array, bias: Array) -> Array:
    return x @ weight + bias


SWAPPED = (
    ("c_proj-first", "c_proj comes before c_fc: expand first, project back last",
     dict(layers=lambda x: FC(gelu(PROJ(x))))),
    ("c_fc-twice", "c_fc is applied twice, and c_proj is not",
     dict(layers=lambda x: FC(gelu(FC(x))))),
    ("c_proj-twice", "c_proj is applied twice, and c_fc is not",
     dict(layers=lambda x: PROJ(gelu(PROJ(x))))),
    ("c_fc-dropped", "what c_fc computes is dropped: c_proj is applied to the input",
     dict(layers=PROJ)),
    ("c_fc-dropped-before-gelu", "what c_fc computes is dropped: GELU gets the input",
     dict(layers=lambda x: PROJ(gelu(x)))),
    ("residual-of-the-inner", "what GELU gives is added to its projection",
     dict(layers=lambda x: gelu(FC(x)) + PROJ(gelu(FC(x))))),
    ("weights-transposed", "a weight is used transposed: x W instead of x W^T",
     dict(layers=lambda x: mlp(x, weights(SQUARE), SQUARE, expand=transposed,
                               project=transposed))),
)  # fmt: skip


def numbers_rounded(got: Any) -> bool:
    """GELU's two numbers, one or both of them with a digit or two only."""
    roots, cubics = (ROOT, 0.798, 0.797, 0.8), (0.044715, 0.0447, 0.045, 0.04)
    return not same(got, answer(), MLP.tolerance) and any(
        same(got, answer(activation=partial(gelu, root=r, cubic=c)), MLP.tolerance)
        for r in roots
        for c in cubics
    )


MLP = Rows(
    layer,
    mlp,
    "expands to the intermediate size with c_fc and projects back with c_proj",
    "applies GELU, in its tanh approximation, between c_fc and c_proj",
    tolerance=2e-5,
)


def layout(fc: list[int], proj: list[int] | None = None) -> dict[str, Any]:
    """The structure of layers that go from fc[0] to fc[1], and back."""
    back = proj or fc[::-1]
    return {
        "c_fc.weight": sorted(fc, reverse=True),
        "c_fc.bias": [fc[1]],
        "c_proj.weight": sorted(back, reverse=True),
        "c_proj.bias": [back[1]],
        "is a Module": True,
    }


SIZED = (
    ("layers-swapped", "The two layers are swapped: c_fc expands to the intermediate "
     "size, c_proj projects back.", dict(fc=[INNER, C])),
    ("intermediate-size-from-config", "c_fc has the configuration's size; the "
     "first argument says what the intermediate size is.",
     dict(fc=[C, SIZES["n_inner"]])),
    ("intermediate-size-computed", "c_fc has 4 * n_embd; the first argument says "
     "what the intermediate size is.", dict(fc=[C, 4 * C])),
    ("intermediate-size-multiplied", "The intermediate size is multiplied by 4 once "
     "more; the argument is the size itself.", dict(fc=[C, 4 * INNER])),
    ("dimensions-hard-coded", "The layers have GPT-2 small's sizes, 768 and 3072, "
     "whatever the arguments are.", dict(fc=[768, 3072])),
    ("not-expanded", "Both layers go from C to C: none expands.", dict(fc=[C, C])),
    ("not-projected-back", "c_proj stays at the intermediate size.",
     dict(fc=[C, INNER], proj=[INNER, INNER])),
)  # fmt: skip

TABLE = Table(
    uses=("config",),
    checks=(
        MLP.structure(
            *flaws(layout, *SIZED),
            no_bias("A layer has no bias; GPT-2's c_fc and c_proj have one each.",
                    "c_fc.bias", "c_proj.bias"),
            Mistake("layer-missing", "The layers are c_fc and c_proj, as in Hugging "
                    "Face's checkpoints.", refused=r"has no `(c_fc|c_proj)`"),
        ),
        Check(
            "c_fc and c_proj are two layers",
            "are_two_layers",
            expect=lambda: True,
            needs=(MLP.has,),
            where="GPT2MLP.__init__",
            mistakes=(Mistake("one-layer-twice", "c_fc and c_proj are one and the same "
                              "layer.", gives=lambda: False),),
        ),
        MLP.calls(
            *flaws(answer, *ACTIVATIONS, *PLACES),
            *flaws(squared, *SWAPPED, probe="square"),
            Mistake("input-returned", "The input comes back as it went in.",
                    gives=lambda: X),
            Mistake("numbers-rounded", "GELU's sqrt(2 / pi) or 0.044715 is rounded too "
                    "much.", proves=numbers_rounded),
            two_at_once("Two mistakes together give this: the activation is not GELU's "
                        "tanh approximation, and something around it is wrong too.",
                        answer, MLP.tolerance, ACTIVATIONS, PLACES),
            *NOT_A_TENSOR,
        ),
        *MLP.properties(
            "3 rows of 19 tokens, 20 to 3101 to 20",
            causal=False,
            extremes="large values",
        ),
    ),
    compiled=MLP.compiled(),
)  # fmt: skip
