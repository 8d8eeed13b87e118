"""Step 5, ``attention.py``: split the heads, attend, merge them again.

Oracle: softmax(Q K^T / sqrt(D) + mask) V in each head, between ``c_attn`` and
``c_proj``. Vaswani et al. 2017, section 3.2; ``GPT2Attention`` in Hugging Face's
modeling_gpt2.py. Sizes differ pairwise (B=2, T=5, C=12, H=3, D=4), so that no two
axes can be confused unseen.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from checker.compare import same
from checker.probe import Learner, array, attribute, fill, replaced, tensor, traced
from checker.table import Check, Late, Mistake, Step
from tests.common import (
    NO_RETURN,
    affine,
    config,
    name_missing,
    new_layers,
    noise,
    softmax,
)
from tests.s02_causal import mask
from tests.s03_layernorm import TRACING

B, T, C, H, D = 2, 5, 12, 3, 4
SQUARE = 4  # as many tokens as features in a head: what needs T != D to fail runs here

Weights = dict[str, np.ndarray]


def weights(channels: int) -> Weights:
    """c_attn and c_proj, matrices as ``Linear`` stores them: [out, in]."""
    return {
        "c_attn.weight": noise("c_attn.weight", 3 * channels, channels) / 3,
        "c_attn.bias": noise("c_attn.bias", 3 * channels),
        "c_proj.weight": noise("c_proj.weight", channels, channels) / 3,
        "c_proj.bias": noise("c_proj.bias", channels),
    }


def split(x: np.ndarray, heads: int) -> np.ndarray:
    """[B, T, C] -> [B, H, T, D]"""
    return x.reshape(*x.shape[:-1], heads, -1).swapaxes(1, 2)


def merge(x: np.ndarray) -> np.ndarray:
    """[B, H, T, D] -> [B, T, C]"""
    b, h, t, d = x.shape
    return x.swapaxes(1, 2).reshape(b, t, h * d)


def attend(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    *,
    scale: float | None = None,
    masking: Callable[..., np.ndarray] | None = None,
    normalize: Callable[[np.ndarray], np.ndarray] = softmax,
    scores: Callable[..., np.ndarray] = lambda q, k: q @ k.swapaxes(-1, -2),
    after: Callable[..., np.ndarray] = lambda weights: weights,
    collect: Callable[..., np.ndarray] = lambda weights, v: weights @ v,
) -> np.ndarray:
    """softmax(q k^T / sqrt(D) + mask) v; the keyword arguments make the mistakes."""
    scaled = scores(q, k) * (q.shape[-1] ** -0.5 if scale is None else scale)
    hidden = mask(*(scaled.shape[-2], scaled.shape[-1] - scaled.shape[-2]))
    masked = scaled + hidden if masking is None else masking(scaled)
    return collect(after(normalize(masked)), v).astype(np.float32)


def attention(
    x: np.ndarray,
    w: Weights,
    heads: int = H,
    *,
    order: tuple[int, int, int] = (0, 1, 2),
    parts: Callable[..., Any] | None = None,
    splitting: Callable[..., np.ndarray] = split,
    merging: Callable[..., np.ndarray] = merge,
    project: Callable[..., np.ndarray] = affine,
    expand: Callable[..., np.ndarray] = affine,
    **flaws: Any,
) -> np.ndarray:
    """The whole layer, [B, T, C] -> [B, T, C]."""
    qkv = expand(x, w["c_attn.weight"], w["c_attn.bias"])
    three = np.split(qkv, 3, -1) if parts is None else parts(qkv, heads)
    q, k, v = (splitting(three[i], heads) for i in order)
    merged = merging(attend(q, k, v, **flaws))
    return project(merged, w["c_proj.weight"], w["c_proj.bias"]).astype(np.float32)


X = noise("x", B, T, C)
QKV = Q, K, V = tuple(2 * noise(name, B, H, T, D) for name in "qkv")
SQUARES = tuple(2 * noise("s" + name, B, SQUARE, SQUARE, SQUARE) for name in "qkv")
W = weights(C)


# The ways to be wrong in the middle, as flaws of ``attend``.


def _tril(scores: np.ndarray) -> np.ndarray:
    return np.tril(np.ones(scores.shape[-2:], np.float32))


def _infinite(where: Callable[[int], np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda s: (
        s + np.where(where(s.shape[-1]), np.float32(-np.inf), np.float32(0))
    )


def _strict_but_first(n: int) -> np.ndarray:
    hidden = ~np.tri(n, k=-1, dtype=bool)
    hidden[0, 0] = False  # without it the first row is NaN
    return hidden


def _replace(value: float) -> Callable[..., np.ndarray]:
    return lambda s: np.where(_tril(s) == 1, s, np.float32(value))


def _over(axis: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda s: softmax(s, axis)


def _renormalized(weights: np.ndarray) -> np.ndarray:
    kept = weights * _tril(weights)
    return kept / kept.sum(-1, keepdims=True)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


ALL = {"masking": lambda s: s}

FLAWS: dict[str, tuple[str, dict[str, Any]]] = {
    "not-scaled": ("the scores are not scaled", dict(scale=1.0)),
    "scaled-by-embedding-size": (
        "the scores are divided by sqrt(n_embd), not by the root of the head size",
        dict(scale=C**-0.5),
    ),
    "scores-dropped": (
        "the scores are not used: all visible tokens count alike",
        dict(scale=0.0),
    ),
    "scaled-by-size": (
        "the scores are divided by the head size itself: its square root is missing, "
        "or the scale is applied twice",
        dict(scale=1 / D),
    ),
    "scaled-by-embedding": ("the scores are divided by n_embd", dict(scale=1 / C)),
    "scaled-by-heads": ("the scores are divided by sqrt(n_head)", dict(scale=H**-0.5)),
    "scaled-by-head-count": ("the scores are divided by n_head", dict(scale=1 / H)),
    "scaled-by-length": (
        "the scores are divided by the root of the number of tokens",
        dict(scale=T**-0.5),
    ),
    "multiplied": (
        "the scores are multiplied by sqrt(head size) instead of divided",
        dict(scale=D**0.5),
    ),
    "multiplied-by-size": (
        "the scores are multiplied by the head size",
        dict(scale=float(D)),
    ),
    "scaled-as-gpt2-small": (
        "the scores are divided by 8, the root of GPT-2 small's head size of 64",
        dict(scale=1 / 8),
    ),
    "scaled-after-softmax": (
        "the scale comes after the softmax",
        dict(scale=1.0, after=lambda w: w * D**-0.5),
    ),
    "not-masked": ("there is no mask: every token sees the future", ALL),
    "strict-mask": (
        "a token does not see itself; the first one sees nothing and becomes NaN",
        dict(masking=_infinite(lambda n: ~np.tri(n, k=-1, dtype=bool))),
    ),
    "strict-mask-but-first": (
        "no token but the first sees itself",
        dict(masking=_infinite(_strict_but_first)),
    ),
    "mask-one-ahead": (
        "a token sees one token of the future",
        dict(masking=_infinite(lambda n: ~np.tri(n, k=1, dtype=bool))),
    ),
    "mask-inverted": (
        "the past is hidden and the future is seen",
        dict(masking=_infinite(lambda n: np.tri(n, k=-1, dtype=bool))),
    ),
    "mask-inverted-strict": (
        "the past and the token itself are hidden, the future is seen",
        dict(masking=_infinite(lambda n: np.tri(n, dtype=bool))),
    ),
    "mask-multiplied": (
        "the scores of the future are multiplied to 0, not set to -inf: exp(0) is 1",
        dict(masking=_replace(0.0)),
    ),
    "mask-added-ones": (
        "a mask of zeros and ones, not of 0 and -inf, is added to the scores",
        dict(masking=lambda s: s + _tril(s)),
    ),
    "mask-minus-ten": (
        "the scores of the future are lowered by 10, not to -inf",
        dict(masking=lambda s: s - 10 * (1 - _tril(s))),
    ),
    "mask-subtracted": (
        "the mask is subtracted: -(-inf) opens the future",
        dict(masking=lambda s: s - mask(s.shape[-2], 0)),
    ),
    "mask-times-scores": (
        "the scores are multiplied by the mask of 0 and -inf: 0 times -inf is NaN",
        dict(masking=lambda s: s * mask(s.shape[-2], 0)),
    ),
    "mask-after-softmax": (
        "the mask is added after the softmax, to the weights",
        ALL | dict(after=lambda w: w + mask(w.shape[-2], 0)),
    ),
    "mask-multiplied-after-softmax": (
        "the weights of the future are set to 0 after the softmax: the rest does not "
        "sum to 1 any more",
        ALL | dict(after=lambda w: w * _tril(w)),
    ),
    "only-itself": (
        "a token sees only itself",
        dict(masking=_infinite(lambda n: ~np.eye(n, dtype=bool))),
    ),
    "no-softmax": (
        "there is no softmax: the scores themselves weigh the values",
        dict(normalize=lambda s: s),
    ),
    "no-softmax-future-zero": (
        "there is no softmax, the scores of the future are set to 0",
        dict(masking=_replace(0.0), normalize=lambda s: s),
    ),
    "no-softmax-no-mask": (
        "there is neither mask nor softmax",
        ALL | dict(normalize=lambda s: s),
    ),
    "softmax-over-queries": (
        "the softmax runs over the queries (axis -2), not over the keys",
        dict(normalize=_over(-2)),
    ),
    "softmax-over-heads": (
        "the softmax runs over the heads (axis 1)",
        dict(normalize=_over(1)),
    ),
    "softmax-over-batch": (
        "the softmax runs over the batch (axis 0)",
        dict(normalize=_over(0)),
    ),
    "softmax-twice": (
        "the softmax is applied twice",
        dict(normalize=lambda s: softmax(softmax(s))),
    ),
    "log-softmax": (
        "the logarithm of the softmax weighs the values",
        dict(normalize=lambda s: np.log(softmax(s))),
    ),
    "sigmoid": ("a sigmoid stands where the softmax belongs", dict(normalize=_sigmoid)),
    "exponential": (
        "the exponentials are not divided by their sum",
        dict(normalize=np.exp),
    ),
    "values-dropped": (
        "the weights are returned, the values are not used",
        dict(collect=lambda w, v: w),
    ),
    "scores-by-queries": (
        "queries are compared with queries: the keys are not used",
        dict(scores=lambda q, k: q @ q.swapaxes(-1, -2)),
    ),
    "scores-by-keys": (
        "keys are compared with keys: the queries are not used",
        dict(scores=lambda q, k: k @ k.swapaxes(-1, -2)),
    ),
    "scores-transposed": (
        "query and key are swapped: K Q^T instead of Q K^T",
        dict(scores=lambda q, k: k @ q.swapaxes(-1, -2)),
    ),
    "weights-transposed": (
        "the weights are transposed before they meet the values",
        dict(collect=lambda w, v: w.swapaxes(-1, -2) @ v),
    ),
    "weights-averaged": (
        "the weights are averaged over the tokens instead of summed",
        dict(after=lambda w: w / w.shape[-1]),
    ),
}


def flawed(answer: Callable[..., np.ndarray]) -> tuple[Mistake, ...]:
    """The flaws of ``attend`` as mistakes of whatever contains it.

    Left out are those that do not fit (without the values the middle has another
    shape) and those that leave nothing but NaN, which tells nobody why.
    """

    def gives(flaws: dict[str, Any]) -> Callable[[], np.ndarray]:
        return lambda: answer(**flaws)

    return tuple(
        Mistake(name, f"This is what comes out when {message}.", gives=gives(flaws))
        for name, (message, flaws) in FLAWS.items()
        if _tells(answer, flaws)
    )


def _tells(answer: Callable[..., np.ndarray], flaws: dict[str, Any]) -> bool:
    try:
        with np.errstate(all="ignore"):
            return not np.isnan(answer(**flaws)).all()
    except ValueError:
        return False


def distinct(*mistakes: Mistake) -> tuple[Mistake, ...]:
    """Without those that give what one before them gives: the first is as true."""
    kept: list[Mistake] = []
    answers: list[tuple[object, object]] = []
    with np.errstate(all="ignore"):
        for mistake in mistakes:
            answer = (mistake.probe, mistake.gives and mistake.gives())
            known = any(answer[0] is p and same(answer[1], a, 5e-4) for p, a in answers)
            if mistake.gives is None or not known:
                kept.append(mistake)
                answers.append(answer)
    return tuple(kept)


def scaled_otherwise(got: Any) -> bool:
    """Whether a scale explains every value, and is not D**-0.5."""
    if not isinstance(got, np.ndarray) or got.shape != Q.shape:
        return False

    def miss(scale: float) -> float:
        return float(np.abs(attend(Q, K, V, scale=scale) - got).max())

    scales = np.geomspace(1e-3, 1e2, 101)
    for _ in range(8):  # finer and finer around the best
        best = scales[np.argmin([miss(scale) for scale in scales])]
        step = scales[1] / scales[0]
        scales = np.geomspace(best / step, best * step, 21)
    return miss(best) < 1e-4 and abs(best * D**0.5 - 1) > 1e-2


def hides_otherwise(got: Any) -> bool:
    """Whether each token attends to some tokens, but not to those up to itself."""
    if not isinstance(got, np.ndarray) or got.shape != Q.shape:
        return False
    subsets = np.array([s for s in product((False, True), repeat=T) if any(s)])
    seen = np.where(subsets, 0, -np.inf)  # [N, T]
    scores = (Q @ K.swapaxes(-1, -2))[..., None, :] / D**0.5 + seen  # [B, H, T, N, T]
    answers = softmax(scores) @ V[:, :, None]  # [B, H, T, N, D]
    fits = np.abs(answers - got[..., None, :]).max(-1) < 1e-4  # [B, H, T, N]
    causal = (subsets[None] == np.tri(T, dtype=bool)[:, None]).all(-1)  # [T, N]
    return bool(fits.any(-1).all() and not (fits & causal).any(-1).all())


# Probes, on the learner's GPT2Attention.


def layer(attention: Learner, channels: int = C, heads: int = H) -> Any:
    made = attention.GPT2Attention(config(n_embd=channels, n_head=heads))
    return fill(made, weights(channels))


def splits(attention: Learner) -> np.ndarray:
    call = attribute(layer(attention), "_split_heads")
    return array(call(tensor(X), H, D), "_split_heads(...)")


def merges(attention: Learner) -> np.ndarray:
    call = attribute(layer(attention), "_merge_heads")
    return array(call(tensor(Q), H, D), "_merge_heads(...)")


def attends(attention: Learner, qkv: tuple[np.ndarray, ...] = (Q, K, V)) -> np.ndarray:
    call = attribute(layer(attention), "_attn")
    answer = call(*(tensor(each) for each in qkv))
    first = answer[0] if isinstance(answer, tuple) else answer
    return array(first, "_attn(...)")


def attends_square(attention: Learner) -> np.ndarray:
    return attends(attention, SQUARES)


def calls(attention: Learner) -> np.ndarray:
    return array(layer(attention)(tensor(X)), "GPT2Attention(...)(hidden_states)")


def shapes(attention: Learner) -> dict[str, Any]:
    made = attention.GPT2Attention(config(n_embd=C, n_head=H))
    found = {}
    for path in W:
        value = attribute(made, path)
        shape = getattr(value, "shape", None)
        found[path] = (
            value if shape is None else sorted((int(n) for n in shape), reverse=True)
        )
    return found


def calls_twice(attention: Learner) -> list[np.ndarray]:
    made = layer(attention)
    return [array(made(tensor(X))) for _ in range(2)]


def handed_on(attention: Learner) -> list[list[int]]:
    """The shapes that ``__call__`` hands to ``_attn``."""
    made, seen = layer(attention), []

    def attn(*qkv: Any, **named: Any) -> Any:
        seen.extend([int(n) for n in each.shape] for each in (*qkv, *named.values()))
        return tensor(Q)

    with replaced(made, "_attn", attn):
        made(tensor(X))
    return seen


def at_size(channels: int, heads: int) -> Callable[[Learner], np.ndarray]:
    def probe(attention: Learner) -> np.ndarray:
        x = noise("sized", 2, 3, channels)
        made = layer(attention, channels, heads)
        return array(made(tensor(x)), "GPT2Attention(...)(hidden_states)")

    return probe


def sized(channels: int, heads: int) -> np.ndarray:
    return attention(noise("sized", 2, 3, channels), weights(channels), heads)


def later_tokens_changed(attention: Learner) -> dict[str, np.ndarray]:
    made = layer(attention)
    changed = X.copy()
    changed[:, 3:] += 1.0
    return {
        "before": array(made(tensor(X)))[:, :3],
        "after": array(made(tensor(changed)))[:, :3],
        "changed": array(made(tensor(changed)))[:, 3:],
    }


def one_by_one(attention: Learner) -> dict[str, np.ndarray]:
    made = layer(attention)
    rows = [array(made(tensor(X[i : i + 1]))) for i in range(B)]
    return {"together": array(made(tensor(X))), "apart": np.concatenate(rows)}


def input_afterwards(attention: Learner) -> np.ndarray:
    x = tensor(X)
    array(layer(attention)(x))
    return array(x)


def traces(attention: Learner) -> np.ndarray:
    made = layer(attention)
    return traced(made, made, ("batch", "seqlen", C), X)


# Properties.


def hides_the_future(got: dict[str, np.ndarray]) -> str | None:
    moved = np.abs(got["before"] - got["after"]).max()
    if np.isnan(moved) or moved > 1e-5:
        return (
            f"tokens 3 and 4 were changed, and tokens before them moved by {moved:.3g}"
        )
    return None


def rows_apart(got: dict[str, np.ndarray]) -> str | None:
    moved = np.abs(got["together"] - got["apart"]).max()
    if np.isnan(moved) or moved > 1e-4:
        return f"a row alone and the same row in a batch differ by {moved:.3g}"
    return None


def _heads_of_thirds(qkv: np.ndarray, heads: int) -> list[np.ndarray]:
    """q, k and v taken within each head, as some checkpoints store them."""
    b, t, _ = qkv.shape
    grouped = qkv.reshape(b, t, heads, 3, -1)
    return [grouped[:, :, :, i].reshape(b, t, -1) for i in range(3)]


def _interleaved(qkv: np.ndarray, heads: int) -> list[np.ndarray]:
    return [qkv[..., i::3] for i in range(3)]


def _shifted(part: int, by: int) -> Callable[..., list[np.ndarray]]:
    def parts(qkv: np.ndarray, heads: int) -> list[np.ndarray]:
        width = qkv.shape[-1] // 3
        starts = [width * i + by * (i == part) for i in range(3)]
        return [qkv[..., start : start + width] for start in starts]

    return parts


def _reshaped(x: np.ndarray, heads: int) -> np.ndarray:
    b, t, c = x.shape
    return x.reshape(b, heads, t, c // heads)


def _strided(x: np.ndarray, heads: int) -> np.ndarray:
    b, t, c = x.shape
    return x.reshape(b, t, c // heads, heads).transpose(0, 3, 1, 2)


def _merged_without_transpose(x: np.ndarray) -> np.ndarray:
    b, h, t, d = x.shape
    return x.reshape(b, t, h * d)


def _merged_strided(x: np.ndarray) -> np.ndarray:
    b, h, t, d = x.shape
    return x.transpose(0, 2, 3, 1).reshape(b, t, h * d)


def _wrong(id: str, message: str, gives: Callable[[], Any], **more: Any) -> Mistake:
    return Mistake(id, message, gives=gives, **more)


NAMES = ("q", "k", "v")
LAYERS = "makes q, k and v with one layer, c_attn, and mixes the heads with c_proj"
SPLITS = "splits 12 channels into 3 heads of 4"
MERGES = "merges 3 heads of 4 into 12 channels"
ATTENDS = "attends: softmax of the scaled, masked scores, times the values"
CALLS = "projects, attends in every head and projects again"

STEP = Step(
    uses=("config", "causal"),
    checks=(
        Check(
            LAYERS,
            shapes,
            expect=lambda: {
                path: sorted(value.shape, reverse=True) for path, value in W.items()
            },
            where="GPT2Attention.__init__",
            mistakes=(
                name_missing("GPT2Attention"),
                Mistake(
                    "layer-missing",
                    "A layer is missing or has another name: c_attn makes q, k and v "
                    "in one, c_proj comes after the heads are merged.",
                    raises="has no `c_(attn|proj)`",
                ),
                _wrong(
                    "c_attn-too-narrow",
                    "c_attn gives C features; q, k and v need 3 * C.",
                    lambda: {
                        "c_attn.weight": [C, C],
                        "c_attn.bias": [C],
                        "c_proj.weight": [C, C],
                        "c_proj.bias": [C],
                    },
                ),
                _wrong(
                    "c_proj-too-wide",
                    "c_proj takes 3 * C features; the merged heads have C.",
                    lambda: {"c_proj.weight": [3 * C, C]},
                ),
                Mistake(
                    "no-bias",
                    "A layer has no bias; GPT-2's c_attn and c_proj have one each.",
                    recognise=lambda got: 0 in got.values() or None in got.values(),
                ),
                Mistake(
                    "sizes-hard-coded",
                    "The layers have GPT-2 small's sizes whatever config says.",
                    recognise=lambda got: (
                        [2304, 768] in got.values() or [768, 768] in got.values()
                    ),
                ),
            ),
        ),
        Check(
            SPLITS,
            splits,
            expect=lambda: split(X, H),
            needs=(LAYERS,),
            where="GPT2Attention._split_heads",
            mistakes=(
                _wrong(
                    "split-without-transpose",
                    "This is [B, T, H, D]: the transpose to [B, H, T, D] is missing.",
                    lambda: X.reshape(B, T, H, D),
                ),
                _wrong(
                    "split-by-reshape-alone",
                    "A reshape straight to [B, H, T, D] mixes tokens and heads: go "
                    "to [B, T, H, D] first, then swap two axes.",
                    lambda: _reshaped(X, H),
                ),
                _wrong(
                    "split-strided",
                    "Each head takes every third channel; it is 4 neighbours.",
                    lambda: _strided(X, H),
                ),
                _wrong(
                    "split-other-axes",
                    "The axes are not in the order [B, H, T, D]: this is [B, H, D, T].",
                    lambda: X.reshape(B, T, H, D).transpose(0, 2, 3, 1),
                ),
                _wrong(
                    "split-heads-first",
                    "The heads come before the batch: this is [H, B, T, D].",
                    lambda: X.reshape(B, T, H, D).transpose(2, 0, 1, 3),
                ),
                _wrong(
                    "split-last-two-swapped",
                    "The wrong two axes are swapped: this is [B, T, D, H].",
                    lambda: X.reshape(B, T, H, D).swapaxes(2, 3),
                ),
                _wrong(
                    "split-sizes-swapped",
                    "Number and size of the heads are swapped: these are 4 heads of 3.",
                    lambda: split(X, D),
                ),
                _wrong(
                    "split-batch-swapped",
                    "The wrong two axes are swapped: this is [T, B, H, D].",
                    lambda: X.reshape(B, T, H, D).swapaxes(0, 1),
                ),
                _wrong(
                    "split-batch-and-heads-swapped",
                    "The wrong two axes are swapped: this is [H, T, B, D].",
                    lambda: X.reshape(B, T, H, D).swapaxes(0, 2),
                ),
                _wrong(
                    "split-not-at-all",
                    "The tensor comes back as it went in.",
                    lambda: X,
                ),
                NO_RETURN,
                Mistake(
                    "sizes-hard-coded",
                    "At GPT-2 small's sizes (12 heads of 64) this is right, at others "
                    "not: the numbers are written in, not taken from the arguments.",
                    probe=lambda attention: array(
                        attribute(layer(attention, 768, 12), "_split_heads")(
                            tensor(noise("wide", 1, 3, 768)), 12, 64
                        )
                    ),
                    gives=lambda: split(noise("wide", 1, 3, 768), 12),
                ),
            ),
        ),
        Check(
            MERGES,
            merges,
            expect=lambda: merge(Q),
            needs=(LAYERS,),
            where="GPT2Attention._merge_heads",
            mistakes=(
                _wrong(
                    "merged-without-transpose",
                    "The heads are merged without swapping [B, H, T, D] back to "
                    "[B, T, H, D] first: tokens are mixed.",
                    lambda: _merged_without_transpose(Q),
                ),
                _wrong(
                    "merged-strided",
                    "The channels of the heads are shuffled into each other: swap the "
                    "head axis with the token axis, not with the last.",
                    lambda: _merged_strided(Q),
                ),
                _wrong(
                    "merged-head-size-axis",
                    "The wrong two axes are swapped before the heads are merged.",
                    lambda: Q.swapaxes(-1, -2).reshape(B, T, C),
                ),
                _wrong(
                    "not-merged",
                    "The heads stand beside each other, [B, T, H, D]; the reshape to "
                    "[B, T, C] is missing.",
                    lambda: Q.swapaxes(1, 2),
                ),
                _wrong(
                    "merge-not-at-all",
                    "The tensor comes back as it went in.",
                    lambda: Q,
                ),
                NO_RETURN,
                _wrong(
                    "merged-tokens",
                    "The tokens are merged into the channels: this is [B, H, T * D].",
                    lambda: Q.reshape(B, H, T * D),
                ),
                _wrong(
                    "merged-in-reverse",
                    "The heads stand side by side in reverse order.",
                    lambda: merge(Q[:, ::-1]),
                ),
                _wrong(
                    "merged-by-mean",
                    "The heads are averaged; they belong side by side.",
                    lambda: Q.mean(1),
                ),
                _wrong(
                    "merged-by-sum",
                    "The heads are summed; they belong side by side.",
                    lambda: Q.sum(1),
                ),
                Mistake(
                    "sizes-hard-coded",
                    "At GPT-2 small's sizes (12 heads of 64) this is right, at others "
                    "not: the numbers are written in, not taken from the arguments.",
                    probe=lambda attention: array(
                        attribute(layer(attention, 768, 12), "_merge_heads")(
                            tensor(noise("wide", 1, 12, 3, 64)), 12, 64
                        )
                    ),
                    gives=lambda: merge(noise("wide", 1, 12, 3, 64)),
                ),
            ),
        ),
        Check(
            ATTENDS,
            attends,
            expect=lambda: attend(Q, K, V),
            needs=(LAYERS,),
            where="GPT2Attention._attn",
            mistakes=Late(
                lambda: distinct(
                    *flawed(lambda **flaws: attend(Q, K, V, **flaws)),
                    Mistake(
                        "softmax-over-another-axis",
                        "The softmax runs over another axis than the last, the keys.",
                        raises="softmax not supported on non-inner axis",
                    ),
                    NO_RETURN,
                    _wrong(
                        "merged-inside",
                        "_attn merges the heads already; that is _merge_heads' work.",
                        lambda: merge(attend(Q, K, V)),
                    ),
                    _wrong(
                        "heads-after-tokens",
                        "_attn swaps heads and tokens: this is [B, T, H, D].",
                        lambda: attend(Q, K, V).swapaxes(1, 2),
                    ),
                    Mistake(
                        "mask-of-head-size",
                        "The mask has the size of a head; it is for pairs of tokens.",
                        raises=rf"shape=\[Dim\({D}\), Dim\({D}\)\]",
                    ),
                    Mistake(
                        "mask-too-wide",
                        "The mask has columns for cached tokens; there are none here, "
                        "num_tokens is 0.",
                        raises=rf"shape=\[Dim\({T}\), Dim\({2 * T}\)\]",
                    ),
                    *(
                        _wrong(
                            "attends-" + "".join(NAMES[i] for i in order),
                            "The weights are softmax(q k^T / sqrt(D) + mask), and v is "
                            "weighed; taken for q, k and v are "
                            + ", ".join(NAMES[i] for i in order)
                            + ".",
                            lambda order=order: attend(*(QKV[i] for i in order)),  # type: ignore[misc]
                        )
                        for order in product(range(3), repeat=3)
                        if order != (0, 1, 2)
                    ),
                    _wrong(
                        "keys-not-transposed",
                        "The keys are not transposed: Q K instead of Q K^T.",
                        lambda: attend(*SQUARES, scores=lambda q, k: q @ k),
                        probe=attends_square,
                    ),
                    _wrong(
                        "keys-flipped",
                        "The wrong axes of the keys are swapped.",
                        lambda: attend(
                            *SQUARES, scores=lambda q, k: q @ k.swapaxes(1, 2)
                        ),
                        probe=attends_square,
                    ),
                    Mistake(
                        "scaled-by-another-number",
                        "All is explained by another scale than 1/sqrt(head size).",
                        recognise=scaled_otherwise,
                    ),
                    Mistake(
                        "hides-other-tokens",
                        "All is explained by a mask that does not hide the future, the "
                        "whole future and nothing else, in every head.",
                        recognise=hides_otherwise,
                    ),
                    Mistake(
                        "sizes-hard-coded",
                        "With 12 heads of 64 this is right, at other sizes not: GPT-2 "
                        "small's numbers are written in.",
                        probe=lambda attention: array(
                            attribute(layer(attention, 768, 12), "_attn")(
                                *(
                                    tensor(noise("w" + n, 1, 12, 3, 64) / 2)
                                    for n in "qkv"
                                )
                            )
                        ),
                        gives=lambda: attend(
                            *(noise("w" + n, 1, 12, 3, 64) / 2 for n in "qkv")
                        ),
                    ),
                )
            ),
        ),
        Check(
            CALLS,
            calls,
            expect=lambda: attention(X, W),
            needs=(SPLITS, MERGES, ATTENDS),
            where="GPT2Attention.__call__",
            mistakes=Late(
                lambda: distinct(
                    *(
                        _wrong(
                            "order-" + "".join(NAMES[i] for i in order),
                            "c_attn's output holds q, k and v, in this order; taken "
                            "for "
                            "them are " + ", ".join(NAMES[i] for i in order) + ".",
                            lambda order=order: attention(X, W, order=order),  # type: ignore[misc]
                        )
                        for order in product(range(3), repeat=3)
                        if order != (0, 1, 2)
                    ),
                    *(
                        _wrong(
                            f"{NAMES[i]}-shifted-{'left' if by < 0 else 'right'}",
                            f"The part taken for {NAMES[i]} starts one channel too "
                            f"{'early' if by < 0 else 'late'}.",
                            lambda i=i, by=by: attention(X, W, parts=_shifted(i, by)),  # type: ignore[misc]
                        )
                        for i, by in ((0, 1), (1, -1), (1, 1), (2, -1))
                    ),
                    Mistake(
                        "split-along-another-axis",
                        "q, k and v are cut from c_attn's output along another axis "
                        "than "
                        "the channels: F.split and F.chunk take axis 0 unless told.",
                        raises="Split sizes must sum|must statically divide",
                    ),
                    Mistake(
                        "softmax-over-another-axis",
                        "A softmax runs over another axis than the last, the keys.",
                        raises="softmax not supported on non-inner axis",
                    ),
                    Mistake(
                        "heads-not-split",
                        "_attn is given q, k and v that are not split into heads.",
                        probe=handed_on,
                        recognise=lambda got: [B, T, C] in got,
                    ),
                    Mistake(
                        "heads-not-merged",
                        "What _attn gives goes on without its heads merged.",
                        probe=at_size(C, 1),
                        gives=lambda: sized(C, 1)[:, None],
                    ),
                    NO_RETURN,
                    new_layers(calls_twice),
                    _wrong(
                        "qkv-within-heads",
                        "c_attn's output is cut into heads first and into q, k, v "
                        "within "
                        "each; GPT-2's holds all of q, then k, then v.",
                        lambda: attention(X, W, parts=_heads_of_thirds),
                    ),
                    _wrong(
                        "qkv-interleaved",
                        "Every third channel is taken for q, k and v; they are thirds.",
                        lambda: attention(X, W, parts=_interleaved),
                    ),
                    _wrong(
                        "c_proj-missing",
                        "c_proj is not applied at the end.",
                        lambda: attention(X, W, project=lambda x, w, b: x),
                    ),
                    _wrong(
                        "c_proj-twice",
                        "c_proj is applied twice.",
                        lambda: attention(
                            X, W, project=lambda x, w, b: affine(affine(x, w, b), w, b)
                        ),
                    ),
                    _wrong(
                        "c_proj-without-bias",
                        "c_proj is applied without its bias.",
                        lambda: attention(X, W, project=lambda x, w, b: x @ w.T),
                    ),
                    _wrong(
                        "c_proj-transposed",
                        "c_proj's weight is not transposed: x W instead of x W^T.",
                        lambda: attention(X, W, project=lambda x, w, b: x @ w + b),
                    ),
                    _wrong(
                        "c_attn-without-bias",
                        "c_attn is applied without its bias.",
                        lambda: attention(X, W, expand=lambda x, w, b: x @ w.T),
                    ),
                    _wrong(
                        "residual-inside",
                        "The input is added to the result; that is the block's work.",
                        lambda: X + attention(X, W),
                    ),
                    _wrong(
                        "attention-dropped",
                        "What attends is dropped: c_proj is applied to the input.",
                        lambda: affine(X, W["c_proj.weight"], W["c_proj.bias"]),
                    ),
                    _wrong(
                        "values-only",
                        "The values go straight to c_proj: nothing attends.",
                        lambda: attention(X, W, collect=lambda w, v: v),
                    ),
                    _wrong(
                        "queries-only",
                        "The queries go straight to c_proj: nothing attends.",
                        lambda: attention(
                            X, W, order=(2, 1, 0), collect=lambda w, v: v
                        ),
                    ),
                    _wrong(
                        "input-returned",
                        "The input comes back as it went in.",
                        lambda: X,
                    ),
                    _wrong(
                        "one-head",
                        "The heads are not split: there is one head of n_embd "
                        "channels.",
                        lambda: attention(X, W, heads=1),
                    ),
                    _wrong(
                        "one-head-scaled",
                        "The heads are not split, only the scale is a head's.",
                        lambda: attention(X, W, heads=1, scale=D**-0.5),
                    ),
                    _wrong(
                        "sizes-swapped",
                        "Number and size of the heads are swapped.",
                        lambda: attention(X, W, heads=D),
                    ),
                    _wrong(
                        "split-by-reshape-alone",
                        "A reshape straight to [B, H, T, D] mixes tokens and heads.",
                        lambda: attention(X, W, splitting=_reshaped),
                    ),
                    _wrong(
                        "split-and-merged-by-reshape-alone",
                        "The heads are split and merged without transposes.",
                        lambda: attention(
                            X, W, splitting=_reshaped, merging=_merged_without_transpose
                        ),
                    ),
                    _wrong(
                        "merged-without-transpose",
                        "The heads are merged without swapping [B, H, T, D] back "
                        "first.",
                        lambda: attention(X, W, merging=_merged_without_transpose),
                    ),
                    _wrong(
                        "split-strided",
                        "Each head takes every third channel; it is 4 neighbours.",
                        lambda: attention(X, W, splitting=_strided),
                    ),
                    *flawed(lambda **flaws: attention(X, W, **flaws)),
                    Mistake(
                        "sizes-hard-coded",
                        "At GPT-2 small's sizes this is right, at others not: its "
                        "numbers "
                        "are written in instead of taken from the configuration.",
                        probe=at_size(768, 12),
                        gives=lambda: sized(768, 12),
                    ),
                )
            ),
        ),
        Check(
            "works at other sizes: 2 heads of 10",
            at_size(20, 2),
            expect=lambda: sized(20, 2),
            needs=(CALLS,),
            where="GPT2Attention",
            mistakes=(
                Mistake(
                    "sizes-hard-coded",
                    "It is right for 3 heads of 4 only: numbers are written in instead "
                    "of taken from the configuration.",
                    recognise=lambda got: not same(got, sized(20, 2), 1e-3),
                ),
            ),
        ),
        Check(
            "hides the future: a later token changes nothing before it",
            later_tokens_changed,
            accept=hides_the_future,
            needs=(CALLS,),
            where="GPT2Attention._attn",
        ),
        Check(
            "keeps the rows of a batch apart",
            one_by_one,
            accept=rows_apart,
            needs=(CALLS,),
            where="GPT2Attention.__call__",
        ),
        Check(
            "leaves its input unchanged",
            input_afterwards,
            expect=lambda: X,
            needs=(CALLS,),
            where="GPT2Attention.__call__",
        ),
        Check(
            "can be traced with any batch size and number of tokens",
            traces,
            expect=lambda: attention(X, W),
            needs=(CALLS,),
            where="GPT2Attention.__call__",
            mistakes=TRACING,
        ),
    ),
    compiled=Check(
        "compiled and run by MAX: the same answer",
        traces,
        expect=lambda: attention(X, W),
        tolerance=1e-4,
    ),
)
