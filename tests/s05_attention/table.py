"""Step 5, ``attention.py``: split the heads, attend, merge them again.

Oracle: softmax(Q K^T / sqrt(D) + mask) V in each head, between ``c_attn`` and
``c_proj``. Vaswani et al. 2017, section 3.2; ``GPT2Attention`` in Hugging Face's
modeling_gpt2.py.
"""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from checker.table import Check, Flaw, Mistake, Table, flaws
from checker.verdict.compare import same
from tests.s05_attention import probes
from tests.s05_attention.probes import B, C, D, H, T, extreme, layer, qkv, weights
from tests.support import rows
from tests.support.data import Array, Weights
from tests.support.formulas import affine, causal_mask, softmax

Function = Callable[..., Array]


def split(x: Array, heads: int) -> Array:
    """[B, T, C] -> [B, H, T, D]"""
    return x.reshape(*x.shape[:-1], heads, -1).swapaxes(1, 2)


def merge(x: Array) -> Array:
    """[B, H, T, D] -> [B, T, C]"""
    b, h, t, d = x.shape
    return x.swapaxes(1, 2).reshape(b, t, h * d)


def transposed(x: Array) -> Array:
    return x.swapaxes(-1, -2)


def same_as(x: Array) -> Array:
    return x


def masked(scores: Array) -> Array:
    return scores + causal_mask(scores.shape[-1])


def attend(
    q: Array,
    k: Array,
    v: Array,
    *,
    scale: float | None = None,
    scores: Function = lambda q, k: q @ transposed(k),
    hide: Function = masked,
    normalize: Function = softmax,
    after: Function = same_as,
    collect: Function = np.matmul,
) -> Array:
    """softmax(q k^T / sqrt(D) + mask) v; the keyword arguments make the mistakes."""
    scaled = scores(q, k) * np.float32(q.shape[-1] ** -0.5 if scale is None else scale)
    return collect(after(normalize(hide(scaled))), v).astype(np.float32)


def attention(
    x: Array,
    w: Weights,
    heads: int,
    prefix: str = "",
    *,
    order: Iterable[str] = "qkv",
    cutting: Function = lambda qkv, heads: np.split(qkv, 3, -1),
    splitting: Function = split,
    merging: Function = merge,
    expand: Function = affine,
    project: Function = affine,
    **flaw: Any,
) -> Array:
    """The whole layer, [B, T, C] -> [B, T, C]."""
    c_attn, c_proj = (
        (w[f"{prefix}{name}.weight"], w[f"{prefix}{name}.bias"])
        for name in ("c_attn", "c_proj")
    )
    parts = dict(zip("qkv", cutting(expand(x, *c_attn), heads), strict=True))
    merged = merging(attend(*(splitting(parts[i], heads) for i in order), **flaw))
    return project(merged, *c_proj).astype(np.float32)


X, W = layer.x(layer.sizes), weights(layer.sizes)
Q, K, V = QKV = qkv()


def answer(heads: int = H, **flaw: Any) -> Array:
    """The layer's answer to the check's input, with a flaw."""
    return attention(X, W, heads, **flaw)


def past(scores: Array) -> Array:
    return np.tri(scores.shape[-1], dtype=np.float32)


def hidden(where: Callable[[int], Array]) -> Function:
    """A mask of -inf where ``where`` is true."""
    return lambda s: s + np.where(where(s.shape[-1]), -np.inf, 0).astype(np.float32)


def lowered(by: float) -> Function:
    return lambda s: s - np.float32(by) * (1 - past(s))


def replaced(value: float) -> Function:
    return lambda s: np.where(past(s) == 1, s, np.float32(value))


SCALES = (
    ("not-scaled", "the scores are not scaled", dict(scale=1.0)),
    ("scaled-by-embedding-size", "the scores are divided by sqrt(n_embd), not by the "
     "root of the head size", dict(scale=C**-0.5)),
    ("scaled-by-size", "the scores are divided by the head size: its root is missing, "
     "or they are scaled twice", dict(scale=1 / D)),
    ("scaled-by-heads", "the scores are divided by sqrt(n_head)", dict(scale=H**-0.5)),
    ("multiplied", "the scores are multiplied by sqrt(head size), not divided",
     dict(scale=D**0.5)),
    ("scaled-as-gpt2-small", "the scores are divided by 8, the root of GPT-2 small's "
     "head size of 64", dict(scale=1 / 8)),
    ("scaled-after-softmax", "the scale comes after the softmax",
     dict(scale=1.0, after=lambda w: w * D**-0.5)),
)  # fmt: skip
MASKS = (
    ("not-masked", "there is no mask: every token sees the future", dict(hide=same_as)),
    ("strict-mask-but-first", "no token but the first sees itself",
     dict(hide=hidden(lambda n: np.triu(np.ones((n, n)) * (np.arange(n) > 0)) > 0))),
    ("mask-one-ahead", "every token sees one token of the future",
     dict(hide=hidden(lambda n: ~np.tri(n, k=1, dtype=bool)))),
    ("mask-inverted", "the past is hidden and the future is seen",
     dict(hide=hidden(lambda n: np.tri(n, k=-1, dtype=bool)))),
    ("mask-multiplied", "the scores of the future are 0, not -inf: exp(0) is 1",
     dict(hide=replaced(0.0))),
    ("mask-multiplied-after-softmax", "the weights of the future are set to 0 after "
     "the softmax: the rest does not sum to 1",
     dict(hide=same_as, after=lambda w: w * past(w))),
)  # fmt: skip
INSIDE = (
    ("scores-dropped", "the scores are not used: all visible tokens count alike",
     dict(scale=0.0)),
    ("values-dropped", "the weights are returned, and the values are not used",
     dict(collect=lambda w, v: w)),
    ("merged-inside", "_attn merges the heads; that is _merge_heads' job",
     dict(collect=lambda w, v: merge(w @ v))),
    ("mask-minus-ten", "the scores of the future are lowered by 10; they have to be "
     "-inf", dict(hide=lowered(10))),
    ("strict-mask", "no token sees itself; the first one sees nothing and becomes NaN",
     dict(hide=hidden(lambda n: ~np.tri(n, k=-1, dtype=bool)))),
    ("mask-subtracted", "the mask is subtracted: -(-inf) opens the future",
     dict(hide=lambda s: s - causal_mask(T))),
    ("mask-times-scores", "the scores are multiplied by the mask: 0 times -inf is NaN",
     dict(hide=lambda s: s * causal_mask(T))),
    ("mask-after-softmax", "the mask is added after the softmax, to the weights",
     dict(hide=same_as, after=masked)),
    ("log-softmax", "the values are weighted with the logarithm of the softmax",
     dict(normalize=lambda s: np.log(softmax(s)))),
)  # fmt: skip
WEIGHTS = (
    ("no-softmax", "there is no softmax: the scores themselves weight the values",
     dict(normalize=same_as)),
    ("no-softmax-future-zero", "there is no softmax, and the scores of the future are "
     "0", dict(hide=replaced(0.0), normalize=same_as)),
    ("softmax-over-queries", "the softmax runs over the queries (axis -2), not over "
     "the keys", dict(normalize=partial(softmax, axis=-2))),
    ("softmax-over-heads", "the softmax runs over the heads (axis 1)",
     dict(normalize=partial(softmax, axis=1))),
    ("softmax-twice", "the softmax is applied twice",
     dict(normalize=lambda s: softmax(softmax(s)))),
    ("sigmoid", "there is a sigmoid where the softmax belongs",
     dict(normalize=lambda s: 1 / (1 + np.exp(-s)))),
    ("exponential", "the exponentials are not divided by their sum",
     dict(normalize=np.exp)),
    ("weights-transposed", "the weights are transposed before they meet the values",
     dict(collect=lambda w, v: transposed(w) @ v)),
)  # fmt: skip


def orders(name: str, message: str) -> tuple[Flaw, ...]:
    """Two or three of q, k and v mixed up, in all ways."""
    return tuple(
        (f"{name}-{''.join(three)}", message.format(*three), dict(order=three))
        for three in product("qkv", repeat=3)
        if three != ("q", "k", "v")
    )


def attend_to(order: Iterable[str] = "qkv", **flaw: Any) -> Array:
    return attend(*(QKV["qkv".index(i)] for i in order), **flaw)


def scaled_otherwise(got: Array) -> bool:
    """Whether a scale explains every value, and is not D**-0.5.

    Token 1 sees two tokens: the ratio of their weights tells the scale.
    """
    q, k, v = (each[:, :, :2].astype(np.float64) for each in QKV)
    apart = v[:, :, 0] - v[:, :, 1]
    w = ((got[:, :, 1] - v[:, :, 1]) * apart).sum(-1) / (apart**2).sum(-1)  # [B, H]
    scores = (q[:, :, 1] * (k[:, :, 0] - k[:, :, 1])).sum(-1)
    scale = (np.log(w / (1 - w)) / scores).flat[np.abs(w - 0.5).argmin()]
    return same(got, attend_to(scale=scale), 1e-4) and abs(scale * D**0.5 - 1) > 0.01


def hides_otherwise(got: Array) -> bool:
    """Whether each token attends to some tokens, but not to those up to itself."""
    if got.shape != Q.shape:
        return False
    subsets = np.array([s for s in product((False, True), repeat=T) if any(s)])
    seen = np.where(subsets, 0, -np.inf)  # [N, T]
    scores = (Q @ transposed(K))[..., None, :] / D**0.5 + seen  # [B, H, T, N, T]
    answers = softmax(scores) @ V[:, :, None]  # [B, H, T, N, D]
    fits = np.abs(answers - got[..., None, :]).max(-1) < 1e-4  # [B, H, T, N]
    causal = (subsets[None] == np.tri(T, dtype=bool)[:, None]).all(-1)  # [T, N]
    return bool(fits.any(-1).all() and not (fits & causal).any(-1).all())


SQUARE = (
    ("keys-not-transposed", "the keys are not transposed: Q K instead of Q K^T",
     dict(scores=lambda q, k: q @ k)),
    ("lengths-confused", "4 tokens, as many as a head has features, come out right, "
     "and 5 raise an exception: is a size taken from the wrong axis?", {}),
)  # fmt: skip
EXTREME = (
    ("maximum-not-subtracted", "exp is taken of the scores as they are: above 88 it is "
     "infinite. Subtract the greatest score of each row first",
     dict(normalize=lambda s: np.exp(s) / np.exp(s).sum(-1, keepdims=True))),
    *(("finite-mask", "a finite number, such as -100, hides the future: low scores or "
       "large values let it through; -inf never does", dict(hide=hide(by)))
      for by in (20, 30, 50, 80, 100) for hide in (lowered, lambda by: replaced(-by))),
)  # fmt: skip


def cut(x: Array, heads: int) -> Array:
    """[B, T, C] -> [B, T, H, D]"""
    return x.reshape(*x.shape[:2], heads, -1)


def split_by(heads: int = H, size: int = D, by: Function = split) -> Array:
    return by(probes.side_by_side(heads, size), heads)


def merge_by(heads: int = H, size: int = D, by: Function = merge) -> Array:
    return by(probes.in_heads(heads, size))


SPLITTING = (
    ("split-without-transpose", "the transpose is missing: this is [B, T, H, D]",
     dict(by=cut)),
    ("split-by-reshape-alone", "a reshape straight to [B, H, T, D] mixes tokens and "
     "heads: [B, T, H, D] comes first", dict(by=lambda x, h: x.reshape(B, h, T, D))),
    ("split-strided", "each head takes every third channel; it should take 4 "
     "neighbouring channels", dict(by=lambda x, h: cut(x, D).transpose(0, 3, 1, 2))),
    ("split-other-axes", "the last two axes are swapped: this is [B, H, D, T]",
     dict(by=lambda x, h: transposed(split(x, h)))),
    ("split-last-two-swapped", "the wrong two axes are swapped: this is [B, T, D, H]",
     dict(by=lambda x, h: transposed(cut(x, h)))),
    ("split-sizes-swapped", "number and size are swapped: these are 4 heads of 3",
     dict(by=lambda x, h: split(x, D))),
    ("split-not-at-all", "the tensor is returned as it was", dict(by=lambda x, h: x)),
)  # fmt: skip
MERGING = (
    ("merged-without-transpose", "the transpose to [B, T, H, D] is missing: tokens are "
     "mixed", dict(by=lambda x: x.reshape(B, T, C))),
    ("merged-strided", "the heads' channels alternate; each head's have to stay "
     "together", dict(by=lambda x: x.transpose(0, 2, 3, 1).reshape(B, T, C))),
    ("not-merged", "the reshape to [B, T, C] is missing: this is [B, T, H, D]",
     dict(by=lambda x: x.swapaxes(1, 2))),
    ("merge-not-at-all", "the tensor is returned as it was, with its heads",
     dict(by=same_as)),
    ("merged-in-reverse", "the heads are side by side in reverse order",
     dict(by=lambda x: merge(x[:, ::-1]))),
)  # fmt: skip


def within_heads(qkv: Array, heads: int) -> list[Array]:
    """q, k and v of each head side by side, as some checkpoints have them."""
    grouped = qkv.reshape(*qkv.shape[:2], heads, 3, -1)
    return [grouped[:, :, :, i].reshape(*qkv.shape[:2], -1) for i in range(3)]


SURROUNDING = (
    ("v-shifted-left", "v starts one channel too early",
     dict(cutting=lambda x, h: [x[..., i : i + C] for i in (0, C, 2 * C - 1)])),
    ("qkv-within-heads", "c_attn's output is cut into heads first, then into q, k and "
     "v; GPT-2 has all of q, then k, then v", dict(cutting=within_heads)),
    ("qkv-interleaved", "every third channel is taken for q, k and v; they are the "
     "first, second and last C channels",
     dict(cutting=lambda x, h: [x[..., i::3] for i in range(3)])),
    ("c_proj-missing", "c_proj is not applied at the end",
     dict(project=lambda x, w, b: x)),
    ("c_proj-without-bias", "c_proj is applied without its bias",
     dict(project=lambda x, w, b: x @ w.T)),
    ("c_proj-transposed", "c_proj's weight is not transposed: x W instead of x W^T",
     dict(project=lambda x, w, b: x @ w + b)),
    ("residual-inside", "the input is added to the result; that is the block's job",
     dict(project=lambda x, w, b: X + affine(x, w, b))),
    ("attention-dropped", "what attends is dropped: c_proj is applied to the input",
     dict(project=lambda x, w, b: affine(X, w, b))),
    ("values-only", "the values go straight to c_proj: nothing attends",
     dict(collect=lambda w, v: v)),
    ("input-returned", "the layer returns its input as it was",
     dict(project=lambda x, w, b: X)),
    ("one-head", "the heads are not split: there is one head of n_embd channels",
     dict(heads=1)),
    ("sizes-swapped", "number and size of the heads are swapped", dict(heads=D)),
)  # fmt: skip


def layout(c_attn: list[int], c_proj: list[int]) -> dict[str, list[int]]:
    """The structure of layers of these sizes, [out, in]."""
    layers = {"c_attn": c_attn, "c_proj": c_proj}.items()
    found = {f"{name}.weight": sorted(each, reverse=True) for name, each in layers}
    return {**found, **{f"{name}.bias": each[:1] for name, each in layers}}


SIZED = (
    ("c_attn-too-narrow", "c_attn makes C features; q, k and v need 3 * C",
     dict(c_attn=[C, C], c_proj=[C, C])),
    ("layers-swapped", "c_attn and c_proj are swapped: c_attn makes q, k and v of C "
     "features each", dict(c_attn=[C, C], c_proj=[3 * C, C])),
    ("c_proj-too-wide", "c_proj takes 3 * C features; the merged heads have C",
     dict(c_attn=[3 * C, C], c_proj=[C, 3 * C])),
    ("sizes-hard-coded", "the layers have GPT-2 small's sizes, whatever the "
     "configuration is", dict(c_attn=[2304, 768], c_proj=[768, 768])),
)  # fmt: skip
ATTENTION = rows.Rows(
    layer,
    lambda x, w, sizes: attention(x, w, sizes["n_head"]),
    "makes q, k and v with one layer, c_attn, and mixes the heads with c_proj",
    "projects, attends in every head and projects again",
)
SPLITS = "splits 12 channels into 3 heads of 4"
MERGES = "merges 3 heads of 4 into 12 channels"
ATTENDS = "attends: softmax of the scaled, masked scores, times the values"
GPT2_SMALL = "GPT-2 small's 12 heads of 64 are hard-coded; here there are 3 heads of 4."


def moves(name: str, method: str, oracle: Function, *table: Flaw) -> Check:
    """The row about a method that only moves numbers."""
    small = ("heads-hard-coded", GPT2_SMALL, dict(heads=12, size=64))
    return Check(
        name,
        "moves",
        (method, H, D),
        expect=oracle,
        needs=(ATTENTION.has,),
        where=f"GPT2Attention.{method}",
        mistakes=(
            *flaws(oracle, *table),
            *flaws(oracle, small, probe="moves", given=(method, 12, 64)),
            rows.NOTHING_RETURNED,
        ),
    )


MIDDLE = Check(
    ATTENDS,
    "attends",
    expect=attend_to,
    needs=(ATTENTION.has,),
    where="GPT2Attention._attn",
    mistakes=(
        *flaws(attend_to, *SCALES, *MASKS, *INSIDE, *WEIGHTS),
        *flaws(attend_to, *orders("attends", "softmax({} {}^T) {} is computed, not "
                                  "softmax(q k^T) v")),
        Mistake("scaled-by-another-number", "A different scale explains every value; "
                "it should be 1/sqrt(head size).", proves=scaled_otherwise),
        Mistake("hides-other-tokens", "A mask explains every value, but not the one "
                "that hides the future and nothing else.", proves=hides_otherwise),
        rows.two_at_once("Two mistakes together give this: in the scale, and in the "
                         "mask or the softmax.", attend_to, 5e-5, SCALES,
                         (*MASKS, *WEIGHTS)),
        *flaws(lambda **flaw: attend(*qkv(D, D), **flaw), *SQUARE,
               probe="attends_square_alone"),
        rows.NOTHING_RETURNED,
    ),
)  # fmt: skip

TABLE = Table(
    uses=("config", "causal"),
    checks=(
        ATTENTION.structure(
            *flaws(layout, *SIZED),
            rows.no_bias("A layer has no bias; c_attn and c_proj have one each.",
                         "c_attn.bias", "c_proj.bias"),
            Mistake("layer-missing", "The layers are c_attn (q, k and v) and c_proj.",
                    refused=r"has no `(c_attn|c_proj)`"),
        ),
        moves(SPLITS, "_split_heads", split_by, *SPLITTING),
        moves(MERGES, "_merge_heads", merge_by, *MERGING),
        MIDDLE,
        Check(
            "stays right when scores exceed 100 and a value is enormous",
            "attends_at_the_extremes",
            expect=lambda: attend(*extreme()),
            needs=(ATTENDS,),
            where="GPT2Attention._attn",
            tolerance=1e-3,
            mistakes=flaws(lambda **flaw: attend(*extreme(), **flaw), *EXTREME),
        ),
        ATTENTION.calls(
            *flaws(answer, *orders("order", "{}, {}, {} are used as q, k, v; c_attn "
                                   "makes q, then k, then v"), *SURROUNDING),
            *flaws(answer, *SCALES, *MASKS, *WEIGHTS),
            Mistake("heads-hard-coded", GPT2_SMALL, probe="handed_on",
                    proves=lambda got: [12, 64] in got["numbers"]),
            Mistake("heads-not-split", "_attn receives a tensor [B, T, C], not split "
                    "into heads.", probe="handed_on",
                    proves=lambda got: [B, T, C] in got["shapes"]),
            Mistake("heads-not-merged", "The result of _attn is not merged: with one "
                    "head the answer has an axis too many.", probe="with_one_head",
                    gives=lambda: answer(1)[:, None]),
            *rows.NOT_A_TENSOR,
            needs=(SPLITS, MERGES, ATTENDS),
        ),
        *ATTENTION.properties("3 rows of 37 tokens, one head of 20", causal=True),
    ),
    compiled=ATTENTION.compiled(),
)  # fmt: skip
