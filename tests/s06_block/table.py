"""Step 6, ``block.py``: attention and MLP around one stream of vectors.

Oracle: h = x + attn(ln_1(x)), then h + mlp(ln_2(h)). Radford et al. 2019, section 2.3
(the norm before each sub-layer); ``GPT2Block`` in Hugging Face's modeling_gpt2.py.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from checker.table import Check, Flaw, Mistake, Table, distinct, flaws, refusals
from checker.verdict.compare import same
from tests.s03_layernorm.table import DEFAULT, layer_norm
from tests.s04_mlp.table import mlp
from tests.s05_attention.table import attention
from tests.s06_block.probes import layer, weights
from tests.support.data import SIZES, Array, Sizes, Weights
from tests.support.layers import features
from tests.support.rows import NOT_A_TENSOR, Rows, two_at_once

C, INNER, EPS = SIZES["n_embd"], SIZES["n_inner"], SIZES["layer_norm_epsilon"]
Part = Callable[[Array], Array]
Half = Callable[[Array, Part, Part], Array]


@dataclass(frozen=True)
class Parts:
    """A block's four parts as functions: n1, attn, n2, mlp."""

    w: Weights
    heads: int
    prefix: str = ""
    eps: tuple[float, float] = (EPS, EPS)

    def n1(self, x: Array) -> Array:
        return self._norm("ln_1", x, self.eps[0])

    def n2(self, x: Array) -> Array:
        return self._norm("ln_2", x, self.eps[1])

    def _norm(self, name: str, x: Array, eps: float) -> Array:
        path = self.prefix + name
        return layer_norm(x, self.w[f"{path}.weight"], self.w[f"{path}.bias"], eps)

    def attn(self, x: Array) -> Array:
        return attention(x, self.w, self.heads, f"{self.prefix}attn.")

    def mlp(self, x: Array) -> Array:
        return mlp(x, self.w, {}, f"{self.prefix}mlp.")


def pre_norm(x: Array, norm: Part, part: Part) -> Array:
    """One half of a block: keep, normalize, transform, add."""
    return x + part(norm(x))


def block(
    x: Array, parts: Parts, first: Half = pre_norm, second: Half = pre_norm
) -> Array:
    """Both halves, one after the other; other halves make the mistakes."""
    return second(first(x, parts.n1, parts.attn), parts.n2, parts.mlp)


def right(x: Array, w: Weights, sizes: Sizes) -> Array:
    eps = sizes["layer_norm_epsilon"]
    return block(x, Parts(w, sizes["n_head"], eps=(eps, eps)))


X, W, HEADS = features(layer.sizes), weights(layer.sizes), SIZES["n_head"]
P = Parts(W, HEADS)

# What can be wrong in one half: in the first, in the second, in both.

HALVES: tuple[tuple[str, str, Half], ...] = (
    ("residual-missing", "the residual of {half} is missing", lambda x, n, f: f(n(x))),
    ("residual-normalized", "the residual of {half} is taken after {norm}, not before",
     lambda x, n, f: n(x) + f(n(x))),
    ("norm-missing", "{norm} is missing before {half}", lambda x, n, f: x + f(x)),
    ("norm-and-residual-missing", "{norm} and the residual of {half} are missing",
     lambda x, n, f: f(x)),
    ("post-norm", "{norm} comes after {half} and its residual (post-norm); GPT-2 "
     "normalizes before", lambda x, n, f: n(x + f(x))),
    ("norm-after", "{norm} is applied to what {half} gives; it belongs before",
     lambda x, n, f: x + n(f(x))),
    ("norm-after-without-residual", "{norm} is applied to what {half} gives, and the "
     "residual is missing", lambda x, n, f: n(f(x))),
    ("norm-before-and-after", "{norm} is applied before {half}, and again after the "
     "residual", lambda x, n, f: n(x + f(n(x)))),
    ("norm-twice", "{norm} is applied twice before {half}",
     lambda x, n, f: x + f(n(n(x)))),
    ("dropped", "what {half} computes is dropped", lambda x, n, f: x),
    ("left-out", "{half} is left out: {norm} goes straight to the residual",
     lambda x, n, f: x + n(x)),
    ("only-normalized", "what {half} computes is dropped: only {norm} is left",
     lambda x, n, f: n(x)),
    ("residual-twice", "the residual of {half} is added twice",
     lambda x, n, f: 2 * x + f(n(x))),
    ("averaged", "the mean of {half} and its residual is taken; it should be their sum",
     lambda x, n, f: (x + f(n(x))) / 2),
    ("residual-halved", "the residual of {half} is halved",
     lambda x, n, f: x / 2 + f(n(x))),
    ("twice", "{half} is applied twice", lambda x, n, f: x + f(f(n(x)))),
    ("residual-subtracted", "the residual of {half} is subtracted",
     lambda x, n, f: f(n(x)) - x),
    ("subtracted", "what {half} gives is subtracted from the residual",
     lambda x, n, f: x - f(n(x))),
    ("multiplied", "the residual of {half} is multiplied; it should be added",
     lambda x, n, f: x * f(n(x))),
)  # fmt: skip


def halves(name: str, half: str, norm: str, *places: str) -> Iterator[Flaw]:
    """Each flaw in these places: "first", "second" or both."""
    for flaw, message, wrong in HALVES:
        told = message.format(half=half, norm=norm)
        yield f"{name}-{flaw}", told, dict.fromkeys(places, wrong)


FIRST = tuple(halves("attention", "the attention", "ln_1", "first"))
SECOND = tuple(halves("mlp", "the MLP", "ln_2", "second"))
BOTH = tuple(halves("both", "each sub-layer", "its norm", "first", "second"))

# What can be wrong between the halves.

Wiring = Callable[[Array, Parts], Array]


def norms_as(n1: str, n2: str) -> Wiring:
    """The block with these norms in the places of ln_1 and ln_2."""

    def wired(x: Array, p: Parts) -> Array:
        h = x + p.attn(getattr(p, n1)(x))
        return h + p.mlp(getattr(p, n2)(h))

    return wired


def mlp_first(n1: str, n2: str) -> Wiring:
    def wired(x: Array, p: Parts) -> Array:
        h = x + p.mlp(getattr(p, n1)(x))
        return h + p.attn(getattr(p, n2)(h))

    return wired


def after(wired: Callable[[Array, Array, Parts], Array]) -> Wiring:
    """Wirings that have the first half right: of the input, its result, the parts."""
    return lambda x, p: wired(x, pre_norm(x, p.n1, p.attn), p)


WIRINGS: tuple[tuple[str, str, Wiring], ...] = (
    ("ln_1-twice", "ln_1 is used for both sub-layers; the MLP has its own, ln_2",
     norms_as("n1", "n1")),
    ("ln_2-twice", "ln_2 is used for both sub-layers; the attention has its own, ln_1",
     norms_as("n2", "n2")),
    ("norms-swapped", "ln_1 and ln_2 are swapped", norms_as("n2", "n1")),
    ("both-norms-in-a-row", "ln_2 follows ln_1 before the attention, and the MLP has "
     "no norm", lambda x, p: (h := x + p.attn(p.n2(p.n1(x)))) + p.mlp(h)),
    ("mlp-first", "the MLP comes before the attention, and they have each other's norm",
     mlp_first("n1", "n2")),
    ("mlp-first-with-its-norm", "the MLP comes before the attention",
     mlp_first("n2", "n1")),
    ("parallel", "the MLP works on the block's input, beside the attention and not "
     "after it", lambda x, p: x + p.attn(p.n1(x)) + p.mlp(p.n2(x))),
    ("parallel-one-norm", "attention and MLP both work on ln_1 of the input, side by "
     "side", lambda x, p: x + p.attn(p.n1(x)) + p.mlp(p.n1(x))),
    ("second-residual-is-the-input", "the second residual is the block's input, not "
     "the sum after the attention", after(lambda x, h, p: x + p.mlp(p.n2(h)))),
    ("input-added-again", "the block's input is added once more at the end",
     after(lambda x, h, p: x + h + p.mlp(p.n2(h)))),
    ("residual-only-at-the-end", "there is one residual around both sub-layers; each "
     "has its own", lambda x, p: x + p.mlp(p.n2(p.attn(p.n1(x))))),
    ("residuals-at-the-end", "the MLP works on what the attention gives, before the "
     "residual is added", after(lambda x, h, p: h + p.mlp(p.n2(p.attn(p.n1(x)))))),
    ("attention-as-residual", "the second residual is what the attention gives, "
     "without the first residual",
     after(lambda x, h, p: p.attn(p.n1(x)) + p.mlp(p.n2(h)))),
    ("mlp-of-the-norm", "the MLP works on ln_1 of the input instead of ln_2 of the sum",
     after(lambda x, h, p: h + p.mlp(p.n2(p.n1(x))))),
    ("mlp-of-the-attention", "the MLP works on what the attention gives, without "
     "residual and norm", after(lambda x, h, p: h + p.mlp(p.attn(p.n1(x))))),
    ("first-residual-normalized-again", "the second residual is ln_1 of the input",
     after(lambda x, h, p: p.n1(x) + p.mlp(p.n2(h)))),
    ("attention-for-mlp", "the attention is used in place of the MLP as well",
     after(lambda x, h, p: h + p.attn(p.n2(h)))),
    ("mlp-for-attention", "the MLP is used in place of the attention as well",
     lambda x, p: (h := x + p.mlp(p.n1(x))) + p.mlp(p.n2(h))),
    ("first-norm-at-the-end", "there is one more layer norm, ln_1, at the end",
     lambda x, p: p.n1(block(x, p))),
    ("applied-twice", "the whole block is applied twice",
     lambda x, p: block(block(x, p), p)),
)  # fmt: skip
EPSILONS = (
    ("epsilon-ignored", "both norms have an epsilon of 1e-5, not layer_norm_epsilon of "
     "the configuration", dict(eps=(DEFAULT, DEFAULT))),
    ("epsilon-ignored-in-ln_1", "ln_1 has an epsilon of 1e-5, not layer_norm_epsilon",
     dict(eps=(DEFAULT, EPS))),
    ("epsilon-ignored-in-ln_2", "ln_2 has an epsilon of 1e-5, not layer_norm_epsilon",
     dict(eps=(EPS, DEFAULT))),
)  # fmt: skip


def answer(
    *,
    wiring: Wiring | None = None,
    eps: tuple[float, float] = (EPS, EPS),
    **wrong: Half,
) -> Array:
    """The block's answer to the check's input, with a flaw."""
    parts = Parts(W, HEADS, eps=eps)
    found = wiring(X, parts) if wiring else block(X, parts, **wrong)
    return found.astype(np.float32)


def layout(*, norm: int = C, inner: int = INNER) -> dict[str, Any]:
    """The structure of a block whose norms or MLP have other sizes."""
    mlp = weights({**layer.sizes, "n_inner": inner})
    sizes = {path: sorted(w.shape, reverse=True) for path, w in mlp.items()}
    norms = {path: [norm] for path in sizes if path.startswith("ln_")}
    return {**sizes, **norms, "is a Module": True, "parameters": sorted(sizes)}


SIZED = (
    ("n_inner-computed", "The MLP's intermediate size is 4 * n_embd here; it should be "
     "n_inner of the configuration.", dict(inner=4 * C)),
    ("n_inner-not-used", "The MLP's intermediate size is n_embd here; it should be "
     "n_inner of the configuration.", dict(inner=C)),
    ("n_inner-multiplied", "The MLP's intermediate size is 4 * n_inner here; n_inner "
     "is the size itself.", dict(inner=4 * INNER)),
    ("sizes-hard-coded", "The parts have GPT-2 small's sizes, 768 and 3072, whatever "
     "the configuration is.", dict(norm=768, inner=3072)),
    ("norms-hard-coded", "The norms have GPT-2 small's size, 768, whatever the "
     "configuration is.", dict(norm=768)),
    ("inner-hard-coded", "The MLP's intermediate size is GPT-2 small's, 3072, whatever "
     "the configuration is.", dict(inner=3072)),
    ("norms-of-n_inner", "The norms have n_inner features; a token has n_embd.",
     dict(norm=INNER)),
)  # fmt: skip

BLOCK = Rows(
    layer,
    right,
    "has the parts ln_1, attn, ln_2 and mlp, sized as the configuration says",
    "adds the attention of ln_1 to its input, then the MLP of ln_2 to the sum",
)

TABLE = Table(
    uses=("config", "layernorm", "mlp", "attention"),
    checks=(
        BLOCK.structure(
            *flaws(layout, *SIZED),
            *refusals(("part-missing", "The parts are ln_1, attn, ln_2 and mlp, as "
                       "in Hugging Face's checkpoints.",
                       r"has no `(ln_1|ln_2|attn|mlp)`")),
        ),
        Check(
            "ln_1 and ln_2 are two layer norms", "are_two_norms",
            expect=lambda: True, needs=(BLOCK.has,), where="GPT2Block.__init__",
            mistakes=(Mistake("one-norm-twice", "ln_1 and ln_2 are one and the same "
                              "layer norm.", gives=lambda: False, quiet=True),),
        ),
        BLOCK.calls(
            *distinct(
                *flaws(answer, *((name, told, dict(wiring=wiring))
                                 for name, told, wiring in WIRINGS),
                       *EPSILONS, *FIRST, *SECOND, *BOTH),
                like=lambda a, b: same(a, b, 5e-4),
            ),
            two_at_once("Two things are off, one in each half: a residual or a norm "
                        "around the attention, and one around the MLP.",
                        answer, BLOCK.tolerance, FIRST, SECOND),
            *NOT_A_TENSOR,
        ),
        *BLOCK.properties("20 features, 2 heads, 30 inside, another epsilon",
                          causal=True),
    ),
    compiled=BLOCK.compiled(),
)  # fmt: skip
