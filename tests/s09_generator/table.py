"""Step 9, ``generator.py``: predict, choose, append, again.

The oracle of greedy texts follows each step: after these ids the logits are those,
hence the next token is this one. Sampling is judged by how often each token is drawn,
and a right sampler is rejected less than once in a million runs. Temperature as in
Hinton et al. 2015, section 2: softmax(logits / temperature).
"""

import math
import operator
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from checker.table import (
    Check,
    Mistake,
    Table,
    distinct,
    flaws,
    refusals,
    sentence,
)
from tests.s09_generator.probes import (
    ACCENTED,
    CONTEXT,
    DRAWS,
    FULL,
    LEAST,
    LONGER,
    NEW,
    PLAIN,
    PROMPT,
    ROUND,
    SIGNS,
    SOME,
    Ids,
    Rows,
    V,
    bigrams,
    rows,
    to_ids,
    to_text,
)
from tests.support.data import Array
from tests.support.rows import name_missing
from tests.support.sampling import (
    RARE,
    Shares,
    chances,
    counts,
    cut_off,
    exponential,
    largest,
    largest_product,
    likelihood,
    most_probable,
    negative_gumbel,
    normal,
    shared,
    uniform,
    unlike,
    up_to,
)

# Greedy texts


def write(
    prompt: str = PROMPT,
    count: int = NEW,
    context: int = 64,
    after: Rows = rows,
    *,
    start: Callable[[Ids, int], Ids] = lambda ids, n: ids,
    cut: Callable[[Ids, int], Ids] = lambda ids, n: ids[-n:],
    pick: Callable[[Array], Array] = lambda logits: logits[-1],
    choose: Callable[[Array], Any] = np.argmax,
    extend: Callable[[Ids, int, int], Ids] = lambda ids, new, n: [*ids, new],
    answer: Callable[[Ids, Ids], Ids] = lambda prompt, ids: ids,
    calling: Callable[[list[Ids]], list[Ids]] = lambda calls: calls,
    stop: Callable[[Ids, int], bool] = lambda ids, n: False,
    spoken: Callable[[Ids], str] = to_text,
) -> dict[str, Any]:
    """Greedy generation, step by step; the keyword arguments make the mistakes."""
    calls, own = [], to_ids(prompt)
    ids = start(own, context)
    for _ in range(count):
        if stop(ids, context):
            break
        fed = cut(ids, context)
        calls.append(fed)
        ids = extend(ids, int(choose(pick(after(fed)))), context)
    return {"text": spoken(answer(own, ids)), "calls": calling(calls)}


def text(prompt: str = PROMPT, count: int = NEW, **more: Any) -> str:
    return str(write(prompt, count, **more)["text"])


MEAN = ("mean-over-positions", "the logits are averaged or summed over all positions; "
        "the last position alone predicts")  # fmt: skip
LARGEST = ("max-over-positions", "the largest logit of any position is taken; the last "
           "position alone predicts")  # fmt: skip

PREDICTING = (
    ("first-position", "the next token is taken from the first position's logits; the "
     "last position predicts it", dict(pick=lambda logits: logits[0])),
    ("second-last-position", "the next token is taken from the logits of the position "
     "before the last", dict(pick=lambda logits: logits[-2:][0])),
    ("second-position", "the next token is taken from the second position's logits",
     dict(pick=lambda logits: logits[:2][-1])),
    (*MEAN, dict(pick=lambda logits: logits.mean(0))),
    (*LARGEST, dict(pick=lambda logits: logits.max(0))),
    ("argmax-over-positions", "argmax runs over the positions, not over the tokens",
     dict(pick=lambda logits: logits, choose=lambda logits: logits.argmax(0)[-1])),
    ("least-probable", "the least probable token is taken: argmin for argmax",
     dict(choose=np.argmin)),
    ("second-most-probable", "the second most probable token is taken",
     dict(choose=lambda logits: np.argsort(-logits)[1])),
    ("one-off-token", "each token taken has the id after the most probable one's",
     dict(choose=lambda logits: (np.argmax(logits) + 1) % V)),
    ("one-off-token-less", "each token taken has the id before the most probable one's",
     dict(choose=lambda logits: (np.argmax(logits) - 1) % V)),
    ("last-token-only-fed", "the model is given the last token only; it needs all of "
     "them to predict the next", dict(cut=lambda ids, n: ids[-1:])),
    ("all-but-last-fed", "the model is not given the last token",
     dict(cut=lambda ids, n: ids[:-1])),
    ("all-but-first-fed", "the model is not given the first token",
     dict(cut=lambda ids, n: ids[1:])),
    ("prompt-fed-again", "the model is given the prompt each time, without the new "
     "tokens", dict(cut=lambda ids, n: to_ids(PROMPT))),
    ("called-once", "the model is called once, and all new tokens are taken from that "
     "one answer", dict(cut=lambda ids, n: to_ids(PROMPT),
                        calling=lambda calls: calls[:1])),
    ("prepended", "the new token is put before the others; it belongs at the end",
     dict(extend=lambda ids, new, n: [new, *ids])),
    ("last-token-replaced", "the new token replaces the last one instead of following "
     "it", dict(extend=lambda ids, new, n: [*ids[:-1], new])),
    ("first-token-dropped", "the first token is dropped with each new one",
     dict(extend=lambda ids, new, n: [*ids[1:], new])),
    ("new-token-alone", "the new token replaces all that was there before",
     dict(extend=lambda ids, new, n: [new])),
    ("appended-twice", "the new token is appended twice",
     dict(extend=lambda ids, new, n: [*ids, new, new])),
    ("not-appended", "the new token is not appended: the text stays the prompt",
     dict(extend=lambda ids, new, n: ids)),
)  # fmt: skip

RETURNING = (
    ("prompt-lost", "the prompt is missing: the answer is prompt and continuation",
     dict(answer=lambda prompt, ids: ids[len(prompt):])),
    ("prompt-twice", "the prompt is there twice",
     dict(answer=lambda prompt, ids: [*prompt, *ids])),
    ("last-token-returned", "only the last token is returned, not the whole text",
     dict(answer=lambda prompt, ids: ids[-1:])),
    ("prompt-returned", "the prompt is returned: the continuation is lost",
     dict(answer=lambda prompt, ids: prompt)),
    ("last-token-lost", "the last token is predicted and left out of the text",
     dict(answer=lambda prompt, ids: ids[:-1])),
    ("first-token-lost", "the first token of the prompt is left out of the text",
     dict(answer=lambda prompt, ids: ids[1:])),
    ("prompt-and-last-token", "the text is the prompt and the last token: those "
     "between are lost", dict(answer=lambda prompt, ids: [*prompt, ids[-1]])),
    ("stripped", "the spaces around the text are removed; they belong to it",
     dict(spoken=lambda ids: to_text(ids).strip())),
    ("spaces-between-tokens", "spaces are put between the tokens, which have their own",
     dict(spoken=lambda ids: " ".join(to_text([one]) for one in ids))),
    ("too-many", "one token more than max_new_tokens is written", dict(count=NEW + 1)),
    ("too-few", "one token fewer than max_new_tokens is written", dict(count=NEW - 1)),
    ("one-token-only", "one token is written and no more, as with a `return` inside "
     "the loop", dict(count=1)),
    ("no-tokens", "nothing is written, and the prompt comes back", dict(count=0)),
    ("total-length", "max_new_tokens is taken as the length of the whole text",
     dict(count=NEW - len(PROMPT))),
)  # fmt: skip

CALLING = (
    ("called-twice", "the model is called twice for each token",
     dict(calling=lambda calls: [fed for fed in calls for _ in "12"])),
    ("called-before", "the model is called once before the first token, and the result "
     "is not used", dict(calling=lambda calls: [*calls[:1], *calls])),
    ("called-after", "the model is called once more after the last token, for nothing",
     dict(count=NEW + 1, answer=lambda prompt, ids: ids[:-1])),
)  # fmt: skip

CUTTING = (
    ("context-not-cut", "the model is given all tokens, more than context_length",
     dict(cut=lambda ids, n: ids)),
    ("context-wrong-end", "the model is given the first context_length tokens; it "
     "needs the last", dict(cut=lambda ids, n: ids[:n])),
    ("context-one-short", "the context is cut one token too short",
     dict(cut=lambda ids, n: ids[-(n - 1):])),
    ("context-one-long", "the context is cut one token too long",
     dict(cut=lambda ids, n: ids[-(n + 1):])),
    ("context-last-lost", "the cut removes the last token as well",
     dict(cut=lambda ids, n: ids[-n:-1] if len(ids) >= n else ids)),
    ("context-blocks", "a full context starts again from nothing",
     dict(cut=lambda ids, n: ids[(len(ids) - 1) // n * n:])),
    ("context-complement", "the model is given what should be cut off",
     dict(cut=lambda ids, n: ids[n:] if len(ids) > n else ids)),
    ("context-restarts", "the model is given the last token alone when the context is "
     "full", dict(cut=lambda ids, n: ids if len(ids) <= n else ids[-1:])),
    ("prompt-cut-in-text", "the prompt is cut to the context in the text too; cut only "
     "what the model is given", dict(start=lambda ids, n: ids[-n:])),
    ("prompt-cut-only", "the prompt is cut to the context, in the text too, and what "
     "is written after it is not cut",
     dict(start=lambda ids, n: ids[-n:], cut=lambda ids, n: ids)),
    ("context-first-then-last", "the prompt is cut at its end; its last tokens are "
     "needed", dict(start=lambda ids, n: ids[:n])),
    ("context-cut-in-text", "the tokens that leave the context are cut from the text "
     "as well: cut a copy for the model",
     dict(extend=lambda ids, new, n: [*ids[-n:], new])),
    ("context-cut-after", "the text is cut to the context after each new token: cut a "
     "copy for the model", dict(extend=lambda ids, new, n: [*ids, new][-n:])),
    ("stops-at-context", "writing stops when the context is full; it should go on with "
     "the last tokens", dict(stop=lambda ids, n: len(ids) >= n)),
    ("stops-above-context", "writing stops one token after the context is full; it "
     "should go on with the last tokens", dict(stop=lambda ids, n: len(ids) > n)),
)  # fmt: skip


def continued(got: Any) -> bool:
    """Right up to max_new_tokens, and then still the most probable tokens."""
    written, whole = got["text"], text(count=64)
    return len(written) > len(text()) + 1 and whole.startswith(written)


def all_positions() -> dict[str, Any]:
    """The predictions of all positions are appended."""
    ids, calls = to_ids(PROMPT), []
    for _ in range(NEW):
        calls.append(ids[-64:])
        ids = [*ids, *(int(one) for one in rows(ids[-64:]).argmax(-1))]
    return {"text": to_text(ids), "calls": calls}


def flag_turned(got: Any) -> bool:
    greedy, sampled = set(got["greedy"]), set(got["sampled"])
    return sampled == {text(count=12)} and len(greedy) > 1


def flag_unread(got: Any) -> bool:
    return bool(got["greedy"] == got["sampled"] and len(set(got["greedy"])) > 1)


def scaled(got: Any) -> bool:
    """What argmax finds where logits have become infinite or 0, or all equal."""
    finds: tuple[Callable[[Array], Any], ...] = (
        np.argmax,
        lambda logits: 0,
        lambda logits: (logits > 0).argmax(),
        lambda logits: (logits > 1.06).argmax(),  # 1.06 * 1.7e308 is a number still
    )
    texts = [text(choose=find) for find in finds]
    return got != texts[:1] * 2 and len(got) == 2 and set(got) <= set(texts)


# Sampling: z are the logits after the last id, b those before it, t the temperature.

Way = Callable[[Shares, Shares, float], Shares]
"""The probability of each token."""


def right(z: Shares, b: Shares, t: float) -> Shares:
    """Rounded random numbers are forgiven: once in 100,000 draws a token may be taken
    that is never written."""
    p = chances(z, t)
    return p if p.all() else np.where(p > 0, p * (1 - 1e-5), 1e-5 / (p == 0).sum())


def one(at: int, tokens: int) -> Shares:
    return np.eye(tokens)[at]


def odds(x: Shares) -> Shares:
    """1 / (1 + exp(-x)), without overflow."""
    return 1 / (1 + np.exp(np.clip(-x, -500, 500)))


ALWAYS_GREEDY = ("always-greedy", "the most probable token is always taken: nothing is "
                 "sampled")  # fmt: skip

WAYS: tuple[tuple[str, str, tuple[Way, ...]], ...] = (
    ("temperature-no-effect", "the temperature has no effect: it is ignored, always "
     "the same, or comes after the softmax",
     tuple(lambda z, b, t, own=own: chances(z, own) for own in (1, 0.8, 0.7, 2))),  # type: ignore[misc]
    ("temperature-multiplied", "the logits are multiplied by the temperature instead "
     "of divided", (lambda z, b, t: chances(z, 1 / t),)),
    ("temperature-twice", "the temperature is applied twice",
     (lambda z, b, t: chances(z, t * t),)),
    ("temperature-root", "the logits are divided by the root of the temperature",
     (lambda z, b, t: chances(z, math.sqrt(t)),)),
    ("softmax-twice", "a softmax is applied to probabilities again, with the "
     "temperature before, between or after",
     (lambda z, b, t: chances(chances(z, t)), lambda z, b, t: chances(chances(z), t),
      lambda z, b, t: chances(chances(z), 1 / t))),
    ("uniform", "all tokens are equally probable: the logits are not used",
     (lambda z, b, t: shared(np.ones(len(z))),)),
    (*ALWAYS_GREEDY, (lambda z, b, t: one(z.argmax(), len(z)),)),
    ("always-least", "the least probable token is always taken: a sign is lost",
     (lambda z, b, t: one(z.argmin(), len(z)),)),
    ("not-the-last-position", "an earlier position's logits are used; the last "
     "position predicts the next token",
     (lambda z, b, t: chances(b, t), lambda z, b, t: chances(b))),
    (*MEAN, (lambda z, b, t: chances((2 * b + z) / 3, t),
             lambda z, b, t: chances(2 * b + z, t))),
    (*LARGEST, (lambda z, b, t: chances(np.maximum(b, z), t),)),
    ("softmax-over-positions", "the softmax runs over the positions, not over the "
     "tokens", (lambda z, b, t: shared(odds((z - b) / t - math.log(2))),)),
    ("no-softmax", "the logits themselves are the weights, without exponentials: the "
     "softmax is missing",
     (lambda z, b, t: shared(np.clip(z, 0, None)), lambda z, b, t: shared(np.abs(z)),
      lambda z, b, t: shared(z - z.min()), lambda z, b, t: shared(odds(z / t)))),
    ("top-k", "only the most probable tokens are ever drawn, as with top-k or top-p",
     (*(lambda z, b, t, k=k: most_probable(chances(z, t), k)  # type: ignore[misc]
        for k in range(2, 71)),
      *(lambda z, b, t, part=part, one=one: up_to(part, chances(z, t), one)  # type: ignore[misc]
        for part in (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.95) for one in (0, 1)))),
    ("index-one-off", "each token drawn has an id that is one too large or too small",
     tuple(lambda z, b, t, move=move: move(chances(z, t)) for move in (  # type: ignore[misc]
      lambda p: np.roll(p, 1), lambda p: np.roll(p, -1),
      lambda p: np.array([0, *p[:-2], p[-2:].sum()]),
      lambda p: np.array([p[:2].sum(), *p[2:], 0])))),
    ("rank", "the ranks of sorted tokens are taken as their ids",
     (lambda z, b, t: np.sort(chances(z, t))[::-1],
      lambda z, b, t: np.sort(chances(z, t)))),
    ("not-normalized", "the token is drawn with weights that do not sum to 1: softmax "
     "has to come last",
     (lambda z, b, t: cut_off(chances(z) / t), lambda z, b, t: cut_off(chances(z) * t),
      lambda z, b, t: cut_off(np.exp(z / t)))),
    ("noise-not-gumbel", "noise is added that does not have Gumbel's distribution, "
     "-log(-log(u))",
     tuple(lambda z, b, t, noise=noise: largest(z / t, noise) for noise in (  # type: ignore[misc]
      uniform, normal, exponential, negative_gumbel))),
    ("noise-on-probabilities", "the noise is applied to the probabilities; it belongs "
     "to the logits",
     (lambda z, b, t: largest_product(chances(z, t)),
      lambda z, b, t: largest(chances(z, t), uniform))),
)  # fmt: skip

Seen = dict[str, Shares]
"""For each of DRAWS the probabilities of the tokens, or how often they were drawn."""


@cache
def ways() -> dict[str, list[Seen]]:
    """The forms of each way to draw; the right one is called ""."""
    given = {
        name: (draw.last.astype(float), draw.before.astype(float), draw.temperature)
        for name, draw in DRAWS.items()
    }
    known = [("", (right,)), *((name, forms) for name, _, forms in WAYS)]
    return {
        name: [{each: way(*given[each]) for each in given} for way in forms]
        for name, forms in known
    }


def seen(got: dict[str, list[str]]) -> Seen:
    return {name: counts(got[name], SIGNS[: d.tokens]) for name, d in DRAWS.items()}


def explained(drawn: Seen) -> dict[str, float]:
    """How well each way explains what was drawn: by the best of its forms."""
    return {
        name: max(sum(likelihood(drawn[n], p[n]) for n in p) for p in forms)
        for name, forms in ways().items()
    }


@cache
def order(name: str) -> Array:
    """The ids, the most probable first."""
    return np.argsort(-DRAWS[name].last, kind="stable")


def grouped(name: str, shares: Shares) -> Shares:
    """The frequent tokens one by one, the rare in thirds, those never written."""
    places = [1, 2, 3, 4, 30, 56, 81] if len(shares) > 56 else [1, 2]
    return np.array([each.sum() for each in np.split(shares[order(name)], places)])


def far(drawn: Seen, p: Seen) -> list[str]:
    """In which of DRAWS something else explains what was drawn much better than p."""
    by = {n: unlike(grouped(n, drawn[n]), grouped(n, p[n])) for n in drawn}
    return [name for name in by if by[name] > RARE + math.log(len(by))]


def drawn_right(got: dict[str, list[str]]) -> str | None:
    drawn, forms = seen(got), sum(map(len, ways().values()))
    if min(each.sum() for each in drawn.values()) < ROUND * LEAST / 2:
        return "generate adds too few tokens to judge how they are drawn"
    found, wrong = explained(drawn), far(drawn, ways()[""][0])
    if not wrong and max(found.values()) - found[""] <= RARE + math.log(forms):
        return None
    return shown(wrong[0] if wrong else "hot", drawn)


def shown(name: str, drawn: Seen) -> str:
    """How often the most probable token was drawn, and those that never should be."""
    n, heat = drawn[name].sum(), DRAWS[name].temperature
    got, want = (grouped(name, p) for p in (drawn[name] / n, ways()[""][0][name]))
    never = f", and {got[-1]:.0%} tokens of probability 0" if got[-1] > 0.01 else ""
    return (
        f"at temperature {heat} the most probable token came {got[0]:.0%} of {n:.0f} "
        f"times, want {want[0]:.0%}{never}"
    )


def drawn_by(got: dict[str, list[str]]) -> str:
    """The wrong way that explains the draws, where all others do much worse."""
    return _drawn_by(tuple("".join(got[name]) for name in DRAWS))


@cache
def _drawn_by(texts: tuple[str, ...]) -> str:
    drawn = seen({name: [text] for name, text in zip(DRAWS, texts, strict=True)})
    *_, second, first = sorted((by, name) for name, by in explained(drawn).items())
    if not first[0] - second[0] > 6:
        return ""
    return first[1] if any(not far(drawn, p) for p in ways()[first[1]]) else ""


def rounds_repeat(got: dict[str, list[str]]) -> bool:
    """All rounds are the same text, of several tokens, though their seeds differ."""
    rounds = got["hot"]
    return len(rounds) >= LEAST and len(set(rounds)) == 1 and len(set(rounds[0])) > 2


def restarted(got: dict[str, list[str]]) -> bool:
    """Calls for one token with the same seed write the text of one call, and it is not
    the greedy text: seeds matter."""
    return got["whole"] == got["steps"] and len(set(got["whole"])) == 3


# Seeds and defaults


def seeds_right(got: dict[str, list[str]]) -> str | None:
    one = got["same"][0]
    if got["same"][1] != one or got["another object"][0] != one:
        return "the seed 7 gave two texts"
    if got["zero"][0] != got["zero"][1]:
        return "the seed 0 gave two texts"
    if len({one, *got["others"], got["zero"][0]}) < 5:
        return "two different seeds gave the same text"
    if got["none"][0] == got["none"][1]:
        return "without a seed, two calls gave the same text"
    return None


def texts_in(got: dict[str, list[str]]) -> set[str]:
    return {text for texts in got.values() for text in texts}


def all_greedy(got: dict[str, list[str]]) -> bool:
    return texts_in(got) == {text(count=SOME["max_new_tokens"])}


def seed_fixed(got: dict[str, list[str]]) -> bool:
    return whole(got) and len(texts_in(got)) == 1 and not all_greedy(got)


def whole(got: dict[str, list[str]]) -> bool:
    """Whether the texts are as long as they should be: nothing else is wrong."""
    length = len(PROMPT) + SOME["max_new_tokens"]
    return {len(each) for each in texts_in(got)} == {length}


def continues(got: dict[str, list[str]]) -> bool:
    one, other = got["same"]
    return whole(got) and got["another object"][0] == one != other


def ignored(got: dict[str, list[str]]) -> bool:
    """Each of the five texts for two seeds is another one."""
    texts = {*got["same"], *got["another object"], *got["zero"]}
    return whole(got) and len(texts) == 5


def zero_is_none(got: dict[str, list[str]]) -> bool:
    one, other = got["same"]
    kept = one == other == got["another object"][0]
    return whole(got) and kept and len(set(got["zero"])) == 2


def none_fixed(got: dict[str, list[str]]) -> bool:
    seeded = {got["same"][0], *got["others"]}
    return whole(got) and len(set(got["none"])) == 1 and len(seeded) == 4


def default_differs(name: str) -> Callable[[Any], bool]:
    """It makes a difference whether the usual value is given or left out."""

    def proves(got: Any) -> bool:
        one, other = got["said"]
        return bool(one == other != got[name])

    return proves


def context_differs(got: Any) -> bool:
    default, given = got["context"]
    return bool(default != given == 1024)


UNREADABLE = refusals(
    ("no-batch-dimension", "The ids have lost their batch dimension: a batch of one is "
     "[1, T].", r"the model was given ids of shape \[\d+\]"),
    ("extra-dimension", "The ids have a dimension too many: a batch of one is [1, T].",
     r"the model was given ids of shape \[\d+, \d+, .*\]"),
    ("transposed", "The ids are a batch of T texts of one token each; one text is a "
     "batch of one, [1, T].", r"the model was given ids of shape \[(?!1,)\d+, 1\]"),
    ("wrong-dtype", "The ids have another dtype than the tokenizer's, int64.",
     r"the model was given ids of \w+; it reads int64"),
    ("not-a-tensor", "The model reads a MAX Tensor: Tensor.from_dlpack makes one of a "
     "NumPy array.", r"the model was given a .*; it reads a MAX Tensor"),
    ("not-an-id", "A number that is no token's id is used as one. Is it an index into "
     "the logits of all positions?", r"was given the id -?\d+; there are"),
    ("decodes-something-else", "decode takes the ids as a MAX Tensor, [T] or [1, T].",
     r"^decode was given (a \w+|ids of shape .*);"),
    ("nothing", "generate ends without a `return`: the text is lost.",
     r"^generate\(...\) is None"),
    ("not-a-text", "generate returns the text, a str: the tokenizer's decode makes it.",
     r"^generate\(...\) is a "),
    ("no-generate", "The class has no method called generate.",
     r"^TextGenerator has no `generate`"),
)  # fmt: skip

WHERE = "TextGenerator.generate"
GREEDY = "greedy: always takes the most probable token after the last one"
CALLS = "calls the model once per token, with all tokens so far"
CUTS = f"feeds the model at most the last {CONTEXT} tokens, its context_length"
SAMPLES = "samples: tokens are as frequent as softmax(logits / temperature) says"
SEEDS = "gives the same text for the same seed, and others for other seeds"


def context_row(name: str, prompt: str, count: int, context: int) -> Check:
    def answer(**flaw: Any) -> dict[str, Any]:
        return write(prompt, count, context, **flaw)

    return Check(
        name,
        "greedily",
        given=(prompt, count, context),
        expect=answer,
        needs=(CALLS,),
        where=WHERE,
        mistakes=distinct(*flaws(answer, *CUTTING), like=operator.eq),
    )


TABLE = Table(
    checks=(
        Check(
            GREEDY,
            "greedily",
            expect=lambda: {"text": text()},
            where=WHERE,
            mistakes=(
                *name_missing("TextGenerator"),
                *flaws(write, *PREDICTING, *RETURNING),
                Mistake("all-positions-appended", "The predictions of all positions "
                        "are appended, not only the last one's.", gives=all_positions),
                Mistake("max_new_tokens-ignored", "The text is right up to "
                        "max_new_tokens, and then goes on.", proves=continued),
                Mistake("do_sample-inverted", "do_sample is read the wrong way round: "
                        "the text is greedy with True and sampled with False.",
                        probe="greedy_and_sampled", proves=flag_turned),
                Mistake("do_sample-ignored", "do_sample makes no difference: it "
                        "samples with False too.", probe="greedy_and_sampled",
                        proves=flag_unread),
                *UNREADABLE,
            ),
        ),
        Check(
            "greedy: the temperature does not count",
            "at_any_temperature",
            expect=lambda: [text()] * 2,
            needs=(GREEDY,),
            where=WHERE,
            mistakes=(
                Mistake("greedy-scaled", "The temperature is applied before the most "
                        "probable token is taken; without sampling it does not count.",
                        proves=scaled),
            ),
        ),
        Check(
            CALLS,
            "greedily",
            expect=write,
            needs=(GREEDY,),
            where=WHERE,
            mistakes=flaws(write, *CALLING),
        ),
        Check(
            "writes max_new_tokens tokens: none, one or nine",
            "some_lengths",
            expect=lambda: [text(count=n) for n in (0, 1, 9)],
            needs=(GREEDY,),
            where=WHERE,
            mistakes=(
                Mistake("at-least-one", "One token is written even when max_new_tokens "
                        "is 0.", gives=lambda: [text(count=n) for n in (1, 1, 9)]),
                Mistake("none-means-default", '0 is taken as "not given": compare with '
                        "None.", gives=lambda: [text(count=n) for n in (50, 1, 9)]),
                Mistake("prompt-lost-without-tokens", "The prompt is missing when "
                        "max_new_tokens is 0.",
                        gives=lambda: ["", text(count=1), text(count=9)]),
            ),
        ),
        context_row(CUTS, LONGER, 4, CONTEXT),
        context_row(
            "goes on when what it writes fills the context", PROMPT, NEW, FULL
        ),
        Check(
            SAMPLES,
            "frequencies",
            given=(0.4,),
            accept=drawn_right,
            needs=(CUTS,),
            where=WHERE,
            mistakes=(
                Mistake("seed-fixed", "The text is the same whatever the seed is. Is a "
                        "seed written in?", proves=rounds_repeat),
                Mistake("seed-each-token", "The random numbers start again from the "
                        "seed at each token: make the generator before the loop.",
                        probe="step_by_step", proves=restarted),
                *(
                    Mistake(name, sentence(message),
                            proves=lambda got, name=name: drawn_by(got) == name)
                    for name, message, _ in WAYS
                ),
                *UNREADABLE,
            ),
        ),
        Check(
            "samples from large and small logits too: only their differences count",
            "certain",
            given=(1000.0, -1000.0),
            expect=lambda: [PLAIN] * 2,
            needs=(SAMPLES,),
            where=WHERE,
            mistakes=(
                Mistake("exp-overflows", "With 1000 added to or taken from all logits, "
                        "exp is inf or 0: subtract the largest logit first.",
                        probe="certain", given=(0.0,),
                        gives=lambda: [PLAIN]),
            ),
        ),
        Check(
            SEEDS,
            "seeds",
            accept=seeds_right,
            needs=(GREEDY,),
            where=WHERE,
            mistakes=(
                Mistake(ALWAYS_GREEDY[0], sentence(ALWAYS_GREEDY[1]),
                        proves=all_greedy),
                Mistake("seed-fixed", "The text is the same whatever the seed is. Is a "
                        "seed written in?", proves=seed_fixed),
                Mistake("seed-fixed-at-start", "The random numbers go on from one call "
                        "to the next: start them from the seed in each call.",
                        proves=continues),
                Mistake("seed-ignored", "The seed has no effect: each call gives "
                        "another text.", proves=ignored),
                Mistake("seed-zero", "The seed 0 is taken as no seed: compare with "
                        "None.", proves=zero_is_none),
                Mistake("seed-none-fixed", "Without a seed each call should give "
                        "another text; a seed is filled in.", proves=none_fixed),
                *UNREADABLE,
            ),
        ),
        Check(
            "by default: 50 tokens, sampled at temperature 0.8, from the last 1024",
            "defaults",
            expect=lambda: {"tokens": 50, "same": True, "context": 1024},
            needs=(CUTS, SEEDS),
            where=WHERE,
            mistakes=(
                *(
                    Mistake(name, f"The default of {argument} is not {value}.",
                            probe="each_default", proves=default_differs(argument))
                    for name, argument, value in (
                        ("default-length", "max_new_tokens", 50),
                        ("default-temperature", "temperature", 0.8),
                        ("default-greedy", "do_sample", True),
                    )
                ),
                Mistake("default-context", "The default of context_length is not "
                        "1024.", probe="each_default", proves=context_differs),
            ),
        ),
        Check(
            "decodes all tokens together: a letter can be two of them",
            "accents",
            expect=lambda: ACCENTED,
            needs=(GREEDY,),
            where=WHERE,
            mistakes=(
                Mistake("token-by-token", "The tokens are decoded one by one: a letter "
                        "made of two breaks.",
                        gives=lambda: "".join(map(to_text, zip(to_ids(ACCENTED))))),
            ),
        ),
        Check(
            "takes a module as its model, as it is or compiled",
            "modules",
            expect=lambda: [text("ab", 5, after=lambda ids: bigrams()[ids])] * 2,
            needs=(GREEDY,),
            where=WHERE,
        ),
    ),
)  # fmt: skip
