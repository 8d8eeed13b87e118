"""Step 6, ``block.py``: attention and MLP around one stream of vectors.

Oracle: h = x + attn(ln_1(x)), then h + mlp(ln_2(h)). Radford et al. 2019, section 2.3
(the norm before each sub-layer); ``GPT2Block`` in Hugging Face's modeling_gpt2.py.
What the parts compute is checked in their own steps; here it is how they are wired.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from checker.table import Check, Flaw, Mistake, Table, flaws, refusals
from checker.verdict.compare import same
from tests.s03_layernorm.table import DEFAULT, layer_norm
from tests.s04_mlp.table import mlp
from tests.s05_attention.table import attention
from tests.s06_block.probes import layer, weights
from tests.support.data import SIZES, Array, Sizes, Weights
from tests.support.rows import NOT_A_TENSOR, Rows

C, INNER, EPS = (SIZES[name] for name in ("n_embd", "n_inner", "layer_norm_epsilon"))
Function = Callable[[Array], Array]
Half = Callable[[Array, Function, Function], Array]


@dataclass(frozen=True)
class Parts:
    """A block's four parts as functions: n1, attn, n2, mlp."""

    w: Weights
    heads: int = SIZES["n_head"]
    prefix: str = ""
    eps: tuple[float, float] = (EPS, EPS)

    def n1(self, x: Array) -> Array:
        return self._norm("ln_1", x, self.eps[0])

    def n2(self, x: Array) -> Array:
        return self._norm("ln_2", x, self.eps[1])

    def _norm(self, name: str, x: Array, eps: float) -> Array:
        path = f"{self.prefix}{name}"
        return layer_norm(x, self.w[f"{path}.weight"], self.w[f"{path}.bias"], eps)

    def attn(self, x: Array) -> Array:
        return attention(x, self.w, self.heads, f"{self.prefix}attn.")

    def mlp(self, x: Array) -> Array:
        return mlp(x, self.w, SIZES, f"{self.prefix}mlp.")


def pre_norm(x: Array, norm: Function, part: Function) -> Array:
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


X, W = layer.x(layer.sizes), weights(layer.sizes)
P = Parts(W)
H = pre_norm(X, P.n1, P.attn)
"""The stream after the first half."""

HALVES: tuple[tuple[str, str, Half], ...] = (
    ("residual-missing", "the residual of {part} is missing", lambda x, n, f: f(n(x))),
    ("residual-normalized", "the residual of {part} is taken after {norm}, not before",
     lambda x, n, f: n(x) + f(n(x))),
    ("norm-missing", "{norm} is missing before {part}", lambda x, n, f: x + f(x)),
    ("norm-and-residual-missing", "{norm} and the residual of {part} are missing",
     lambda x, n, f: f(x)),
    ("post-norm", "{norm} comes after {part} and its residual (post-norm); GPT-2 "
     "normalizes before", lambda x, n, f: n(x + f(x))),
    ("norm-after", "{norm} is applied to the result of {part}; it belongs before",
     lambda x, n, f: x + n(f(x))),
    ("norm-after-without-residual", "{norm} is applied to the result of {part}, and "
     "the residual is missing", lambda x, n, f: n(f(x))),
    ("norm-before-and-after", "{norm} is applied before {part}, and again after the "
     "residual", lambda x, n, f: n(x + f(n(x)))),
    ("norm-twice", "{norm} is applied twice before {part}",
     lambda x, n, f: x + f(n(n(x)))),
    ("dropped", "the result of {part} is dropped", lambda x, n, f: x),
    ("left-out", "{part} is left out: {norm} goes straight to the residual",
     lambda x, n, f: x + n(x)),
    ("only-normalized", "the result of {part} is dropped: only {norm} is left",
     lambda x, n, f: n(x)),
    ("residual-twice", "the residual of {part} is added twice",
     lambda x, n, f: 2 * x + f(n(x))),
    ("averaged", "the mean of {part} and its residual is taken, not their sum",
     lambda x, n, f: (x + f(n(x))) / 2),
    ("residual-halved", "the residual of {part} is halved",
     lambda x, n, f: x / 2 + f(n(x))),
    ("twice", "{part} is applied twice", lambda x, n, f: x + f(f(n(x)))),
    ("residual-subtracted", "the residual of {part} is subtracted",
     lambda x, n, f: f(n(x)) - x),
    ("subtracted", "the result of {part} is subtracted from the residual",
     lambda x, n, f: x - f(n(x))),
    ("multiplied", "{part} and its residual are multiplied; they should be added",
     lambda x, n, f: x * f(n(x))),
)  # fmt: skip
WHERE = (
    ("attention", "the attention", "ln_1", ("first",)),
    ("mlp", "the MLP", "ln_2", ("second",)),
    ("both", "each sub-layer", "its norm", ("first", "second")),
)


def halves() -> Iterator[Flaw]:
    """Each flaw in the first half, in the second and in both."""
    for name, message, half in HALVES:
        for where, part, norm, places in WHERE:
            says = message.format(part=part, norm=norm)
            yield f"{where}-{name}", says, dict.fromkeys(places, half)


def answer(**flaw: Any) -> Array:
    """The block's answer to the check's input, with a flaw in one half or both."""
    return block(X, P, **flaw)


def wired(by: Callable[[], Array]) -> Array:
    return by()


def norms(first: Function, second: Function) -> Array:
    h = X + P.attn(first(X))
    return h + P.mlp(second(h))


def mlp_first(first: Function, second: Function) -> Array:
    h = X + P.mlp(first(X))
    return h + P.attn(second(h))


WIRINGS = (
    ("ln_1-twice", "ln_1 is used for both sub-layers; the MLP has its own, ln_2",
     dict(by=lambda: norms(P.n1, P.n1))),
    ("ln_2-twice", "ln_2 is used for both sub-layers, or is the same object as ln_1",
     dict(by=lambda: norms(P.n2, P.n2))),
    ("norms-swapped", "ln_1 and ln_2 are swapped", dict(by=lambda: norms(P.n2, P.n1))),
    ("both-norms-in-a-row", "ln_2 follows ln_1 before the attention, and the MLP has "
     "no norm", dict(by=lambda: norms(lambda x: P.n2(P.n1(x)), lambda h: h))),
    ("mlp-first", "the MLP comes before the attention, and they have each other's norm",
     dict(by=lambda: mlp_first(P.n1, P.n2))),
    ("mlp-first-with-its-norm", "the MLP comes before the attention",
     dict(by=lambda: mlp_first(P.n2, P.n1))),
    ("parallel", "the MLP works on the block's input, beside the attention and not "
     "after it", dict(by=lambda: H + P.mlp(P.n2(X)))),
    ("parallel-one-norm", "attention and MLP both work on ln_1 of the input, side by "
     "side", dict(by=lambda: H + P.mlp(P.n1(X)))),
    ("second-residual-is-the-input", "the second residual is the block's input, not "
     "the sum after the attention", dict(by=lambda: X + P.mlp(P.n2(H)))),
    ("input-added-again", "the block's input is added once more at the end",
     dict(by=lambda: X + answer())),
    ("residual-only-at-the-end", "there is one residual around both sub-layers; each "
     "has its own", dict(by=lambda: X + P.mlp(P.n2(P.attn(P.n1(X)))))),
    ("residuals-at-the-end", "the MLP works on the attention's result, before the "
     "residual is added", dict(by=lambda: H + P.mlp(P.n2(P.attn(P.n1(X)))))),
    ("attention-as-residual", "the second residual is the attention's result, without "
     "the first residual", dict(by=lambda: H - X + P.mlp(P.n2(H)))),
    ("mlp-of-the-norm", "the MLP works on ln_2 of ln_1 of the input, not of the sum",
     dict(by=lambda: H + P.mlp(P.n2(P.n1(X))))),
    ("mlp-of-the-attention", "the MLP works on the attention's result, without "
     "residual and norm", dict(by=lambda: H + P.mlp(H - X))),
    ("first-residual-normalized-again", "the second residual is ln_1 of the input",
     dict(by=lambda: P.n1(X) + P.mlp(P.n2(H)))),
    ("attention-for-mlp", "the attention is used in place of the MLP, too",
     dict(by=lambda: H + P.attn(P.n2(H)))),
    ("mlp-for-attention", "the MLP is used in place of the attention, too",
     dict(by=lambda: block(X, P, lambda x, n, f: x + P.mlp(n(x))))),
    ("first-norm-at-the-end", "there is one more layer norm, ln_1, at the end",
     dict(by=lambda: P.n1(answer()))),
    ("applied-twice", "the whole block is applied twice",
     dict(by=lambda: block(answer(), P))),
)  # fmt: skip


def with_eps(*eps: float) -> Array:
    return block(X, Parts(W, eps=(eps[0], eps[1])))


EPSILONS = (
    ("epsilon-ignored", "layer_norm_epsilon is not used: both norms have 1e-5",
     dict(by=lambda: with_eps(DEFAULT, DEFAULT))),
    ("epsilon-ignored-in-ln_1", "ln_1 has 1e-5, not layer_norm_epsilon",
     dict(by=lambda: with_eps(DEFAULT, EPS))),
    ("epsilon-ignored-in-ln_2", "ln_2 has 1e-5, not layer_norm_epsilon",
     dict(by=lambda: with_eps(EPS, DEFAULT))),
    *(("another-epsilon", "a norm has another epsilon than layer_norm_epsilon",
       dict(by=lambda pair=pair: with_eps(*pair))) for e in (1.0, 0.5, EPS**0.5, EPS**2)
      for pair in ((e, e), (e, EPS), (EPS, e))),
)  # fmt: skip


def two_halves(got: Array) -> bool:
    """Whether each half has a flaw of its own."""
    for one, _, first in HALVES:
        stream = first(X, P.n1, P.attn)
        for other, _, second in HALVES:
            found = second(stream, P.n2, P.mlp)
            if one != other and same(got, found, BLOCK.tolerance):
                return True
    return False


def in_mlp(inner: int) -> dict[str, list[int]]:
    """The sizes of an MLP that is so wide inside."""
    matrix = sorted((inner, C), reverse=True)
    layers = {"mlp.c_fc.weight": matrix, "mlp.c_proj.weight": matrix}
    return {**layers, "mlp.c_fc.bias": [inner], "mlp.c_proj.bias": [C]}


def in_norm(name: str, size: int) -> dict[str, list[int]]:
    return {f"{name}.weight": [size], f"{name}.bias": [size]}


SMALL = "a part has GPT-2 small's sizes (768, 3072), whatever the configuration is"
WIDE = "a layer norm has n_inner features; a token has n_embd"
SIZED = (
    ("n_inner-computed", "the MLP's intermediate size is 4 * n_embd; it should be "
     "n_inner", in_mlp(4 * C)),
    ("n_inner-not-used", "the MLP's intermediate size is n_embd; it should be n_inner",
     in_mlp(C)),
    ("n_inner-multiplied", "the MLP's intermediate size is 4 * n_inner; it should be "
     "n_inner", in_mlp(4 * INNER)),
    ("sizes-hard-coded", SMALL, in_mlp(3072)),
    *(("sizes-hard-coded", SMALL, in_norm(name, 768)) for name in ("ln_1", "ln_2")),
    *(("norm-of-n_inner", WIDE, in_norm(name, INNER)) for name in ("ln_1", "ln_2")),
)  # fmt: skip
BLOCK = Rows(
    layer,
    right,
    "has the parts ln_1, attn, ln_2 and mlp, sized as the configuration says",
    "adds the attention of ln_1 to its input, then the MLP of ln_2 to the sum",
)
TWO = "ln_1 and ln_2 are two layer norms"

TABLE = Table(
    uses=("config", "layernorm", "mlp", "attention"),
    checks=(
        BLOCK.structure(
            *flaws(dict, *SIZED),
            *refusals(
                ("part-missing", "The parts are called ln_1, attn, ln_2 and mlp, as in "
                 "Hugging Face's checkpoints.",
                 r"^GPT2Block has no `(ln_1|attn|ln_2|mlp)`"),
                ("part-of-another-kind", "ln_1 and ln_2 are LayerNorm, attn is "
                 "GPT2Attention and mlp is GPT2MLP.",
                 r"has no `(c_attn|c_proj|c_fc|weight|bias)`"),
            ),
        ),
        Check(
            TWO,
            "are_two_norms",
            expect=lambda: True,
            needs=(BLOCK.has,),
            where="GPT2Block.__init__",
            mistakes=(Mistake("one-norm-twice", "ln_1 and ln_2 are one and the same "
                              "norm.", gives=lambda: False),),
        ),
        BLOCK.calls(
            *flaws(wired, *WIRINGS, *EPSILONS),
            *flaws(answer, *halves()),
            Mistake("two-mistakes", "Two mistakes together give this: one around the "
                    "attention, one around the MLP.", proves=two_halves),
            *NOT_A_TENSOR,
            needs=(BLOCK.has, TWO),
        ),
        *BLOCK.properties("20 features, 2 heads, 90 inside, another epsilon",
                          causal=True, extremes="large values"),
    ),
    compiled=BLOCK.compiled(),
)  # fmt: skip
