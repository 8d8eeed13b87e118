"""Step 4, ``mlp.py``: expand, bend, project back.

Oracle: c_proj(gelu(c_fc(x))) with the tanh approximation of GELU,
0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))). Hendrycks and Gimpel 2016,
arXiv:1606.08415; ``GPT2MLP`` in Hugging Face's modeling_gpt2.py.

The exact GELU is at most 5e-4 away, near 2.2 and 2.7 on both sides of zero: what goes
into the bend here reaches beyond 3, and the tolerance is 2e-5. The sizes differ: C=12,
the intermediate size 28 (the argument), n_inner 40 and 4 C = 48.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from checker.compare import same
from checker.probe import Learner, array, attribute, fill, tensor, traced
from checker.table import Check, Mistake, Step
from tests.common import SIZES, affine, config, name_missing, new_layers, noise
from tests.s03_layernorm import RETURN, SLIPS, TRACING, each_by_itself

B, T, C, INNER = 2, 5, 12, 28
N_INNER = SIZES["n_inner"]
TOLERANCE = 2e-5

Array = np.ndarray
Weights = dict[str, Array]
Bend = Callable[[Array], Array]


def weights(inner: int, channels: int, prefix: str = "") -> Weights:
    """c_fc and c_proj, matrices as ``Linear`` stores them: [out, in]."""
    into, out = channels**-0.5, inner**-0.5
    return {
        f"{prefix}c_fc.weight": noise(f"{prefix}c_fc.w", inner, channels) * into,
        f"{prefix}c_fc.bias": noise(f"{prefix}c_fc.b", inner),
        f"{prefix}c_proj.weight": noise(f"{prefix}c_proj.w", channels, inner) * out,
        f"{prefix}c_proj.bias": noise(f"{prefix}c_proj.b", channels),
    }


def gelu(
    x: Array,
    *,
    root: float = math.sqrt(2 / math.pi),
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


def mlp(
    x: Array,
    w: Weights,
    prefix: str = "",
    *,
    bend: Bend = gelu,
    before: Bend = lambda x: x,
    after: Bend = lambda x: x,
    expand: Callable[..., Array] = affine,
    project: Callable[..., Array] = affine,
) -> Array:
    """The whole layer, [..., C] -> [..., C]."""
    fc = w[f"{prefix}c_fc.weight"], w[f"{prefix}c_fc.bias"]
    proj = w[f"{prefix}c_proj.weight"], w[f"{prefix}c_proj.bias"]
    return after(project(bend(expand(before(x), *fc)), *proj)).astype(np.float32)


W = weights(INNER, C)
X = 2 * noise("x", B, T, C)
SQUARE = weights(C, C)  # the layers can be swapped or left out without an exception

ROOT = math.sqrt(2 / math.pi)

BENDS: dict[str, tuple[str, Bend]] = {
    "gelu-missing": ("there is no GELU between the two layers", lambda x: x),
    "gelu-exact": (
        'GELU is the exact one (erf); GPT-2 has the approximation, approximate="tanh"',
        exact,
    ),
    "gelu-quick": (
        'GELU is the quick one, x sigmoid(1.702 x); GPT-2 has approximate="tanh"',
        lambda x: x * sigmoid(1.702 * x),
    ),
    "gelu-twice": ("GELU is applied twice", lambda x: gelu(gelu(x))),
    "relu": ("ReLU stands where GELU belongs", lambda x: np.maximum(x, 0)),
    "relu-squared": (
        "the square of ReLU stands where GELU belongs",
        lambda x: np.maximum(x, 0) ** 2,
    ),
    "leaky-relu": (
        "a leaky ReLU stands where GELU belongs",
        lambda x: np.where(x > 0, x, 0.01 * x),
    ),
    "silu": ("SiLU, x sigmoid(x), stands where GELU belongs", lambda x: x * sigmoid(x)),
    "sigmoid": ("a sigmoid stands where GELU belongs", sigmoid),
    "tanh": ("tanh stands where GELU belongs", np.tanh),
    "elu": (
        "ELU stands where GELU belongs",
        lambda x: np.where(x > 0, x, np.exp(x) - 1),
    ),
    "softplus": ("softplus stands where GELU belongs", lambda x: np.log1p(np.exp(x))),
    "softmax": (
        "a softmax stands where GELU belongs",
        lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True),
    ),
    "cube-missing": (
        "GELU's cubic term, 0.044715 x^3, is missing",
        lambda x: gelu(x, cubic=0.0),
    ),
    "cube-not-scaled": (
        "GELU's cubic term lacks its factor 0.044715",
        lambda x: gelu(x, cubic=1.0),
    ),
    "square-for-cube": (
        "GELU has x^2 where x^3 belongs",
        lambda x: gelu(x, power=2),
    ),
    "line-for-cube": ("GELU has x where x^3 belongs", lambda x: gelu(x, power=1)),
    "fourth-for-cube": ("GELU has x^4 where x^3 belongs", lambda x: gelu(x, power=4)),
    "cube-of-sum": (
        "GELU has (x + 0.044715 x)^3: only x is cubed, and then scaled",
        lambda x: 0.5 * x * (1 + np.tanh(ROOT * (1.044715 * x) ** 3)),
    ),
    "cube-subtracted": (
        "GELU's cubic term is subtracted",
        lambda x: gelu(x, cubic=-0.044715),
    ),
    "constant-ten-times": (
        "GELU's constant is 0.44715; it is 0.044715",
        lambda x: gelu(x, cubic=0.44715),
    ),
    "constant-a-tenth": (
        "GELU's constant is 0.0044715; it is 0.044715",
        lambda x: gelu(x, cubic=0.0044715),
    ),
    "constant-digits": (
        "GELU's constant is 0.04715; it is 0.044715",
        lambda x: gelu(x, cubic=0.04715),
    ),
    "root-missing": (
        "GELU's factor sqrt(2 / pi) is missing",
        lambda x: gelu(x, root=1.0),
    ),
    "two-over-pi": (
        "GELU has 2 / pi where sqrt(2 / pi) belongs",
        lambda x: gelu(x, root=2 / math.pi),
    ),
    "pi-over-two": (
        "GELU has sqrt(pi / 2) where sqrt(2 / pi) belongs",
        lambda x: gelu(x, root=math.sqrt(math.pi / 2)),
    ),
    "root-of-two-over-pi": (
        "GELU has sqrt(2) / pi where sqrt(2 / pi) belongs",
        lambda x: gelu(x, root=math.sqrt(2) / math.pi),
    ),
    "root-of-two-pi": (
        "GELU has sqrt(2 pi) where sqrt(2 / pi) belongs",
        lambda x: gelu(x, root=math.sqrt(2 * math.pi)),
    ),
    "root-on-x-only": (
        "GELU's factor sqrt(2 / pi) scales x, but not the cubic term",
        lambda x: 0.5 * x * (1 + np.tanh(ROOT * x + 0.044715 * x**3)),
    ),
    "root-on-cube-only": (
        "GELU's factor sqrt(2 / pi) scales the cubic term, but not x",
        lambda x: 0.5 * x * (1 + np.tanh(x + ROOT * 0.044715 * x**3)),
    ),
    "half-missing": ("GELU's factor 0.5 is missing", lambda x: gelu(x, half=1.0)),
    "half-twice": ("GELU has 0.25 where 0.5 belongs", lambda x: gelu(x, half=0.25)),
    "one-missing": (
        "GELU's 1 is missing: 1 + tanh(...)",
        lambda x: gelu(x, one=0.0),
    ),
    "half-and-one-missing": (
        "GELU is x tanh(...): 0.5 and 1 are missing",
        lambda x: gelu(x, half=1.0, one=0.0),
    ),
    "one-minus-tanh": (
        "GELU has 1 - tanh(...) where 1 + tanh(...) belongs",
        lambda x: gelu(x, root=-ROOT),
    ),
    "x-missing": (
        "GELU's factor x is missing: it is 0.5 x (1 + tanh(...))",
        lambda x: 0.5 * (1 + np.tanh(ROOT * (x + 0.044715 * x**3))),
    ),
    "parenthesis-missing": (
        "GELU lacks the parentheses around 1 + tanh(...): only 1 is scaled",
        lambda x: 0.5 * x + np.tanh(ROOT * (x + 0.044715 * x**3)),
    ),
    "tanh-missing": (
        "GELU's tanh is missing",
        lambda x: 0.5 * x * (1 + ROOT * (x + 0.044715 * x**3)),
    ),
    "sigmoid-for-tanh": (
        "GELU has a sigmoid where tanh belongs",
        lambda x: 0.5 * x * (1 + sigmoid(ROOT * (x + 0.044715 * x**3))),
    ),
    "relu-and-gelu": (
        "ReLU comes beside GELU, before it or after it",
        lambda x: np.maximum(gelu(x), 0),
    ),
    "erf-without-root": (
        "GELU has erf(x) where erf(x / sqrt(2)) belongs, and GPT-2 has the tanh "
        "approximation",
        lambda x: exact(x * math.sqrt(2)) / math.sqrt(2),
    ),
}


def _without_bias(x: Array, weight: Array, bias: Array) -> Array:
    return x @ weight.T


PLACES: dict[str, tuple[str, dict[str, Any]]] = {
    "gelu-after-c_proj": (
        "GELU comes after c_proj, not between the two layers",
        {"bend": lambda x: x, "after": gelu},
    ),
    "gelu-after-both": (
        "GELU comes after both layers; only c_fc is bent",
        {"after": gelu},
    ),
    "gelu-before-c_fc": (
        "GELU comes before c_fc, not between the two layers",
        {"bend": lambda x: x, "before": gelu},
    ),
    "gelu-before-both": ("GELU comes before both layers", {"before": gelu}),
    "gelu-everywhere": (
        "GELU comes before, between and after the two layers",
        {"before": gelu, "after": gelu},
    ),
    "gelu-around": (
        "GELU comes before and after the two layers, not between them",
        {"before": gelu, "bend": lambda x: x, "after": gelu},
    ),
    "residual-around-gelu": (
        "what goes into GELU is added to what comes out",
        {"bend": lambda x: x + gelu(x)},
    ),
    "gated": (
        "what comes out of GELU is multiplied by what went in",
        {"bend": lambda x: x * gelu(x)},
    ),
    "c_fc-without-bias": (
        "c_fc is applied without its bias",
        {"expand": _without_bias},
    ),
    "c_proj-without-bias": (
        "c_proj is applied without its bias",
        {"project": _without_bias},
    ),
    "without-biases": (
        "both layers are applied without their biases",
        {"expand": _without_bias, "project": _without_bias},
    ),
    "c_fc-bias-after-gelu": (
        "c_fc's bias is added after GELU",
        {"expand": _without_bias, "bend": lambda x: gelu(x) + W["c_fc.bias"]},
    ),
    "c_fc-for-both": (
        "c_fc's weight projects back, turned round; c_proj's is not used",
        {"project": lambda x, w, b: x @ W["c_fc.weight"] + b},
    ),
    "c_proj-missing": (
        "c_proj is not applied: this is the intermediate size",
        {"project": lambda x, w, b: x},
    ),
    "c_proj-and-gelu-missing": (
        "neither GELU nor c_proj is applied: this is c_fc alone",
        {"bend": lambda x: x, "project": lambda x, w, b: x},
    ),
    "normalized": (
        "the input is normalized first; that is the block's work",
        {
            "before": lambda x: (
                (x - x.mean(-1, keepdims=True))
                / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
            )
        },
    ),
}


def _mistake(
    name: str, message: str, gives: Callable[[], object], **more: Any
) -> Mistake:
    return Mistake(name, f"This is what comes out when {message}.", gives=gives, **more)


# Probes.


def shapes(mlp: Learner) -> dict[str, Any]:
    """The layers of a new MLP. A matrix may be stored either way round."""
    from max.nn.module_v3 import Module

    made = mlp.GPT2MLP(INNER, config())
    found: dict[str, Any] = {path: size_of(attribute(made, path)) for path in W}
    return {
        **found,
        "are two layers": made.c_fc is not made.c_proj,
        "is a Module": isinstance(made, Module),
    }


def size_of(parameter: Any) -> Any:
    """The sizes of a parameter, the greatest first; what has none comes as it is."""
    if not hasattr(parameter, "shape"):
        return parameter if isinstance(parameter, int | None) else repr(parameter)
    return sorted((int(n) for n in parameter.shape), reverse=True)


def lacks_bias(got: dict[str, Any]) -> bool:
    """``Linear`` without a bias keeps 0 in its place; some layers None."""
    return any(
        each is None or (each == 0 and each is not False) for each in got.values()
    )


def sizes(w: Weights) -> dict[str, Any]:
    """What ``shapes`` answers for these."""
    return {path: sorted(each.shape, reverse=True) for path, each in w.items()}


def layer(mlp: Learner, inner: int = INNER, channels: int = C) -> Any:
    made = mlp.GPT2MLP(inner, config(n_embd=channels))
    return fill(made, weights(inner, channels))


def calls(mlp: Learner) -> Array:
    return array(layer(mlp)(tensor(X)), "GPT2MLP(...)(hidden_states)")


def calls_twice(mlp: Learner) -> list[Array]:
    made = layer(mlp)
    return [array(made(tensor(X))) for _ in range(2)]


def at_size(inner: int, channels: int, *shape: int) -> Callable[[Learner], Array]:
    def probe(mlp: Learner) -> Array:
        made = layer(mlp, inner, channels)
        x = tensor(noise("sized", *shape, channels))
        return array(made(x), "GPT2MLP(...)(hidden_states)")

    return probe


def sized(inner: int, channels: int, *shape: int) -> Array:
    return mlp(noise("sized", *shape, channels), weights(inner, channels))


def square(mlp: Learner) -> Array:
    """With as many features inside as outside."""
    return array(layer(mlp, C, C)(tensor(X)), "GPT2MLP(...)(hidden_states)")


def neighbours_changed(mlp: Learner) -> dict[str, Array]:
    made = layer(mlp)
    changed = X.copy()
    changed[1, 3] *= 5
    return {"before": array(made(tensor(X))), "after": array(made(tensor(changed)))}


def input_afterwards(mlp: Learner) -> Array:
    x = tensor(X)
    array(layer(mlp)(x))
    return array(x)


def traces(mlp: Learner) -> Array:
    made = layer(mlp)
    return traced(made, made, ("batch", "seqlen", C), X)


def _fc(x: Array) -> Array:
    return affine(x, SQUARE["c_fc.weight"], SQUARE["c_fc.bias"])


def _proj(x: Array) -> Array:
    return affine(x, SQUARE["c_proj.weight"], SQUARE["c_proj.bias"])


SQUARED: dict[str, tuple[str, Callable[[], Array]]] = {
    "layers-swapped": (
        "c_proj comes before c_fc: expand first, project back last",
        lambda: _fc(gelu(_proj(X))),
    ),
    "c_fc-twice": (
        "c_fc is applied twice, and c_proj is not",
        lambda: _fc(gelu(_fc(X))),
    ),
    "c_proj-twice": (
        "c_proj is applied twice, and c_fc is not",
        lambda: _proj(gelu(_proj(X))),
    ),
    "c_fc-dropped": (
        "what c_fc computes is dropped: c_proj is applied to the input",
        lambda: _proj(X),
    ),
    "c_fc-dropped-before-gelu": (
        "what c_fc computes is dropped: GELU is applied to the input",
        lambda: _proj(gelu(X)),
    ),
    "residual-of-the-bent": (
        "the bent features are added to their projection",
        lambda: gelu(_fc(X)) + _proj(gelu(_fc(X))),
    ),
    "weights-transposed": (
        "a weight is multiplied the wrong way round: x W instead of x W^T",
        lambda: mlp(
            X,
            SQUARE,
            expand=lambda x, w, b: x @ w + b,
            project=lambda x, w, b: x @ w + b,
        ),
    ),
}


def two_mistakes(got: Any) -> bool:
    """Another bend, and at another place or between other layers."""
    for _, bend in BENDS.values():
        places = (
            {"before": bend, "bend": lambda x: x},
            {"after": bend, "bend": lambda x: x},
            {"bend": bend, "after": bend},
            {"bend": bend, "project": lambda x, w, b: x},
            {"bend": bend, "project": _without_bias},
            {"bend": bend, "expand": _without_bias},
            {"bend": bend, "expand": _without_bias, "project": _without_bias},
        )
        for place in places:
            with np.errstate(all="ignore"):
                if same(got, mlp(X, W, **place), TOLERANCE):  # type: ignore[arg-type]
                    return True
        if same(got, X + mlp(X, W, bend=bend), TOLERANCE):
            return True
    return False


def numbers_rounded(got: Any) -> bool:
    """GELU's two numbers, one or both of them with a digit or two only."""
    roots, cubics = (ROOT, 0.798, 0.797, 0.8), (0.044715, 0.0447, 0.045, 0.04)
    return not same(got, mlp(X, W), TOLERANCE) and any(
        same(got, mlp(X, W, bend=lambda x: gelu(x, root=r, cubic=c)), TOLERANCE)  # noqa: B023
        for r in roots
        for c in cubics
    )


SMALL_ONLY = Mistake(
    "sizes-hard-coded",
    "At GPT-2 small's sizes (768 and 3072) this is right, at others not: the numbers "
    "are written in instead of taken from the arguments.",
    probe=at_size(3072, 768, 1, 2),
    gives=lambda: sized(3072, 768, 1, 2),
)
LAYOUT = {**sizes(W), "are two layers": True, "is a Module": True}
LAYERS = "expands to the intermediate size with c_fc and projects back with c_proj"
CALLS = "bends what c_fc gives with GELU, in the tanh approximation, before c_proj"

STEP = Step(
    uses=("config",),
    checks=(
        Check(
            LAYERS,
            shapes,
            expect=lambda: LAYOUT,
            where="GPT2MLP.__init__",
            mistakes=(
                name_missing("GPT2MLP"),
                Mistake(
                    "layers-swapped",
                    "The two layers are swapped: c_fc expands (C to the intermediate "
                    "size), c_proj projects back.",
                    recognise=lambda got: (
                        got["c_fc.bias"] == [C] and got["c_proj.bias"] == [INNER]
                    ),
                ),
                Mistake(
                    "intermediate-size-from-config",
                    "The intermediate size is taken from the configuration; it is the "
                    "first argument.",
                    recognise=lambda got: (
                        [N_INNER, C] in got.values() or [N_INNER] in got.values()
                    ),
                ),
                Mistake(
                    "intermediate-size-computed",
                    "The intermediate size is 4 * n_embd; it is the first argument.",
                    recognise=lambda got: (
                        [4 * C, C] in got.values() or [4 * C] in got.values()
                    ),
                ),
                Mistake(
                    "intermediate-size-multiplied",
                    "The intermediate size is multiplied by 4 once more; the argument "
                    "is the size itself.",
                    recognise=lambda got: [4 * INNER] in got.values(),
                ),
                Mistake(
                    "no-bias",
                    "A layer has no bias; GPT-2's c_fc and c_proj have one each.",
                    recognise=lacks_bias,
                ),
                Mistake(
                    "dimensions-hard-coded",
                    "The layers have GPT-2 small's sizes (768, 3072) whatever the "
                    "arguments are.",
                    recognise=lambda got: any(
                        768 in each or 3072 in each
                        for each in got.values()
                        if isinstance(each, list)
                    ),
                ),
                Mistake(
                    "one-layer-twice",
                    "c_fc and c_proj are one and the same layer; they are two.",
                    recognise=lambda got: not got["are two layers"],
                ),
                Mistake(
                    "not-expanded",
                    "A layer does not expand: both go from C to C.",
                    recognise=lambda got: got["c_fc.weight"] == [C, C],
                ),
                Mistake(
                    "not-projected-back",
                    "c_proj does not project back: it stays at the intermediate size.",
                    recognise=lambda got: (
                        got["c_proj.weight"] == [INNER, INNER]
                        or got["c_proj.bias"] == [INNER]
                    ),
                ),
                Mistake(
                    "not-a-module",
                    "GPT2MLP does not inherit from Module: MAX does not find its "
                    "parameters.",
                    recognise=lambda got: not got["is a Module"],
                ),
                Mistake(
                    "other-sizes",
                    "A layer has other sizes than n_embd and the intermediate size.",
                    recognise=lambda got: not same(got, LAYOUT, 0.0),
                ),
                Mistake(
                    "layer-missing",
                    "The layers are c_fc and c_proj, as in Hugging Face's checkpoints, "
                    "each with weight and bias.",
                    raises=r"has no `(c_fc|c_proj|weight|bias)`",
                ),
                Mistake(
                    "arguments-swapped",
                    "The first argument is the intermediate size, the second the "
                    "configuration.",
                    raises=r"'int' object has no attribute|'GPT2Config' object",
                ),
                *SLIPS,
            ),
        ),
        Check(
            CALLS,
            calls,
            expect=lambda: mlp(X, W),
            tolerance=TOLERANCE,
            where="GPT2MLP.__call__",
            mistakes=(
                *(
                    _mistake(name, message, lambda bend=bend: mlp(X, W, bend=bend))  # type: ignore[misc]
                    for name, (message, bend) in BENDS.items()
                ),
                *(
                    _mistake(name, message, lambda place=place: mlp(X, W, **place))  # type: ignore[misc]
                    for name, (message, place) in PLACES.items()
                ),
                _mistake(
                    "residual-inside",
                    "the input is added to the result; that is the block's work",
                    lambda: X + mlp(X, W),
                ),
                Mistake(
                    "input-returned",
                    "The input comes back as it went in.",
                    gives=lambda: X,
                ),
                Mistake(
                    "numbers-rounded",
                    "GELU's sqrt(2 / pi) and 0.044715 are rounded too much.",
                    recognise=numbers_rounded,
                ),
                Mistake(
                    "two-mistakes",
                    "Two things are off here: the activation is not GELU's tanh "
                    "approximation, and it is not all.",
                    recognise=two_mistakes,
                ),
                *(
                    _mistake(name, message, gives, probe=square)
                    for name, (message, gives) in SQUARED.items()
                ),
                Mistake(
                    "wrong-dtype",
                    "The result has another dtype than the input.",
                    recognise=lambda got: got.dtype != np.float32,
                ),
                RETURN,
                new_layers(calls_twice),
                *SLIPS,
                SMALL_ONLY,
            ),
        ),
        Check(
            "works for other sizes: 3 rows of 7 tokens, 20 to 50 to 20",
            at_size(50, 20, 3, 7),
            expect=lambda: sized(50, 20, 3, 7),
            tolerance=TOLERANCE,
            needs=(CALLS,),
            where="GPT2MLP",
            mistakes=(
                SMALL_ONLY,
                Mistake(
                    "one-size-only",
                    "It is right at one size only: numbers are written in instead of "
                    "taken from the arguments and the input.",
                    recognise=lambda got: not same(got, sized(50, 20, 3, 7), 1e-4),
                    raises=r".",
                ),
            ),
        ),
        Check(
            "treats each token by itself",
            neighbours_changed,
            accept=each_by_itself,
            needs=(CALLS,),
            where="GPT2MLP.__call__",
        ),
        Check(
            "leaves its input unchanged",
            input_afterwards,
            expect=lambda: X,
            needs=(CALLS,),
            where="GPT2MLP.__call__",
        ),
        Check(
            "can be traced with any batch size and number of tokens",
            traces,
            expect=lambda: mlp(X, W),
            needs=(CALLS,),
            where="GPT2MLP.__call__",
            mistakes=TRACING,
        ),
    ),
    compiled=Check(
        "compiled and run by MAX: the same answer",
        traces,
        expect=lambda: mlp(X, W),
        tolerance=1e-4,
    ),
)
