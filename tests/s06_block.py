"""Step 6, ``block.py``: attention and MLP around one stream of vectors.

Oracle: h = x + attn(ln_1(x)), then h + mlp(ln_2(h)). Radford et al. 2019, section 2.3
(the norm before each sub-layer); ``GPT2Block`` in Hugging Face's modeling_gpt2.py.
What the parts compute is checked in their own steps; here it is how they are wired.
"""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import numpy as np

from checker.compare import same
from checker.probe import Learner, array, attribute, fill, tensor, traced
from checker.table import Check, Mistake, Step
from tests import s03_layernorm as norms
from tests import s04_mlp as mlps
from tests.common import SIZES, config, name_missing, new_layers, noise
from tests.s03_layernorm import RETURN, SLIPS, TRACING
from tests.s04_mlp import lacks_bias, size_of, sizes
from tests.s05_attention import attention, hides_the_future, rows_apart

B, T, C = 2, 5, SIZES["n_embd"]
HEADS, INNER, EPS = SIZES["n_head"], SIZES["n_inner"], SIZES["layer_norm_epsilon"]

Array = np.ndarray
Weights = dict[str, Array]
Layer = Callable[[Array], Array]


def weights(channels: int = C, inner: int = INNER, prefix: str = "") -> Weights:
    """All parameters of a block, matrices as ``Linear`` stores them: [out, in]."""
    attn, width = f"{prefix}attn.", channels**-0.5
    return {
        **norms.weights(channels, f"{prefix}ln_1."),
        f"{attn}c_attn.weight": noise(f"{attn}qkv", 3 * channels, channels) * width,
        f"{attn}c_attn.bias": noise(f"{attn}qkv.b", 3 * channels) / 2,
        f"{attn}c_proj.weight": noise(f"{attn}proj", channels, channels) * width,
        f"{attn}c_proj.bias": noise(f"{attn}proj.b", channels),
        **norms.weights(channels, f"{prefix}ln_2."),
        **mlps.weights(inner, channels, f"{prefix}mlp."),
    }


class Parts:
    """A block's four parts as functions: n1, attn, n2, mlp."""

    def __init__(
        self,
        w: Weights,
        heads: int = HEADS,
        prefix: str = "",
        eps: tuple[float, float] = (EPS, EPS),
    ) -> None:
        self.w, self.heads, self.prefix, self.eps = w, heads, prefix, eps

    def n1(self, x: Array) -> Array:
        return self._norm("ln_1", x, self.eps[0])

    def n2(self, x: Array) -> Array:
        return self._norm("ln_2", x, self.eps[1])

    def _norm(self, name: str, x: Array, eps: float) -> Array:
        path = self.prefix + name
        weight, bias = self.w[f"{path}.weight"], self.w[f"{path}.bias"]
        return norms.layer_norm(x, weight, bias, eps)

    def attn(self, x: Array) -> Array:
        path = f"{self.prefix}attn."
        own = {n.removeprefix(path): v for n, v in self.w.items() if n.startswith(path)}
        return attention(x, own, self.heads)

    def mlp(self, x: Array) -> Array:
        return mlps.mlp(x, self.w, f"{self.prefix}mlp.")


def pre_norm(x: Array, norm: Layer, layer: Layer) -> Array:
    """One half of a block: keep, normalize, transform, add."""
    return x + layer(norm(x))


Half = Callable[[Array, Layer, Layer], Array]


def block(
    x: Array, parts: Parts, first: Half = pre_norm, second: Half = pre_norm
) -> Array:
    """Both halves, one after the other; other halves make the mistakes."""
    return second(first(x, parts.n1, parts.attn), parts.n2, parts.mlp)


W = weights()
X = noise("x", B, T, C)
P = Parts(W)

HALVES: dict[str, tuple[str, Half]] = {
    "residual-missing": (
        "the residual of {half} is missing",
        lambda x, n, f: f(n(x)),
    ),
    "residual-normalized": (
        "the residual of {half} is taken after {norm}, not before",
        lambda x, n, f: n(x) + f(n(x)),
    ),
    "norm-missing": (
        "{norm} is missing before {half}",
        lambda x, n, f: x + f(x),
    ),
    "norm-and-residual-missing": (
        "{norm} and the residual of {half} are missing",
        lambda x, n, f: f(x),
    ),
    "post-norm": (
        "{norm} comes after {half} and its residual (post-norm); GPT-2 normalizes "
        "before",
        lambda x, n, f: n(x + f(x)),
    ),
    "norm-after": (
        "{norm} is applied to what {half} gives; it belongs before",
        lambda x, n, f: x + n(f(x)),
    ),
    "norm-after-without-residual": (
        "{norm} is applied to what {half} gives, and the residual is missing",
        lambda x, n, f: n(f(x)),
    ),
    "norm-before-and-after": (
        "{norm} is applied before {half}, and again after the residual",
        lambda x, n, f: n(x + f(n(x))),
    ),
    "norm-twice": (
        "{norm} is applied twice before {half}",
        lambda x, n, f: x + f(n(n(x))),
    ),
    "dropped": (
        "what {half} computes is dropped",
        lambda x, n, f: x,
    ),
    "left-out": (
        "{half} is left out: {norm} goes straight to the residual",
        lambda x, n, f: x + n(x),
    ),
    "only-normalized": (
        "what {half} computes is dropped: only {norm} is left",
        lambda x, n, f: n(x),
    ),
    "residual-twice": (
        "the residual of {half} is added twice",
        lambda x, n, f: 2 * x + f(n(x)),
    ),
    "averaged": (
        "the mean of {half} and its residual is taken; it is their sum",
        lambda x, n, f: (x + f(n(x))) / 2,
    ),
    "residual-halved": (
        "the residual of {half} is halved",
        lambda x, n, f: x / 2 + f(n(x)),
    ),
    "twice": (
        "{half} is applied twice",
        lambda x, n, f: x + f(f(n(x))),
    ),
    "residual-subtracted": (
        "the residual of {half} is subtracted",
        lambda x, n, f: f(n(x)) - x,
    ),
    "subtracted": (
        "what {half} gives is subtracted from the residual",
        lambda x, n, f: x - f(n(x)),
    ),
    "multiplied": (
        "the residual of {half} is multiplied; it is added",
        lambda x, n, f: x * f(n(x)),
    ),
}


def half_mistakes() -> Iterator[Mistake]:
    """Each flaw in the first half, in the second and in both."""
    wirings = (
        ("attention", "the attention", "ln_1", lambda flaw: (flaw, pre_norm)),
        ("mlp", "the MLP", "ln_2", lambda flaw: (pre_norm, flaw)),
        ("both", "each sub-layer", "its norm", lambda flaw: (flaw, flaw)),
    )
    for (name, (message, flaw)), (where, half, norm, halves) in product(
        HALVES.items(), wirings
    ):
        told = message.format(half=half, norm=norm)
        if (name, where) == ("dropped", "both"):
            told = "the results are dropped: the input comes back as it went in"
        first, second = halves(flaw)
        yield _mistake(
            f"{where}-{name}",
            told,
            lambda first=first, second=second: block(X, P, first, second),
        )


def _with(n1: Layer, n2: Layer) -> Array:
    h = X + P.attn(n1(X))
    return h + P.mlp(n2(h))


def _h() -> Array:
    """After the first half."""
    return pre_norm(X, P.n1, P.attn)


def _eps(*eps: float) -> Callable[[], Array]:
    return lambda: block(X, Parts(W, eps=(eps[0], eps[1])))


def _mlp_first(n1: Layer, n2: Layer) -> Array:
    h = X + P.mlp(n1(X))
    return h + P.attn(n2(h))


WIRINGS: dict[str, tuple[str, Callable[[], Array]]] = {
    "ln_1-twice": (
        "ln_1 is used for both sub-layers; the MLP has its own, ln_2",
        lambda: _with(P.n1, P.n1),
    ),
    "ln_2-twice": (
        "ln_2 is used for both sub-layers, or ln_1 and ln_2 are one and the same",
        lambda: _with(P.n2, P.n2),
    ),
    "norms-swapped": ("ln_1 and ln_2 are swapped", lambda: _with(P.n2, P.n1)),
    "both-norms-in-a-row": (
        "ln_2 follows ln_1 before the attention, and the MLP has no norm",
        lambda: (h := X + P.attn(P.n2(P.n1(X)))) + P.mlp(h),
    ),
    "mlp-first": (
        "the MLP comes before the attention, and they have each other's norm",
        lambda: _mlp_first(P.n1, P.n2),
    ),
    "mlp-first-with-its-norm": (
        "the MLP comes before the attention",
        lambda: _mlp_first(P.n2, P.n1),
    ),
    "parallel": (
        "the MLP works on the block's input, beside the attention and not after it",
        lambda: X + P.attn(P.n1(X)) + P.mlp(P.n2(X)),
    ),
    "parallel-one-norm": (
        "attention and MLP both work on ln_1 of the input, side by side",
        lambda: X + P.attn(P.n1(X)) + P.mlp(P.n1(X)),
    ),
    "second-residual-is-the-input": (
        "the second residual is the block's input: it has to be kept anew after the "
        "attention",
        lambda: X + P.mlp(P.n2(_h())),
    ),
    "input-added-again": (
        "the block's input is added once more at the end",
        lambda: X + _h() + P.mlp(P.n2(_h())),
    ),
    "residual-only-at-the-end": (
        "there is one residual around both sub-layers; each has its own",
        lambda: X + P.mlp(P.n2(P.attn(P.n1(X)))),
    ),
    "residuals-at-the-end": (
        "the MLP works on what the attention gives, before the residual is added",
        lambda: _h() + P.mlp(P.n2(P.attn(P.n1(X)))),
    ),
    "attention-as-residual": (
        "the second residual is what the attention gives, without the first residual",
        lambda: P.attn(P.n1(X)) + P.mlp(P.n2(_h())),
    ),
    "mlp-of-the-norm": (
        "the MLP works on ln_1 of the input instead of ln_2 of the sum",
        lambda: _h() + P.mlp(P.n2(P.n1(X))),
    ),
    "mlp-of-the-attention": (
        "the MLP works on what the attention gives, without residual and norm",
        lambda: _h() + P.mlp(P.attn(P.n1(X))),
    ),
    "first-residual-normalized-again": (
        "the second residual is ln_1 of the input",
        lambda: P.n1(X) + P.mlp(P.n2(_h())),
    ),
    "attention-for-mlp": (
        "the attention stands where the MLP belongs as well",
        lambda: (h := _h()) + P.attn(P.n2(h)),
    ),
    "mlp-for-attention": (
        "the MLP stands where the attention belongs as well",
        lambda: (h := X + P.mlp(P.n1(X))) + P.mlp(P.n2(h)),
    ),
    "first-norm-at-the-end": (
        "there is one more layer norm, ln_1, at the end of the block",
        lambda: P.n1(block(X, P)),
    ),
    "applied-twice": (
        "the whole block is applied twice",
        lambda: block(block(X, P), P),
    ),
    "epsilon-ignored": (
        "layer_norm_epsilon of the configuration is not used: both norms keep 1e-5",
        _eps(norms.DEFAULT, norms.DEFAULT),
    ),
    "epsilon-ignored-in-ln_1": (
        "ln_1 does not get layer_norm_epsilon of the configuration",
        _eps(norms.DEFAULT, EPS),
    ),
    "epsilon-ignored-in-ln_2": (
        "ln_2 does not get layer_norm_epsilon of the configuration",
        _eps(EPS, norms.DEFAULT),
    ),
}


def other_epsilon(got: Any) -> bool:
    """Right but for the number under a root: written in, or changed on the way."""
    others = (1.0, 0.5, 0.2, EPS**0.5, EPS**2, 1e-3, 1e-4)
    pairs = [pair for e in others for pair in ((e, e), (e, EPS), (EPS, e))]
    return any(same(got, _eps(*pair)(), 5e-5) for pair in pairs)


def wired(got: Any) -> bool:
    """Right parts, wired in any of some hundred ways: inputs, residuals, norms."""
    if not isinstance(got, np.ndarray) or got.shape != X.shape:
        return False
    zero = np.zeros_like(X)
    n1x, n2x = P.n1(X), P.n2(X)
    for kept, given in product((X, zero, n1x, 2 * X), (X, n1x, n2x)):
        a = P.attn(given)
        h = kept + a
        inputs = (h, P.n1(h), P.n2(h), X, n1x, n2x, a, P.n1(a), P.n2(a))
        outputs = [P.mlp(each) for each in inputs]
        residuals = (h, zero, X, n1x, P.n2(h), a, h + X, 2 * h, h + n1x)
        for residual, m in product(residuals, outputs):
            found = residual + m
            if any(same(got, each, 5e-5) for each in (found, P.n1(found), P.n2(found))):
                return True
    return any(
        same(got, block(X, P, one, other), 5e-5)
        for (_, one), (_, other) in product(HALVES.values(), repeat=2)
    )


def _mistake(name: str, message: str, gives: Callable[[], object]) -> Mistake:
    return Mistake(name, f"This is what comes out when {message}.", gives=gives)


# Probes.


def parts(block: Learner) -> dict[str, Any]:
    """The parts of a new block: sizes of the parameters, and what is the same twice."""
    from max.nn.module_v3 import Module

    made = block.GPT2Block(config())
    found: dict[str, Any] = {path: size_of(attribute(made, path)) for path in W}
    return {
        **found,
        "are two norms": made.ln_1 is not made.ln_2,
        "is a Module": isinstance(made, Module),
    }


def layer(block: Learner, **sizes: Any) -> Any:
    made = config(**sizes)
    return fill(block.GPT2Block(made), weights(made.n_embd, made.n_inner))


def calls_twice(block: Learner) -> list[Array]:
    made = layer(block)
    return [array(made(tensor(X))) for _ in range(2)]


def calls(block: Learner) -> Array:
    return array(layer(block)(tensor(X)), "GPT2Block(...)(hidden_states)")


OTHER = {"n_embd": 20, "n_head": 2, "n_inner": 30, "layer_norm_epsilon": 0.5}


def at_other_sizes(block: Learner) -> Array:
    made = layer(block, **OTHER)
    return array(
        made(tensor(noise("sized", 1, 3, 20))), "GPT2Block(...)(hidden_states)"
    )


def other_sizes() -> Array:
    other = Parts(weights(20, 30), 2, eps=(0.5, 0.5))
    return block(noise("sized", 1, 3, 20), other)


def in_pieces(block: Learner) -> dict[str, Array]:
    """A batch, the same with later tokens changed, and its rows apart."""
    made = layer(block)
    changed = X.copy()
    changed[:, 3:] += noise("change", B, 2, C)
    together = array(made(tensor(X)))
    return {
        "together": together,
        "apart": np.concatenate([array(made(tensor(row[None]))) for row in X]),
        "before": together[:, :3],
        "after": array(made(tensor(changed)))[:, :3],
    }


def input_afterwards(block: Learner) -> Array:
    x = tensor(X)
    array(layer(block)(x))
    return array(x)


def traces(block: Learner) -> Array:
    made = layer(block)
    return traced(made, made, ("batch", "seqlen", C), X)


def _bias(path: str, *sizes: int) -> Callable[[Any], bool]:
    return lambda got: got[path] in [[size] for size in sizes]


LAYOUT = {**sizes(W), "are two norms": True, "is a Module": True}
PART_ARGUMENTS = Mistake(
    "arguments-of-a-part",
    "A part is made with other arguments than it takes: look at the step it is from.",
    raises=r"\w+\.__init__\(\) (missing|takes|got)",
)
NOT_A_TENSOR = (
    RETURN,
    Mistake(
        "more-than-a-tensor",
        "The call returns several things; it returns one tensor.",
        raises=r" is a \w+ (tuple|list|dict), not a MAX Tensor",
    ),
    Mistake(
        "not-a-max-tensor",
        "The call returns something else than a MAX Tensor.",
        raises=r"\(\w+\) is a .*, not a MAX Tensor",
    ),
)
PARTS = "has the parts ln_1, attn, ln_2 and mlp, sized as the configuration says"
CALLS = "adds the attention of ln_1 to its input, then the MLP of ln_2 to the sum"

STEP = Step(
    uses=("config", "layernorm", "mlp", "attention"),
    checks=(
        Check(
            PARTS,
            parts,
            expect=lambda: LAYOUT,
            where="GPT2Block.__init__",
            mistakes=(
                name_missing("GPT2Block"),
                Mistake(
                    "n_inner-computed",
                    "The MLP's intermediate size is 4 * n_embd here; it is n_inner of "
                    "the configuration.",
                    recognise=_bias("mlp.c_fc.bias", 4 * C),
                ),
                Mistake(
                    "n_inner-not-used",
                    "The MLP's intermediate size is n_embd here; it is n_inner of the "
                    "configuration.",
                    recognise=_bias("mlp.c_fc.bias", C),
                ),
                Mistake(
                    "n_inner-multiplied",
                    "The MLP's intermediate size is 4 * n_inner here; n_inner is the "
                    "size itself.",
                    recognise=_bias("mlp.c_fc.bias", 4 * INNER),
                ),
                Mistake(
                    "sizes-hard-coded",
                    "A part has GPT-2 small's sizes (768, 3072) whatever the "
                    "configuration is.",
                    recognise=lambda got: any(
                        {768, 2304, 3072} & set(each)
                        for each in got.values()
                        if isinstance(each, list)
                    ),
                ),
                Mistake(
                    "norm-of-another-size",
                    "A layer norm has another size than n_embd, which is what a token "
                    "is made of.",
                    recognise=lambda got: any(
                        got[path] != [C] for path in W if path.startswith("ln_")
                    ),
                ),
                Mistake(
                    "one-norm-twice",
                    "ln_1 and ln_2 are one and the same layer norm; they are two.",
                    recognise=lambda got: not got["are two norms"],
                ),
                Mistake("no-bias", "A layer has no bias.", recognise=lacks_bias),
                Mistake(
                    "not-a-module",
                    "GPT2Block does not inherit from Module: MAX does not find its "
                    "parameters.",
                    recognise=lambda got: not got["is a Module"],
                ),
                Mistake(
                    "other-sizes",
                    "A part has other sizes than the configuration says.",
                    recognise=lambda got: not same(got, LAYOUT, 0.0),
                ),
                Mistake(
                    "part-missing",
                    "The parts are ln_1, attn, ln_2 and mlp, as in Hugging Face's "
                    "checkpoints.",
                    raises=r"GPT2Block has no `|has no `(ln_1|ln_2|attn|mlp)`",
                ),
                Mistake(
                    "part-of-another-kind",
                    "ln_1 and ln_2 are LayerNorm, attn GPT2Attention and mlp GPT2MLP.",
                    raises=r"has no `(c_attn|c_proj|c_fc|weight|bias)`",
                ),
                Mistake(
                    "arguments-of-mlp",
                    "GPT2MLP takes the intermediate size, then the configuration.",
                    raises=r"'int' object has no attribute|GPT2MLP\.__init__\(\) m",
                ),
                Mistake(
                    "epsilon-by-position",
                    "LayerNorm takes eps as a keyword argument: eps=...",
                    raises=r"LayerNorm\.__init__\(\) takes 2 positional",
                ),
                PART_ARGUMENTS,
                *SLIPS,
            ),
        ),
        Check(
            CALLS,
            calls,
            expect=lambda: block(X, P),
            where="GPT2Block.__call__",
            mistakes=(
                *(_mistake(name, *row) for name, row in WIRINGS.items()),
                *half_mistakes(),
                Mistake(
                    "another-epsilon",
                    "A norm has another epsilon than layer_norm_epsilon of the "
                    "configuration.",
                    recognise=other_epsilon,
                ),
                Mistake(
                    "wired-otherwise",
                    "The parts are right, but not wired as they should be: what goes "
                    "into the MLP, or what is added where, is something else.",
                    recognise=lambda got: (
                        not same(got, block(X, P), 5e-5) and wired(got)
                    ),
                ),
                *NOT_A_TENSOR,
                new_layers(calls_twice),
                *SLIPS,
            ),
        ),
        Check(
            "works at other sizes: 20 features, 2 heads, 30 inside, another epsilon",
            at_other_sizes,
            expect=other_sizes,
            needs=(CALLS,),
            where="GPT2Block",
            mistakes=(
                Mistake(
                    "one-size-only",
                    "It is right at one size only: numbers are written in instead of "
                    "taken from the configuration.",
                    recognise=lambda got: not same(got, other_sizes(), 1e-4),
                    raises=r".",
                ),
            ),
        ),
        Check(
            "hides the future: a later token changes nothing before it",
            in_pieces,
            accept=hides_the_future,
            needs=(CALLS,),
            where="GPT2Block.__call__",
        ),
        Check(
            "keeps the rows of a batch apart",
            in_pieces,
            accept=rows_apart,
            needs=(CALLS,),
            where="GPT2Block.__call__",
        ),
        Check(
            "leaves its input unchanged",
            input_afterwards,
            expect=lambda: X,
            needs=(CALLS,),
            where="GPT2Block.__call__",
        ),
        Check(
            "can be traced with any batch size and number of tokens",
            traces,
            expect=lambda: block(X, P),
            needs=(CALLS,),
            where="GPT2Block.__call__",
            mistakes=TRACING,
        ),
    ),
    compiled=Check(
        "compiled and run by MAX: the same answer",
        traces,
        expect=lambda: block(X, P),
        tolerance=1e-4,
    ),
)
