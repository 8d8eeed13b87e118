"""Step 11, ``sampling.py``: what may be drawn, and how a Sampler draws from it.

Oracles: the repetition penalty of Keskar et al. 2019, section 4.1; top-k of Fan et al.
2018, section 5.4; top-p of Holtzman et al. 2020, section 3.1; their order is that of
transformers' ``generate``. ``tests/course/test_sampling.py`` compares them with arrays
recorded from transformers. A Sampler is judged by how often each token is drawn: a
right one is rejected less than once in a million runs.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from checker.table import Check, Flaw, Mistake, Table, flaws, refusals, sentence
from checker.verdict.compare import same
from tests.s11_sampling import probes
from tests.s11_sampling.probes import (
    CASES,
    FEW,
    HEAP,
    LOGITS,
    NEAR,
    PENALTY,
    PLAIN,
    SEEN,
    SHIFTS,
    Case,
    Ids,
    K,
    P,
    V,
)
from tests.support import sampling
from tests.support.data import Array
from tests.support.formulas import softmax
from tests.support.rows import name_missing
from tests.support.sampling import Drawn, Shares, Ways, chances, forgiving, shared

Function = Callable[..., Any]
Asked = tuple[float, str]

# The repetition penalty


def lowered(x: float, penalty: float, times: int) -> float:
    """A logit that is divided where it is positive, and multiplied where it is not."""
    return x / penalty if x > 0 else x * penalty


def penalize(
    z: Array,
    ids: Any,
    penalty: float,
    *,
    seen: Callable[[Any], dict[int, int]] = lambda ids: Counter(np.ravel(ids).tolist()),
    change: Callable[[float, float, int], float] = lowered,
    before: Callable[[Array], Array] = lambda z: z,
    after: Callable[[Array, list[int]], Array] = lambda z, ids: z,
) -> Array:
    """The logits with those of ``ids`` lowered; the keyword arguments make mistakes."""
    z = before(z).astype(np.float64)
    tokens = seen(ids)
    for token, times in tokens.items():
        z[token] = change(z[token], penalty, times)
    return np.asarray(after(z, [*tokens]), np.float32)


def penalized(*asked: Asked, **flaw: Any) -> list[Array]:
    forms = ((penalty, probes.FORMS[form]()) for penalty, form in asked)
    return [penalize(PLAIN, ids, penalty, **flaw) for penalty, ids in forms]


def only(*ids: int) -> dict[int, int]:
    return dict.fromkeys(ids, 1)


CHANGING: tuple[Flaw, ...] = (
    ("negative-divided", "negative logits are divided too: -2 becomes -1, and the "
     "token more probable; multiply them", dict(change=lambda x, p, n: x / p)),
    ("positive-multiplied", "positive logits are multiplied by the penalty: the tokens "
     "become more probable; divide them", dict(change=lambda x, p, n: x * p)),
    ("wrong-way-round", "positive logits are multiplied and negative ones divided; it "
     "is the other way round", dict(change=lambda x, p, n: x * p if x > 0 else x / p)),
    ("penalty-for-each-occurrence", "a token is penalized once for each time it occurs "
     "in ids; it counts once", dict(change=lambda x, p, n: lowered(x, p**n, n))),
    ("penalty-subtracted", "the penalty is subtracted; positive logits are divided by "
     "it and negative ones multiplied", dict(change=lambda x, p, n: x - p)),
    ("penalty-subtracted-each-time", "the penalty is subtracted for each time that a "
     "token occurs in ids", dict(change=lambda x, p, n: x - n * p)),
    ("negative-left", "only positive logits change; negative ones are multiplied by "
     "the penalty", dict(change=lambda x, p, n: x / p if x > 0 else x)),
    ("positive-left", "only negative logits change; positive ones are divided by the "
     "penalty", dict(change=lambda x, p, n: x if x > 0 else x * p)),
    ("penalty-twice", "the penalty is applied twice",
     dict(change=lambda x, p, n: lowered(x, p * p, n))),
    ("forbidden", "the tokens of ids are left out altogether; they only become less "
     "probable", dict(change=lambda x, p, n: -np.inf)),
    ("zeroed", "the logits of the tokens of ids become 0",
     dict(change=lambda x, p, n: 0.0)),
)  # fmt: skip
CHOOSING: tuple[Flaw, ...] = (
    ("all-tokens", "all tokens are penalized; only those in ids are",
     dict(seen=lambda ids: only(*range(V)))),
    ("other-tokens", "the tokens that are not in ids are penalized; it should be those "
     "in ids", dict(seen=lambda ids: only(*set(range(V)) - set(np.ravel(ids))))),
    ("last-token-only", "only the last token of ids is penalized",
     dict(seen=lambda ids: only(np.ravel(ids)[-1]))),
    ("first-token-only", "only the first token of ids is penalized",
     dict(seen=lambda ids: only(np.ravel(ids)[0]))),
    ("repeated-only", "only tokens that occur twice or more are penalized",
     dict(seen=lambda ids: {i: n for i, n in Counter(np.ravel(ids)).items() if n > 1})),
    ("single-only", "only tokens that occur once are penalized; repeated ones are too",
     dict(seen=lambda ids: {i: n for i, n in Counter(np.ravel(ids)).items() if n < 2})),
    ("nothing-penalized", "The logits are returned as they were: nothing is penalized. "
     "Does a change of a copy get lost?", dict(seen=lambda ids: {})),
    *(("next-to-it", "the tokens with an id one larger or smaller are penalized",
       dict(seen=lambda ids, by=by: only(*(np.ravel(ids) + by) % V)))
      for by in (1, -1)),
)  # fmt: skip
RETURNING: tuple[Flaw, ...] = (
    ("probabilities-penalized", "the penalty is applied to probabilities; it is for "
     "logits", dict(before=softmax)),
    ("log-probabilities-penalized", "the penalty is applied to the logarithms of "
     "probabilities, which are all negative; it is for logits",
     dict(before=lambda z: np.log(softmax(z)))),
    *(("others-lost", "the tokens that are not in ids have lost their logits",
       dict(after=lambda z, ids, by=by: np.where(np.isin(np.arange(V), ids), z, by)))
      for by in (0, -np.inf)),
    *(("seen-only-returned", "only the logits of the tokens in ids are returned; all "
       "are wanted", dict(after=lambda z, ids, by=by: z[by(ids)]))
      for by in (list, sorted, lambda ids: SEEN)),
)  # fmt: skip


def count_rows(ids: Any) -> dict[int, int]:
    """In how many rows a token occurs."""
    return Counter(token for row in np.atleast_2d(ids) for token in {*row.tolist()})


SHAPED: tuple[Flaw, ...] = (
    ("last-tokens-only", "only the last tokens of a long text are penalized; all are",
     dict(seen=lambda ids: Counter(np.ravel(ids)[-64:].tolist()))),
    ("first-row-only", "only the first row of ids is read",
     dict(seen=lambda ids: only(*np.atleast_2d(ids)[0]))),
    ("last-row-only", "only the last row of ids is read",
     dict(seen=lambda ids: only(*np.atleast_2d(ids)[-1]))),
    ("penalty-for-each-row", "a token is penalized once for each row of ids in which "
     "it occurs; it counts once", dict(
         seen=count_rows, change=lambda x, p, n: lowered(x, p**n, n))),
)  # fmt: skip

# Top-k and top-p: the most probable tokens have the ranks 0, 1, 2 …


def ranks(z: Array) -> Array:
    """Of equal logits the lower id has the lower rank."""
    return np.argsort(np.argsort(-z, kind="stable"))


def marked(z: Array, kept: Array) -> Array:
    return np.where(kept, z, -np.inf)


def keep(
    z: Array,
    k: int,
    *,
    ranking: Callable[[Array], Array] = ranks,
    kept: Callable[[Array, int], Array] = lambda ranks, k: ranks < k,
    show: Callable[[Array, Array], Array] = marked,
    dtype: Any = np.float32,
) -> Array:
    """The k most probable tokens; the keyword arguments make the mistakes."""
    return np.asarray(show(z, kept(ranking(z), k)), dtype)


def reach(w: Array, p: float) -> int:
    """How many of the probabilities, the largest first, it takes to have p."""
    return int((np.cumsum(w) < p).sum()) + 1


def nucleus(
    z: Array,
    p: float,
    *,
    weights: Callable[[Array], Array] = softmax,
    count: Callable[[Array, float], int] = reach,
    everything: Callable[[float], bool] = lambda p: p >= 1,
    **flaw: Any,
) -> Array:
    """The fewest tokens that have p together."""
    w = weights(-np.sort(-z.astype(np.float64)))
    return keep(z, len(z) if everything(p) else count(w, p), **flaw)


def several(oracle: Function, *asked: tuple[str, float], **flaw: Any) -> list[Array]:
    """The answers to pairs of a name of LOGITS and a setting."""
    return [oracle(LOGITS[name], setting, **flaw) for name, setting in asked]


def sorted_first(z: Array, kept: Array, sign: int = -1) -> Array:
    """What is kept in sorted order, and the others behind."""
    return sign * np.sort(sign * marked(z, kept))


NOT_UNDONE = (
    "sorted-order-not-undone", "places in the sorted order are used as ids: the tokens "
    "with the first ids are kept"
)  # fmt: skip
SHOWING: tuple[Flaw, ...] = (
    *(("probabilities-returned", "probabilities are returned; a filter takes logits "
       "and returns logits, and the softmax comes after it", dict(show=show))
      for show in (
          lambda z, kept: marked(softmax(z), kept),
          lambda z, kept: softmax(z) * kept,
          lambda z, kept: softmax(marked(z, kept)),
      )),
    *(("log-probabilities-returned", "logarithms of probabilities are returned; what "
       "is kept should keep its logit", dict(show=show))
      for show in (
          lambda z, kept: marked(np.log(softmax(z)), kept),
          lambda z, kept: np.log(softmax(marked(z, kept))),
      )),
    ("shifted", "the largest logit is subtracted from all; what is kept should keep "
     "its logit", dict(show=lambda z, kept: marked(z - z.max(), kept))),
    *(("sorted-order-returned", "the logits are returned in sorted order; each belongs "
       "in the place of its token", dict(show=partial(sorted_first, sign=sign)))
      for sign in (-1, 1)),
    *(("others-missing", "only the logits that are kept are returned; the others have "
       "to be there as -inf", dict(show=show))
      for show in (
          lambda z, kept: -np.sort(-z[kept]),
          lambda z, kept: np.sort(z[kept]),
          lambda z, kept: z[kept],
      )),
    *(("ids-returned", "the ids of the tokens are returned; logits are wanted",
       dict(show=show, dtype=np.int64))
      for show in (
          lambda z, kept: np.argsort(-z, kind="stable")[: kept.sum()],
          lambda z, kept: np.argsort(z, kind="stable")[-kept.sum() :],
          lambda z, kept: np.flatnonzero(kept),
      )),
    *(("mask-returned", "True and False are returned, or 1 and 0; logits are wanted",
       dict(show=lambda z, kept: kept, dtype=dtype))
      for dtype in (bool, np.int64, np.float32)),
    ("raised", "the other tokens get the smallest logit that is kept; -inf should "
     "leave them out", dict(show=lambda z, kept: np.maximum(z, z[kept].min()))),
    ("nothing-left-out", "the logits are returned as they were: nothing is left out",
     dict(show=lambda z, kept: z)),
    ("inverted", "what should be kept is left out, and the other way round",
     dict(show=lambda z, kept: marked(z, ~kept))),
    (*NOT_UNDONE, dict(ranking=lambda z: np.arange(len(z)))),
    ("order-not-inverted", "what argsort gives is taken for the tokens' ranks; it is "
     "their ids in the order of rank",
     dict(ranking=lambda z: np.argsort(-z, kind="stable"))),
    ("least-probable", "the least probable tokens are kept: the order is ascending",
     dict(ranking=lambda z: ranks(-z))),
)  # fmt: skip
COUNTING: tuple[Flaw, ...] = (
    ("one-too-many", "one token too many is kept", dict(kept=lambda r, k: r <= k)),
    ("one-too-few", "one token too few is kept", dict(kept=lambda r, k: r < k - 1)),
)


def left_out_with(want: Array, finite: bool) -> Callable[[Any], bool]:
    """Whether the right tokens are kept, and the others have some number, or NaN."""
    kept = want > -np.inf

    def proves(got: Array) -> bool:
        others = got[~kept]
        alike = bool((others == others[0]).all()) and np.isfinite(others[0])
        others_so = alike if finite else np.isnan(others).all()
        return bool(got.shape == want.shape and others_so
                    and same(got[kept], want[kept], 5e-5))  # fmt: skip

    return proves


def left_out(want: Array) -> tuple[Mistake, ...]:
    return (
        Mistake("left-out-finite", "The right tokens are kept, but the others have a "
                "finite logit: they can still be drawn. -inf leaves them out.",
                proves=left_out_with(want, finite=True)),
        Mistake("left-out-nan", "The right tokens are kept, but the others have the "
                "logit NaN; -inf leaves them out.",
                proves=left_out_with(want, finite=False)),
    )  # fmt: skip


TIED: tuple[Flaw, ...] = (
    ("ties-kept", "all tokens are kept whose logit equals the last one kept; of equal "
     "ones only as many are needed, the lower ids first",
     dict(show=lambda z, kept: marked(z, z >= z[kept].min()))),
    ("ties-left-out", "all tokens are left out whose logit equals the last one needed; "
     "of equal ones the lower ids should be kept",
     dict(show=lambda z, kept: marked(z, z > z[kept].min()))),
    ("ties-reversed", "the higher ids are kept among equal logits; it should be the "
     "lower ones", dict(ranking=lambda z: ranks(z[::-1])[::-1])),
)  # fmt: skip


def other_ties(function: str, setting: float) -> Mistake:
    """The right number of tokens with the right logits, but other ones of equals."""
    oracle = {"top_k": keep, "top_p": nucleus}[function]

    @cache
    def known() -> tuple[Array, Array]:
        reversed_too = dict(TIED[2][2])
        return oracle(FEW, setting), oracle(FEW, setting, **reversed_too)

    def proves(got: Array) -> bool:
        want, but = known()
        kept = got > -np.inf
        return bool(
            got.dtype == want.dtype
            and np.array_equal(np.sort(got), np.sort(want))
            and np.array_equal(got[kept], FEW[kept])
            and not np.array_equal(got, want)
            and not np.array_equal(got, but)
        )

    return Mistake(
        "ties-anyhow",
        "The right logits are kept, but among equal ones it should be the lower ids. "
        "np.argsort keeps their order with kind='stable'; np.argpartition does not.",
        proves=proves,
    )


NUCLEUS: tuple[Flaw, ...] = (
    ("nucleus-short", "one token too few is kept: the one that reaches p belongs to "
     "the nucleus", dict(count=lambda w, p: reach(w, p) - 1)),
    ("nucleus-long", "one token too many is kept: the others reach p already",
     dict(count=lambda w, p: reach(w, p) + 1)),
    ("rest-kept", "the tokens that are kept reach 1 - p; they should reach p",
     dict(count=lambda w, p: reach(w, 1 - p))),
    ("part-of-the-largest", "a token is kept if it has at least p times the largest "
     "probability: that is min-p",
     dict(count=lambda w, p: int((w >= p * w[0]).sum()))),
    ("part-of-the-tokens", "a part p of the tokens is kept, as if all were equally "
     "probable", dict(count=lambda w, p: int(p * V))),
    ("softmax-twice", "softmax is applied to probabilities, which makes them nearly "
     "equal", dict(weights=lambda z: softmax(softmax(z)))),
    ("not-probabilities", "logits or their exponentials are summed; it should be "
     "probabilities, which sum to 1", dict(weights=np.exp)),
    ("nothing-left", "no token is left at all, not even the most probable one",
     dict(count=lambda w, p: 0)),
    ("summed-from-the-least", "the probabilities are summed from the smallest up: the "
     "least probable tokens are kept",
     dict(count=lambda w, p: reach(w[::-1], p), ranking=lambda z: ranks(-z))),
)  # fmt: skip


def by_id(z: Array, p: float) -> Array:
    """The first tokens that have p together, in the order of their ids."""
    return marked(z, np.arange(len(z)) < reach(softmax(z.astype(np.float64)), p))


def found_first(w: Array, p: float) -> int:
    """As ``argmax`` finds the place where p is reached: 0 where it never is."""
    return int((np.cumsum(w) >= p).argmax()) + 1


ALL_OF_THEM: tuple[Flaw, ...] = (
    ("tail-lost", "the sum has reached 1 by rounding before the last tokens, which are "
     "left out; if p is 1 or more, all should be kept",
     dict(everything=lambda p: False)),
    *(("never-reached", "no sum reaches p, and argmax is 0 then; if p is 1 or more, "
       "all tokens should be kept",
       dict(everything=lambda p, rule=rule: rule(p), count=found_first))
      for rule in (lambda p: False, lambda p: p == 1)),
    ("one-left-out", "one token is left out, though all are wanted",
     dict(everything=lambda p: False, count=lambda w, p: V - 1)),
)  # fmt: skip
BEYOND: tuple[Flaw, ...] = (
    ("k-beyond-v", "V - k is used as an index, which counts from the end if k is more "
     "than V; all tokens should be kept then",
     dict(kept=lambda r, k: r < (len(r) if k <= len(r) else k - len(r)))),
    ("one-left-out", "one token is left out, though all are wanted",
     dict(kept=lambda r, k: r < len(r) - 1)),
    ("everything-left-out", "nothing is kept if k is more than V; all should be",
     dict(kept=lambda r, k: r < (k if k <= len(r) else 0))),
)  # fmt: skip

# The Sampler: z are the logits, then what a step makes of them.

Step = Callable[[Shares, Case], Shares]


def penalizing(z: Shares, c: Case, times: int = 1) -> Shares:
    p = c.settings.get("penalty", 1.0) ** times
    at = np.unique(c.ids)
    return shown(z, at, np.where(z[at] > 0, z[at] / p, z[at] * p))


def shown(z: Shares, at: Array, values: Shares) -> Shares:
    z = z.copy()
    z[at] = values
    return z


def heated(z: Shares, c: Case) -> Shares:
    return z / c.settings.get("temperature", 1.0)


def cut_k(z: Shares, c: Case, more: int = 0) -> Shares:
    return marked(z, ranks(z) < c.settings.get("top_k", len(z)) + more)


def cut_p(z: Shares, c: Case, more: int = 0) -> Shares:
    p = c.settings.get("top_p", 1.0)
    w = chances(-np.sort(-z))
    return z if p >= 1 else marked(z, ranks(z) < reach(w, p) + more)


def drawn(*steps: Step) -> Callable[[Case], Shares]:
    """The chances after these steps."""

    def way(c: Case) -> Shares:
        z = c.logits.astype(np.float64)
        for step in steps:
            z = step(z, c)
        return chances(z)

    return way


RIGHT = (penalizing, heated, cut_k, cut_p)


def shifting(z: Shares, c: Case) -> Shares:
    return np.asarray(z - z.max())


def after_steps(name: str, steps: tuple[Step, ...]) -> Callable[[], Array]:
    """The logits of a case after these steps, float32."""
    case = CASES[name]

    def logits() -> Array:
        z = case.logits.astype(np.float64)
        for step in steps:
            z = step(z, case)
        return z.astype(np.float32)

    return logits


def without(*steps: Step) -> Callable[[Case], Shares]:
    return drawn(*(step for step in RIGHT if step not in steps))


def moved(change: Callable[[Shares], Shares]) -> Callable[[Case], Shares]:
    """The right chances, given to other tokens."""
    return lambda c: change(drawn(*RIGHT)(c))


def moved_last(change: Callable[[Shares, Case], Shares]) -> Callable[[Case], Shares]:
    """What is drawn from probabilities that are changed at the end."""
    return lambda c: change(without(penalizing)(c), c)


def to_places(p: Shares) -> Shares:
    """The chances of what is kept, for its places instead of its ids."""
    return np.array([*p[p > 0], *np.zeros((p == 0).sum())])


Way = tuple[str, str, tuple[Callable[[Case], Shares], ...]]

PLAINLY: tuple[Way, ...] = (
    ("always-greedy", "the most probable token is always taken: none is drawn",
     (lambda c: np.eye(len(c.logits))[c.logits.argmax()],)),
    ("uniform", "all tokens that are left are equally probable: their logits are not "
     "used", (moved(lambda p: shared((p > 0) * 1.0)),)),
    ("index-one-off", "each token drawn has an id that is one too large or too small",
     (moved(lambda p: np.roll(p, 1)), moved(lambda p: np.roll(p, -1)))),
    ("rank", "a place in the sorted order is taken as the token's id",
     (moved(lambda p: np.sort(p)[::-1]), moved(np.sort))),
    ("temperature-no-effect", "the temperature has no effect: it is ignored, or comes "
     "after the softmax", (without(heated),)),
    ("temperature-twice", "the temperature is applied twice",
     (drawn(penalizing, heated, heated, cut_k, cut_p),)),
    ("temperature-multiplied", "the logits are multiplied by the temperature instead "
     "of divided",
     (drawn(penalizing, lambda z, c: z * c.settings.get("temperature", 1.0), cut_k,
            cut_p),)),
)  # fmt: skip
FREELY: tuple[Way, ...] = (
    *PLAINLY,
    ("softmax-again", "a softmax is applied to probabilities again",
     (lambda c: chances(drawn(*RIGHT)(c)),
      drawn(lambda z, c: chances(z), heated),
      lambda c: chances(without(heated)(c) * c.settings["temperature"]))),
    ("no-softmax", "the logits themselves are the weights, without exponentials: the "
     "softmax is missing",
     tuple(lambda c, weigh=weigh: shared(weigh(c.logits.astype(float)))
           for weigh in (lambda z: np.clip(z, 0, None), np.abs,
                         lambda z: z - z.min()))),
    ("filter-unasked", "the most probable tokens alone are drawn, though neither top_k "
     "nor top_p is given", (
         *(moved(partial(sampling.top, k=k)) for k in (*range(2, 11), 20, 40, 50, 64)),
         *(moved(partial(sampling.up_to, part=part))
           for part in (0.5, 0.7, 0.8, 0.9, 0.95)),
     )),
    ("penalty-unasked", "the tokens of ids are penalized, though no penalty is given",
     tuple(drawn(lambda z, c, p=p: penalizing(z, by(c, penalty=p)), heated)
           for p in (1.1, 1.2, 1.3, 1.5, 2.0))),
    ("noise-not-gumbel", "noise is added that does not have Gumbel's distribution, "
     "-log(-log(u))",
     tuple(lambda c, noise=noise: sampling.largest(heated(c.logits, c), noise)
           for noise in sampling.NOISES)),
)  # fmt: skip


def by(c: Case, **settings: Any) -> Case:
    """The case with other settings, the logits and ids staying as they are."""
    return replace(c, settings={**c.settings, **settings})


def probable(z: Shares, c: Case) -> Shares:
    return chances(z)


def least_k(z: Shares, c: Case) -> Shares:
    return marked(z, ranks(-z) < c.settings["top_k"])


AMONG: tuple[Way, ...] = (
    *(way for way in PLAINLY if way[0] != "rank"),
    ("place-for-id", "a place among the tokens that are left is taken as the token's "
     "id", (moved(to_places), moved(lambda p: np.sort(p)[::-1]), moved(np.sort))),
    ("softmax-before-filter", "the softmax comes before a filter: probabilities are "
     "filtered as if they were logits, and the softmax is applied to them again",
     (drawn(penalizing, heated, probable, cut_k, cut_p),)),
)  # fmt: skip
WITH_K: tuple[Way, ...] = (
    *AMONG,
    ("top-k-ignored", "top_k has no effect: all tokens are drawn", (without(cut_k),)),
    ("one-too-many", "one token too many is kept",
     (drawn(heated, partial(cut_k, more=1)),)),
    ("one-too-few", "one token too few is kept",
     (drawn(heated, partial(cut_k, more=-1)),)),
    ("least-probable", "the least probable tokens are kept: the order is ascending",
     (drawn(heated, least_k),)),
)  # fmt: skip
WITH_P: tuple[Way, ...] = (
    *AMONG,
    ("top-p-ignored", "top_p has no effect: all tokens are drawn", (without(cut_p),)),
    ("filter-before-temperature", "top_p comes before the temperature: the "
     "probabilities that it sums are not those that are drawn from",
     (drawn(cut_p, heated),)),
    ("nucleus-short", "one token too few is kept: the one that reaches p belongs to "
     "the nucleus", (drawn(heated, partial(cut_p, more=-1)),)),
    ("nucleus-long", "one token too many is kept: the others reach p already",
     (drawn(heated, partial(cut_p, more=1)),)),
)  # fmt: skip
WITH_BOTH: tuple[Way, ...] = (
    *AMONG,
    ("not-renormalized", "top_p is applied to all tokens, before top_k, or not at all; "
     "it should act on what top_k has left, whose probabilities sum to 1 again",
     (drawn(penalizing, heated, cut_p, cut_k),)),
    ("top-k-ignored-with-p", "top_k is not applied where top_p is given too",
     (without(cut_k),)),
    ("filter-before-temperature", "top_p comes before the temperature: the "
     "probabilities that it sums are not those that are drawn from",
     (drawn(penalizing, cut_k, cut_p, heated),)),
)  # fmt: skip
WITH_ALL: tuple[Way, ...] = (
    *WITH_BOTH,
    ("penalty-ignored", "the penalty has no effect", (without(penalizing),)),
    ("log-probabilities-penalized", "the penalty is applied to the logarithms of "
     "probabilities, which are all negative; it is for logits",
     (drawn(lambda z, c: np.log(chances(z)), *RIGHT),)),
    ("probabilities-penalized", "the penalty is applied to probabilities; it is for "
     "logits", (moved_last(lambda p, c: shared(penalizing(p, c))),)),
    ("penalty-after-filters", "the penalty comes after a filter; it comes first",
     (drawn(heated, cut_k, cut_p, penalizing),
      drawn(heated, cut_k, penalizing, cut_p))),
    ("penalty-for-each-occurrence", "a token is penalized once for each time it occurs "
     "in ids; it counts once",
     (drawn(partial(penalizing, times=9), heated, cut_k, cut_p),)),
)  # fmt: skip
BY_DEFAULT: tuple[Way, ...] = (
    ("default-temperature", "the default of temperature is not 1",
     tuple(drawn(lambda z, c, t=t: z / t)
           for t in (0.5, 0.6, 0.7, 0.8, 0.9, 1.1, 1.2, 1.5, 2.0))),
)  # fmt: skip
JUDGED = 6
"""Rows that judge draws: they share the risk of rejecting a right Sampler."""


@cache
def ways(names: tuple[str, ...], table: tuple[Way, ...]) -> Ways:
    cases = {name: CASES[name] for name in names}

    def of(way: Callable[[Case], Shares]) -> Drawn:
        return {name: way(case) for name, case in cases.items()}

    with np.errstate(all="ignore"):
        right = {name: forgiving(p) for name, p in of(drawn(*RIGHT)).items()}
        wrong = {name: tuple(map(of, forms)) for name, _, forms in table}
    return Ways(right, wrong, JUDGED)


def counted(got: dict[str, list[Ids]]) -> Drawn:
    """How often each token was drawn in each case."""
    sizes = {name: len(CASES[name].profile) for name in got}
    return {
        m: np.bincount(np.ravel(got[m]), minlength=n) * 1.0 for m, n in sizes.items()
    }


def drawn_right(known: Ways, got: dict[str, list[Ids]]) -> str | None:
    seen = counted(got)
    if min(each.sum() for each in seen.values()) < probes.FEWEST * probes.ROUND:
        return "the Sampler draws too few tokens to judge how"
    if (name := known.suspect(seen)) is not None:
        return unlike(name, seen[name], known.right[name])
    for name, p in known.right.items():
        if sampling.repeating(got[name], p) > known.risk + math.log(len(got)):
            return (
                f"with {words(CASES[name].settings)} tokens are as frequent as they "
                "should be, but a Sampler repeats what it drew before"
            )
    return None


def unlike(name: str, seen: Shares, p: Shares) -> str:
    """What was got and wanted of the most probable token, and of those left out."""
    best, n = int(p.argmax()), seen.sum()
    outside = seen[p < sampling.NEVER].sum() / n
    never = f", and {outside:.0%} tokens to be left out" if outside > 0.01 else ""
    return (
        f"with {words(CASES[name].settings)} the token {best} came "
        f"{seen[best] / n:.0%} of {n:.0f} times, want {p[best]:.0%}{never}"
    )


def words(settings: dict[str, Any]) -> str:
    return ", ".join(f"{n}={v:g}" for n, v in settings.items()) or "the defaults"


def drawn_by(known: Callable[[], Ways], name: str) -> Callable[[Any], bool]:
    """Whether this wrong way explains the draws, and all others do much worse."""

    def proves(got: dict[str, list[Ids]]) -> bool:
        if any(map(sampling.dependent, got.values())):
            return False
        return known().named(counted(got)) == name

    return proves


MISSING = name_missing("repetition_penalty", "top_k", "top_p", "Sampler")
SAMPLER = refusals(
    ("nothing-chosen", "__call__ gives None. Does it end without a `return`?",
     r"^Sampler\(...\)\(...\) is None"),
    ("not-an-int", "A Sampler returns the id of one token, an int.",
     r"^Sampler\(...\)\(...\) is a .*, want an int"),
    ("not-an-id", "A number that is no token's id is returned.",
     r"^Sampler\(...\)\(...\) is the id -?\d+; there are"),
    ("not-callable", "The class has no method `__call__`: sampler(logits, ids) calls "
     "it.", r"^Sampler\(...\) has no `__call__`"),
)  # fmt: skip
ARRAYS = refusals(
    ("nothing-returned", "The answer is None. Does it end without a `return`?",
     r"^\w+\(...\) is None: is a `return` missing"),
    ("not-an-array", "The function returns something other than a NumPy array.",
     r"^\w+\(...\) is a .*, want a NumPy array"),
)  # fmt: skip

# Greedy


def greedy(
    penalty: float,
    *,
    choose: Callable[[Array], Any] = np.argmax,
    effect: Callable[[float], float] = lambda penalty: penalty,
    text: Callable[[list[Ids]], Ids] = lambda texts: texts[-1],
) -> Ids:
    found, texts = [], []
    for number in range(probes.CHOICES):
        logits, ids = probes.choice(number)
        texts.append(ids)
        z = penalize(logits, text(texts), effect(penalty))
        found.append(int(choose(z)))
    return found


GREEDY: tuple[Flaw, ...] = (
    ("greedy-without-penalty", "the penalty has no effect at temperature 0; it comes "
     "before everything else", dict(effect=lambda penalty: 1.0)),
    ("least-probable-chosen", "the least probable token is chosen: argmin for argmax",
     dict(choose=np.argmin)),
    ("rank-chosen", "the rank of the token is returned, not its id",
     dict(choose=lambda z: 0)),
    ("texts-kept", "the ids of earlier calls are penalized too; each call is given the "
     "whole text", dict(text=lambda texts: [one for each in texts for one in each])),
)  # fmt: skip


def chosen_for(*forms: str) -> Ids:
    """The most probable token, after the penalty, for each form of the ids."""
    asked = (probes.FORMS[form]() for form in forms)
    return [int(penalize(probes.SEEN_FIRST, ids, 9.0).argmax()) for ids in asked]


# Seeds

SEEDS = (7, 7, 0, 0, 8, 9, 1234, None, None, 7)


def seeds_right(got: list[Ids]) -> str | None:
    if {len(each) for each in got} != {probes.DRAWN}:
        return "a Sampler draws another number of tokens"
    seven, again, zero, zero_again, *others, none, none_again, new = map(tuple, got)
    if seven != again or seven != new:
        return "two Samplers with the seed 7 drew other tokens"
    if zero != zero_again:
        return "two Samplers with the seed 0 drew other tokens"
    if len({seven, zero, *others}) < 5:
        return "two different seeds gave the same tokens"
    if none == none_again:
        return "without a seed, two Samplers drew the same tokens"
    return None


def by_seeds(judge: Callable[..., bool]) -> Callable[[Any], bool]:
    """A judgement of the draws with seed 7, with 0, with other seeds, without one, and
    with 7 again."""

    def proves(got: list[Ids]) -> bool:
        if {len(each) for each in got} != {probes.DRAWN} or len(got) != len(SEEDS):
            return False
        all_of = [*map(tuple, got)]
        return judge(all_of[:2], all_of[2:4], all_of[4:7], all_of[7:9], all_of[9])

    return proves


def constant(*texts: tuple[int, ...]) -> bool:
    return all(len(set(each)) == 1 for each in texts)


SEED_FIXED = Mistake(
    "seed-fixed",
    "The draws are the same whatever the seed is. Is a seed written in?",
    proves=by_seeds(
        lambda seven, zero, others, none, new: (
            not constant(new) and {*seven, *zero, *others, *none} == {new}
        )
    ),
)
SEEDING = (
    ("seed-ignored", "The seed has no effect: each Sampler draws other tokens.",
     lambda seven, zero, others, none, new: len({*seven, *zero, *others, new}) == 8),
    ("seed-zero", "The seed 0 is taken as no seed: compare with None.",
     lambda seven, zero, others, none, new: {*seven} == {new} and zero[0] != zero[1]),
    ("seed-none-fixed", "Without a seed each Sampler should draw other tokens; a seed "
     "is filled in.", lambda seven, zero, others, none, new:
     none[0] == none[1] and len({new, *seven, *others}) == 4),
)  # fmt: skip


def seed_each_call(got: list[Ids]) -> bool:
    """Each Sampler draws the same token again and again from nearly equal chances, and
    which one depends on the seed."""
    return by_seeds(
        lambda seven, zero, others, none, new: (
            constant(*seven, *zero, *others, new)
            and {*seven} == {new}
            and len({new, zero[0], *others}) > 2
        )
    )(got)


def shared_generator(got: dict[str, Ids]) -> bool:
    """The draws of one Sampler, dealt out to two in turns."""
    dealt = [
        each for pair in zip(got["one"], got["other"], strict=True) for each in pair
    ]
    return got["alone"] == dealt[: len(got["alone"])] != got["one"]


def certain() -> Ids:
    return [int(probes.sure(number).argmax()) for number in range(probes.CHOICES)]


def uses_global(got: dict[str, Any]) -> bool:
    """Whether it changes the shared numbers, or draws by them."""
    changes = got["changes NumPy's"] is True or got["changes Python's"] is True
    return changes and len(got["alone"]) == probes.DRAWN


def apart(got: dict[str, Ids]) -> str | None:
    if got["one"] == got["other"] == got["alone"]:
        return None
    return "two Samplers with the seed 7, called in turns, draw other tokens than one"


def undisturbed(got: dict[str, Any]) -> str | None:
    for library in ("NumPy", "Python"):
        if got[f"changes {library}'s"]:
            return f"the random numbers that all code shares in {library} are changed"
    if got["alone"] != got["disturbed"]:
        return "when other code calls np.random.seed, the Sampler draws other tokens"
    return None


PENALIZES = (
    "repetition_penalty divides positive logits of ids and multiplies negative ones"
)
KEEPS_K = (
    f"top_k keeps the {K} most probable tokens and leaves out the others with -inf"
)
KEEPS_P = "top_p keeps the fewest tokens whose probabilities sum to p or more"
K_TIES = "top_k keeps exactly k: among equal logits, the lower ids"
P_TIES = "top_p keeps the lower ids among equal logits"
DRAWS = "a Sampler draws tokens as often as softmax(logits / temperature) says"
DRAWS_K = "a Sampler with top_k draws from the k most probable tokens"
DRAWS_P = "a Sampler with top_p draws from the nucleus, after the temperature"
DRAWS_BOTH = "a Sampler's top_p acts on what top_k has left, renormalized"
GREEDILY = "a Sampler at temperature 0 takes the most probable token after the penalty"
SEEDED = "a Sampler repeats its draws for the same seed, and only then"
OVERFLOWS = (
    "The answer changes when 1000 is added to or taken from all logits, but not with "
    "30. Is exp inf or 0 there? Subtract the largest logit first."
)
IDS = CASES["all"].ids
ALL_WAYS = ("default", "hot", "both", "all")
GIVEN: dict[str, Any] = {
    **{name: CASES[name].logits for name in ALL_WAYS},
    "ids": np.array([IDS]),
    "list": IDS,
}
OTHER_PENALTIES = ((0.6, "list"), (1.0, "list"))
SHAPES, EMPTY = (
    ("[1, T]", "[3, 4]", "long"),
    ("empty list", "empty [0]", "empty [1, 0]"),
)
TIED_P = 0.7
"""Of the third of five values about half the tokens are kept, as with k = 81."""
TIED_K = 81


def shifted(shifts: tuple[float, ...]) -> list[tuple[str, float]]:
    """The questions about logits to which these numbers were added."""
    return [(f"shifted by {by:g}", P) for by in shifts]


ROUNDING = 1e-6
"""Relative: what is changed in place is changed by more."""


def changed(function: str, answer: Callable[[], Array], *needs: str) -> Check:
    """The row about what was given to a function."""
    given = {"logits": PLAIN, "ids": np.array([SEEN]), "list": SEEN}
    return Check(
        f"{function} leaves its input unchanged",
        "afterwards",
        (function,),
        expect=lambda: given,
        tolerance=ROUNDING,
        mistakes=in_place(
            ("logits", answer),
            ("logits", lambda: PLAIN - PLAIN.max()),
            *(
                (name, lambda name=name: sorted_ids(given[name]))
                for name in ("ids", "list")
            ),
        ),
        needs=needs,
        where=function,
    )


def in_place(*afterwards: tuple[str, Callable[[], Any]]) -> tuple[Mistake, ...]:
    """What is found afterwards, by its name in the answer."""
    message = "{} that were given are themselves changed, and whoever gave them still "
    message += "needs them: change a copy."
    ids = ("ids", "list")
    return tuple(
        Mistake("ids-changed-in-place", message.format("The ids"), gives=gives)
        if name in ids
        else Mistake("changed-in-place", message.format("The logits"), gives=gives)
        for name, after in afterwards
        for gives in [lambda name=name, after=after: {name: after()}]
    )


def sorted_ids(ids: Any) -> Any:
    return np.sort(ids) if isinstance(ids, np.ndarray) else sorted(ids)


def penalty_row(
    name: str, *asked: Asked, mistakes: tuple[Flaw, ...] = (), **more: Any
) -> Check:
    """A row about the answers of repetition_penalty to several questions."""
    oracle = partial(penalized, *asked)
    return Check(
        name, "penalized", tuple([*one] for one in asked), expect=oracle,
        mistakes=(*flaws(oracle, *mistakes), *more.pop("also", ())),
        where="repetition_penalty", **{"needs": (PENALIZES,), **more},
    )  # fmt: skip


def kept_row(
    name: str,
    function: str,
    asked: tuple[str, float],
    *tables: tuple[Flaw, ...],
    also: tuple[Mistake, ...] = (),
    **more: Any,
) -> Check:
    """A row about one answer of top_k or top_p."""
    logits, setting = LOGITS[asked[0]], asked[1]
    oracle = partial({"top_k": keep, "top_p": nucleus}[function], logits, setting)
    mistakes = flaws(oracle, *(flaw for table in tables for flaw in table))
    return Check(
        name, "filtered", (function, *asked), expect=oracle,
        mistakes=(*also, *mistakes), where=function, **more,
    )  # fmt: skip


def several_row(
    name: str,
    function: str,
    *asked: tuple[str, float],
    mistakes: tuple[Flaw, ...] = (),
    **more: Any,
) -> Check:
    """A row about several answers."""
    oracle = partial(several, {"top_k": keep, "top_p": nucleus}[function], *asked)
    return Check(
        name, "several", (function, *([*one] for one in asked)), expect=oracle,
        mistakes=(*flaws(oracle, *mistakes), *more.pop("also", ())),
        where=function, **more,
    )  # fmt: skip


def draws_row(
    name: str,
    cases: tuple[str, ...],
    table: tuple[Way, ...],
    seconds: float = 0.04,
    **more: Any,
) -> Check:
    """A row about what is drawn in some cases, in so many seconds if all is quick."""
    known = partial(ways, cases, table)
    return Check(
        name, "draws", (seconds, *cases), accept=lambda got: drawn_right(known(), got),
        mistakes=(
            *more.pop("also", ()),
            Mistake("seed-each-call", "Each Sampler draws one token again and again: "
                    "its random numbers start anew in each call, or are drawn only "
                    "once. Make the generator in __init__, and draw in each call.",
                    probe="seeded", given=SEEDS, proves=seed_each_call),
            replace(SEED_FIXED, probe="seeded", given=SEEDS),
            *(Mistake(id, sentence(message), proves=drawn_by(known, id))
              for id, message, _ in table),
            *SAMPLER,
        ),
        where="Sampler.__call__", **more,
    )  # fmt: skip


TABLE = Table(
    checks=(
        penalty_row(
            PENALIZES, (PENALTY, "list"), mistakes=(*CHANGING, *CHOOSING, *RETURNING),
            also=(*ARRAYS, *MISSING), needs=(),
        ),
        penalty_row("repetition_penalty reads all ids: [1, T], [3, 4], a list of 309",
                    *((PENALTY, form) for form in SHAPES), mistakes=SHAPED),
        penalty_row("repetition_penalty changes nothing while ids are empty",
                    *((PENALTY, form) for form in EMPTY),
                    mistakes=tuple(f for f in CHOOSING if f[0] == "all-tokens")),
        penalty_row("repetition_penalty: below 1 tokens gain, 1 changes nothing",
                    *OTHER_PENALTIES, mistakes=(
                        ("below-1-ignored", "a penalty below 1 has no effect; it makes "
                         "the tokens more probable",
                         dict(change=lambda x, p, n: lowered(x, max(p, 1), n))),
                    )),
        changed("repetition_penalty", lambda: penalize(PLAIN, SEEN, PENALTY),
                PENALIZES),
        kept_row(KEEPS_K, "top_k", ("plain", K), SHOWING, COUNTING, (
            ("absolute", "the signs of the logits are ignored: -5 is less probable "
             "than 3", dict(ranking=lambda z: ranks(np.abs(z)))),
        ), also=(*left_out(keep(PLAIN, K)), *ARRAYS, *MISSING)),
        kept_row(K_TIES, "top_k", ("few", TIED_K), TIED,
                 also=(other_ties("top_k", TIED_K),), needs=(KEEPS_K,)),
        several_row("top_k works for other k: 1, and all but one", "top_k",
                    ("plain", 1), ("plain", V - 1), ("left", K), needs=(KEEPS_K,)),
        several_row("top_k keeps all tokens when k is V or more", "top_k",
                    ("plain", V), ("plain", V + 10), ("left", K + 6),
                    mistakes=BEYOND, needs=(KEEPS_K,)),
        changed("top_k", lambda: keep(PLAIN, K), KEEPS_K),
        kept_row(KEEPS_P, "top_p", ("plain", P), SHOWING, NUCLEUS, also=(
            *left_out(nucleus(PLAIN, P)),
            Mistake("not-sorted", "The probabilities are summed in the order of their "
                    "ids; the most probable tokens come first.",
                    gives=partial(by_id, PLAIN, P)),
            *ARRAYS, *MISSING,
        )),
        several_row("top_p works for other p: 0.3 and 0.95", "top_p",
                    ("plain", 0.3), ("plain", 0.95), needs=(KEEPS_P,)),
        kept_row(P_TIES, "top_p", ("few", TIED_P), TIED,
                 also=(other_ties("top_p", TIED_P),), needs=(KEEPS_P,)),
        kept_row("top_p needs p and no more: 8 tokens of 1/16 are 0.5", "top_p",
                 ("equal", 0.5), (
                     ("p-exceeded", "tokens are kept until they have more than p; p "
                      "itself is enough",
                      dict(count=lambda w, p: int((np.cumsum(w) <= p).sum()) + 1)),
                     ("nucleus-short", NUCLEUS[0][1],
                      dict(count=lambda w, p: reach(w, p) - 1)),
                 ), needs=(P_TIES,)),
        several_row("top_p keeps at least one token, however small p is", "top_p",
                    ("plain", 1e-6), ("left", 1e-300), mistakes=(
                        ("nothing-left", "no token is left at all, not even the most "
                         "probable one", dict(count=lambda w, p: 0)),
                    ), needs=(KEEPS_P,)),
        several_row("top_p keeps all tokens when p is 1 or more", "top_p",
                    ("steep", 1.0), ("plain", 1.5), mistakes=ALL_OF_THEM,
                    needs=(KEEPS_P,)),
        several_row("top_p acts on what a filter has left, renormalized", "top_p",
                    ("left", 0.5), ("left", 0.9), needs=(KEEPS_P,)),
        several_row("top_p ignores a constant added to all logits: 1000 or -1000",
                    "top_p", *shifted(SHIFTS), also=(
                        Mistake("exp-overflows", OVERFLOWS, probe="several",
                                given=("top_p", *map(list, shifted(NEAR))),
                                gives=partial(several, nucleus, *shifted(NEAR))),
                    ), needs=(KEEPS_P,)),
        kept_row("top_p sums in float64: 3000 rare tokens", "top_p", ("sand", HEAP), (
            ("summed-in-float32", "the probabilities are summed in float32, which "
             "loses a bit of each; float64 is exact enough",
             dict(count=lambda w, p: reach(w.astype(np.float32), p))),
        ), needs=(P_TIES,)),
        changed("top_p", lambda: nucleus(PLAIN, P), KEEPS_P),
        draws_row(DRAWS, ("hot", "cold", "sharp"), FREELY, seconds=0.15, also=MISSING),
        Check(
            GREEDILY, "greedily", (1.7,), expect=partial(greedy, 1.7),
            mistakes=(
                *flaws(partial(greedy, 1.7), *GREEDY),
                Mistake("not-greedy", "At temperature 0 the token depends on chance: "
                        "take the most probable one.", probe="repeatedly",
                        proves=lambda got: len(got) == 20 and len(set(got)) > 2),
                *SAMPLER,
            ),
            needs=(PENALIZES, DRAWS), where="Sampler.__call__",
        ),
        Check("a Sampler's default penalty is 1: nothing is penalized", "greedily",
              expect=partial(greedy, 1.0), mistakes=flaws(partial(greedy, 1.5), (
                  "default-penalty", "the default of penalty is more than 1", {}
              )), needs=(GREEDILY,), where="Sampler"),
        draws_row("a Sampler's default temperature is 1", ("default",), BY_DEFAULT,
                  seconds=0.08, needs=(DRAWS,)),
        draws_row(DRAWS_K, ("top-k", "sharp k"), WITH_K, needs=(KEEPS_K, DRAWS)),
        draws_row(DRAWS_P, ("top-p", "sharp p"), WITH_P, needs=(KEEPS_P, DRAWS)),
        draws_row(DRAWS_BOTH, ("both",), WITH_BOTH, needs=(DRAWS_K, DRAWS_P)),
        draws_row("a Sampler applies penalty, temperature, top-k, top-p, in this order",
                  ("all",), WITH_ALL, seconds=0.08, needs=(PENALIZES, DRAWS_BOTH)),
        Check("a Sampler takes the most probable token for k = 1, or a tiny p", "least",
              ({"top_k": 1}, {"top_p": 1e-9}), expect=lambda: [greedy(1.0)] * 2,
              mistakes=SAMPLER, needs=(DRAWS_K, DRAWS_P), where="Sampler.__call__"),
        Check("a Sampler takes a k of more than V, and a p of more than 1", "certain",
              (0.0, 0.0, {"top_k": 500, "top_p": 1.5}),
              expect=lambda: [certain()] * 2, mistakes=SAMPLER,
              needs=(DRAWS_K, DRAWS_P), where="Sampler.__call__"),
        Check("a Sampler ignores a constant added to all logits: 1000 or -1000",
              "certain", SHIFTS, expect=lambda: [certain()] * len(SHIFTS),
              needs=(DRAWS_P,), where="Sampler.__call__", mistakes=(
                  Mistake("exp-overflows", OVERFLOWS, probe="certain", given=NEAR,
                          gives=lambda: [certain()] * len(NEAR)),
                  *SAMPLER,
              )),
        Check("a Sampler takes ids as a list, as an array of any shape, or empty",
              "chosen_for", tuple(probes.FORMS),
              expect=partial(chosen_for, *probes.FORMS), mistakes=SAMPLER,
              needs=(GREEDILY,), where="Sampler.__call__"),
        Check(SEEDED, "seeded", SEEDS, accept=seeds_right, needs=(DRAWS,),
              where="Sampler", mistakes=(
                  SEED_FIXED,
                  *(Mistake(id, message, proves=by_seeds(judge))
                    for id, message, judge in SEEDING),
                  *SAMPLER,
              )),
        Check("two Samplers do not disturb each other", "in_turns", accept=apart,
              needs=(SEEDED,), where="Sampler", mistakes=(
                  Mistake("shared-generator", "All Samplers share one generator: make "
                          "one for each, in __init__.", proves=shared_generator),
              )),
        Check("a Sampler keeps its random numbers to itself", "among_others",
              accept=undisturbed, needs=(SEEDED,), where="Sampler", mistakes=(
                  Mistake("global-generator", "The Sampler seeds the random numbers "
                          "that all code shares, or draws from them: "
                          "np.random.default_rng(seed) makes a generator of its own.",
                          proves=uses_global),
              )),
        Check("a Sampler leaves its input unchanged", "given_afterwards",
              ALL_WAYS, expect=lambda: GIVEN, tolerance=ROUNDING,
              mistakes=in_place(
                  *((name, after_steps(name, steps))
                    for name, steps in (
                        ("hot", (heated,)), ("hot", (heated, shifting)),
                        ("hot", (shifting,)), ("hot", (shifting, heated)),
                        ("default", (shifting,)),
                        *(("all", RIGHT[:n]) for n in (1, 2, 3, 4)),
                        ("all", (heated,)),
                    )),
                  *((name, lambda name=name: sorted_ids(GIVEN[name]))
                    for name in ("ids", "list")),
              ),
              needs=(DRAWS_BOTH,), where="Sampler.__call__"),
    ),
)  # fmt: skip
