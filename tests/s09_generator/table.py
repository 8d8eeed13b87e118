"""Step 9, ``generator.py``: predict, choose, append, again.

The oracle of greedy texts follows each step: after these ids the logits are those,
hence the next token is this one. Sampling is judged by how often each token is drawn,
and a right sampler is rejected less than once in a million runs. Temperature as in
Hinton et al. 2015, section 2: softmax(logits / temperature).
"""

import math
import operator
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from checker.table import Check, Mistake, Table, distinct, flaws, refusals, sentence
from tests.s09_generator import probes
from tests.s09_generator.probes import (
    GREEDY,
    HEAT,
    NEW,
    PROMPT,
    Ids,
    Rows,
    rows,
    to_ids,
    to_text,
)
from tests.support import sampling
from tests.support.data import Array
from tests.support.rows import name_missing
from tests.support.sampling import RARE, Shares, chances, shared

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
    extend: Callable[[Ids, Any, int], Ids] = lambda ids, new, n: [*ids, int(new)],
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
        ids = extend(ids, choose(pick(after(fed))), context)
    return {"text": spoken(answer(own, ids)), "calls": calling(calls)}


def greedy(prompt: str = PROMPT, count: int = NEW, **more: Any) -> str:
    return str(write(prompt, count, **more)["text"])


MEAN = "mean-over-positions", "the logits of all positions are averaged or summed"
LARGEST = "max-over-positions", "the largest logit of any position is taken"

PREDICTING = (
    ("first-position", "the next token is taken from the first position's logits; the "
     "last position predicts it", dict(pick=lambda logits: logits[0])),
    ("second-last-position", "the next token is taken from the logits of the position "
     "before the last", dict(pick=lambda logits: logits[-2:][0])),
    (*MEAN, dict(pick=lambda logits: logits.mean(0))),
    (*LARGEST, dict(pick=lambda logits: logits.max(0))),
    ("argmax-over-positions", "argmax runs over the positions, not over the tokens",
     dict(pick=lambda logits: logits, choose=lambda logits: logits.argmax(0)[-1])),
    ("least-probable", "the least probable token is taken: argmin for argmax",
     dict(choose=np.argmin)),
    ("second-most-probable", "the second most probable token is taken",
     dict(choose=lambda logits: np.argsort(-logits)[1])),
    ("last-token-only-fed", "the model is given the last token only; it needs all of "
     "them to predict the next", dict(cut=lambda ids, n: ids[-1:])),
    ("all-but-last-fed", "the model is not given the last token",
     dict(cut=lambda ids, n: ids[:-1])),
    ("prompt-fed-again", "the model is given the prompt each time, without the new "
     "tokens", dict(cut=lambda ids, n: to_ids(PROMPT))),
    ("called-once", "the model is called once, and all new tokens are taken from that "
     "one answer", dict(cut=lambda ids, n: to_ids(PROMPT),
                        calling=lambda calls: calls[:1])),
    ("prepended", "the new token is put before the others; it belongs at the end",
     dict(extend=lambda ids, new, n: [int(new), *ids])),
    ("last-token-replaced", "the new token replaces the last one instead of following "
     "it", dict(extend=lambda ids, new, n: [*ids[:-1], int(new)])),
    ("appended-twice", "the new token is appended twice",
     dict(extend=lambda ids, new, n: [*ids, int(new), int(new)])),
    ("not-appended", "the new token is not appended: the text stays the prompt",
     dict(extend=lambda ids, new, n: ids)),
    ("all-positions-appended", "the predictions of all positions are appended",
     dict(pick=lambda logits: logits, choose=lambda logits: logits.argmax(-1),
          extend=lambda ids, new, n: [*ids, *new.tolist()])),
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
    ("stripped", "the spaces around the text are removed; they belong to it",
     dict(spoken=lambda ids: to_text(ids).strip())),
    ("spaces-between-tokens", "spaces are put between the tokens, which have their own",
     dict(spoken=lambda ids: " ".join(to_text([one]) for one in ids))),
    ("too-many", "one token more than max_new_tokens is written", dict(count=NEW + 1)),
    ("too-few", "one token fewer than max_new_tokens is written", dict(count=NEW - 1)),
    ("one-token-only", "one token is written and no more, as with a `return` inside "
     "the loop", dict(count=1)),
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
    ("context-blocks", "a full context starts again from nothing",
     dict(cut=lambda ids, n: ids[(len(ids) - 1) // n * n:])),
    ("context-restarts", "the model is given the last token alone when the context is "
     "full", dict(cut=lambda ids, n: ids if len(ids) <= n else ids[-1:])),
    ("prompt-cut-in-text", "the prompt is cut to the context in the text too; cut only "
     "what the model is given", dict(start=lambda ids, n: ids[-n:])),
    ("prompt-cut-only", "the prompt is cut to the context, in the text too, and what "
     "is written after it is not cut",
     dict(start=lambda ids, n: ids[-n:], cut=lambda ids, n: ids)),
    ("context-cut-in-text", "the tokens that leave the context are cut from the text "
     "as well: cut a copy for the model",
     dict(extend=lambda ids, new, n: [*ids[-n:], int(new)])),
    ("context-cut-after", "the text is cut to the context after each new token: cut a "
     "copy for the model", dict(extend=lambda ids, new, n: [*ids, int(new)][-n:])),
    ("stops-at-context", "writing stops when the context is full; it should go on with "
     "the last tokens", dict(stop=lambda ids, n: len(ids) >= n)),
)  # fmt: skip


def goes_on(got: Any) -> bool:
    """Right up to max_new_tokens, and then still the most probable tokens."""
    more = len(got["text"]) > len(greedy()) + 1
    return more and greedy(count=64).startswith(got["text"])


FLAGS = [{"max_new_tokens": NEW, "do_sample": flag, "seed": seed, "temperature": t}
         for flag in (False, True) for seed in (1, 2) for t in (0.8, 5.0)]  # fmt: skip
"""The same four calls without do_sample and with it."""


def flag_turned(got: Any) -> bool:
    return set(got[4:]) == {greedy()} and len(set(got[:4])) > 1


def flag_unread(got: Any) -> bool:
    return bool(got[:4] == got[4:] and len(set(got)) > 1)


EXTREMES = [
    {**GREEDY, "max_new_tokens": NEW, "temperature": t} for t in (5e-324, 1.7e308)
]


def scaled(got: Any) -> bool:
    """What argmax finds where logits have become infinite or 0, or all equal."""
    finds: tuple[Callable[[Array], Any], ...] = (
        np.argmax,
        lambda logits: 0,
        lambda logits: (logits > 0).argmax(),
        lambda logits: (logits > 1.06).argmax(),  # 1.06 * 1.7e308 is a number still
    )
    known = [greedy(choose=find) for find in finds]
    return got != known[:1] * 2 and len(got) == 2 and set(got) <= set(known)


# Sampling: z are the logits after the last id, b those before it, t the temperature.

Way = Callable[[Shares, Shares, float], Shares]
"""The probability of each token."""


def right(z: Shares, b: Shares, t: float) -> Shares:
    """Rounded random numbers are forgiven: once in 100,000 draws a token may be taken
    that is never written."""
    p = chances(z, t)
    return p if p.all() else np.where(p > 0, p * (1 - 1e-5), 1e-5 / (p == 0).sum())


def each(ways: Callable[..., Shares], *values: Any) -> tuple[Way, ...]:
    """A way for each value of its last argument."""
    return tuple(lambda z, b, t, own=own: ways(z, b, t, own) for own in values)  # type: ignore[misc]


NOT_SAMPLED = "always-greedy", "the most probable token is always taken: none is drawn"

WAYS: tuple[tuple[str, str, tuple[Way, ...]], ...] = (
    ("temperature-no-effect", "the temperature has no effect: it is ignored, always "
     "the same, or comes after the softmax",
     each(lambda z, b, t, own: chances(z, own), 1, 0.8, 0.7, 2)),
    ("temperature-multiplied", "the logits are multiplied by the temperature instead "
     "of divided", (lambda z, b, t: chances(z, 1 / t),)),
    ("temperature-twice", "the temperature is applied twice",
     (lambda z, b, t: chances(z, t * t),)),
    ("softmax-twice", "a softmax is applied to probabilities again, with the "
     "temperature before, between or after",
     (lambda z, b, t: chances(chances(z, t)), lambda z, b, t: chances(chances(z), t),
      lambda z, b, t: chances(chances(z), 1 / t))),
    ("uniform", "all tokens are equally probable: the logits are not used",
     (lambda z, b, t: shared(np.ones(len(z))),)),
    (*NOT_SAMPLED, (lambda z, b, t: np.eye(len(z))[z.argmax()],)),
    ("not-the-last-position", "an earlier position's logits are used; the last "
     "position predicts the next token",
     (lambda z, b, t: chances(b, t), lambda z, b, t: chances(b))),
    (*MEAN, (lambda z, b, t: chances((2 * b + z) / 3, t),
             lambda z, b, t: chances(2 * b + z, t))),
    (*LARGEST, (lambda z, b, t: chances(np.maximum(b, z), t),)),
    ("no-softmax", "the logits themselves are the weights, without exponentials: the "
     "softmax is missing",
     (lambda z, b, t: shared(np.clip(z, 0, None)), lambda z, b, t: shared(np.abs(z)),
      lambda z, b, t: shared(z - z.min()))),
    ("top-k", "only the most probable tokens are ever drawn, as with top-k or top-p",
     each(lambda z, b, t, k: sampling.top(chances(z, t), k), *range(2, 71))
     + each(lambda z, b, t, part: sampling.up_to(chances(z, t), part),
            0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.92, 0.95)),
    ("index-one-off", "each token drawn has an id that is one too large or too small",
     each(lambda z, b, t, move: move(chances(z, t)),
          lambda p: np.roll(p, 1), lambda p: np.roll(p, -1),
          lambda p: np.array([0, *p[:-2], p[-2:].sum()]),
          lambda p: np.array([p[:2].sum(), *p[2:], 0]))),
    ("rank", "the ranks of sorted tokens are taken as their ids",
     (lambda z, b, t: np.sort(chances(z, t))[::-1],
      lambda z, b, t: np.sort(chances(z, t)))),
    ("noise-not-gumbel", "noise is added that does not have Gumbel's distribution, "
     "-log(-log(u))",
     each(lambda z, b, t, noise: sampling.largest(z / t, noise), *sampling.NOISES)),
)  # fmt: skip

Seen = dict[str, Shares]
"""For each model the probabilities of the tokens, or how often they were drawn."""


@cache
def ways() -> dict[str, list[Seen]]:
    """The forms of each way to draw; the right one is called ""."""
    given = {name: probes.MODELS[name]([0, 0]).astype(float) for name in HEAT}
    known = [("", (right,)), *((name, forms) for name, _, forms in WAYS)]
    return {
        name: [{m: way(z, b, HEAT[m]) for m, (b, z) in given.items()} for way in forms]
        for name, forms in known
    }


def counted(got: dict[str, list[str]]) -> Seen:
    signs = [piece.decode(errors="replace") for piece in probes.PIECES]
    sizes = {name: len(p) for name, p in ways()[""][0].items()}
    return {m: sampling.counts("".join(got[m]), signs[: sizes[m]]) for m in sizes}


def explained(seen: Seen) -> dict[str, float]:
    """How well each way explains what was drawn: by the best of its forms."""
    return {
        name: max(sum(sampling.likelihood(seen[m], p[m]) for m in p) for p in forms)
        for name, forms in ways().items()
    }


def grouped(model: str, shares: Shares) -> Shares:
    """The frequent tokens one by one, the rare in thirds, and those never written."""
    order = np.argsort(-ways()[""][0][model], kind="stable")
    first = [at for at in (0, 1, 2, 3, 4, 30, 56, 81) if at < len(order)]
    return np.array(np.add.reduceat(shares[order], first))


def unlike(seen: Seen, p: Seen) -> list[str]:
    """The models from which something else explains the draws much better than p."""
    by = {m: sampling.unlike(grouped(m, seen[m]), grouped(m, p[m])) for m in p}
    return [model for model in by if by[model] > RARE + math.log(len(by))]


def drawn_right(got: dict[str, list[str]]) -> str | None:
    seen, forms = counted(got), sum(map(len, ways().values()))
    if min(each.sum() for each in seen.values()) < probes.FEWEST * probes.ROUND:
        return "generate adds too few tokens to judge how they are drawn"
    found, wrong = explained(seen), unlike(seen, ways()[""][0])
    if not wrong and max(found.values()) - found[""] <= RARE + math.log(forms):
        return None
    model = wrong[0] if wrong else "hot"
    n, want = seen[model].sum(), grouped(model, ways()[""][0][model])
    share = grouped(model, seen[model]) / n
    never = f", and {share[-1]:.0%} tokens of probability 0" if share[-1] > 0.01 else ""
    return (
        f"at temperature {HEAT[model]} the most probable token came {share[0]:.0%} of "
        f"{n:.0f} times, want {want[0]:.0%}{never}"
    )


def drawn_by(name: str) -> Callable[[Any], bool]:
    """Whether this wrong way explains the draws, and all others do much worse."""
    return lambda got: name == _explains(*(tuple(got[model]) for model in HEAT))


@cache
def _explains(*rounds: tuple[str, ...]) -> str:
    if any(map(repetitive, rounds)):
        return ""
    seen = counted({m: ["".join(each)] for m, each in zip(HEAT, rounds, strict=True)})
    *_, second, first = sorted((by, name) for name, by in explained(seen).items())
    fits = any(not unlike(seen, p) for p in ways()[first[1]])
    return first[1] if fits and first[0] - second[0] > 6 else ""


def repetitive(rounds: tuple[str, ...]) -> bool:
    """Whether each round repeats a token of its own, or all are one text: those are
    fewer draws than there are tokens."""
    return all(len(set(each)) == 1 for each in rounds) != (len(set(rounds)) == 1)


def restarted(got: dict[str, list[str]]) -> bool:
    """Calls for one token with the same seed write the text of one call, and it is not
    the greedy text: seeds matter."""
    return got["whole"] == got["steps"] and len(set(got["whole"])) == 3


# Seeds: nine letters after PROMPT, all with nearly the same chances.

SEEDS = (7, 7, 0, 0, 8, 9, 1234, None, None)
UNSEEDED: dict[str, Any] = {"max_new_tokens": 9, "temperature": 1.0, "do_sample": True}
SEEDED = [{**UNSEEDED, "seed": seed} for seed in SEEDS]
TWO_OBJECTS = ([*SEEDED, UNSEEDED, UNSEEDED], SEEDED[:1])


def seeds_right(got: list[str]) -> str | None:
    seven, again, zero, zero_again, *others, none, none_again, left, left_too, new = got
    if seven != again or seven != new:
        return "the seed 7 gave two texts"
    if zero != zero_again:
        return "the seed 0 gave two texts"
    if len({seven, zero, *others}) < 5:
        return "two different seeds gave the same text"
    if none == none_again or left == left_too:
        return "without a seed, two calls gave one text"
    where = (name for name, at in ENDS.items() if never_drawn(got, at))
    return next(
        (f"the {name} token is always the most probable" for name in where), None
    )


ENDS = {"first": len(PROMPT), "last": -1}
"""Where in the text."""


def never_drawn(got: list[str], at: int) -> bool:
    """Whether a token is the most probable after those before it, whatever the seed."""
    return all(text[:at] + text[at] == greedy(text[:at], 1) for text in set(got))


def by_seeds(judge: Callable[..., bool]) -> Callable[[Any], bool]:
    """A judgement of texts that are as long as they should be, each with more than one
    token: few of those are the same by chance. It is given those of seed 7, of 0, of
    other seeds, of None, of none given, of 7 by another object.
    """

    def proves(got: list[str]) -> bool:
        written = [text[len(PROMPT) :] for text in got]
        if not all(len(text) == 9 and len(set(text)) > 1 for text in written):
            return False
        return judge(got[:2], got[2:4], got[4:7], got[7:9], got[9:11], got[11])

    return proves


SEEDING = (
    (*NOT_SAMPLED, lambda *got: set(np.hstack(got)) == {greedy(count=9)}),
    ("seed-fixed", "The text is the same whatever the seed is. Is a seed written in?",
     lambda *got: len(set(np.hstack(got))) == 1),
    ("seed-fixed-at-start", "The random numbers go on from one call to the next: start "
     "them from the seed in each call.",
     lambda seven, zero, others, none, left, new: new == seven[0] != seven[1]),
    ("seed-ignored", "The seed has no effect: each call gives another text.",
     lambda seven, zero, others, none, left, new: len({*seven, *zero, new}) == 5),
    ("seed-zero", "The seed 0 is taken as no seed: compare with None.",
     lambda seven, zero, others, none, left, new:
     {*seven} == {new} and zero[0] != zero[1]),
    ("seed-none-fixed", "Without a seed each call should give another text; a seed is "
     "filled in.", lambda seven, zero, others, none, left, new:
     none[0] == none[1] and len({new, *others}) == 4),
    ("seed-default", "The default of seed is a number; it should be None.",
     lambda seven, zero, others, none, left, new:
     left[0] == left[1] and none[0] != none[1] and len({new, *others}) == 4),
    *((f"{name}-greedy", f"The {name} token is not drawn: it is always the most "
       "probable one.", lambda *got, at=at: never_drawn([*np.hstack(got)], at)
       and len(set(np.hstack(got))) > 1) for name, at in ENDS.items()),
)  # fmt: skip

DEFAULTS: dict[str, Any] = {"max_new_tokens": 50, "temperature": 0.8, "do_sample": True}
WITHOUT = [{n: v for n, v in DEFAULTS.items() if n != name} for name in DEFAULTS]
USUAL = [{"prompt": "abc", "seed": 5, **said}
         for said in ({}, DEFAULTS, DEFAULTS, *WITHOUT)]  # fmt: skip


def defaults_right(got: list[str]) -> str | None:
    default, said = got
    if default == said and len(said) == len("abc") + 50:
        return None
    return f"wrote {len(default) - 3} tokens, and not those of {DEFAULTS}"


def default_differs(name: str) -> Callable[[Any], bool]:
    """It makes a difference whether the usual value is said or left out."""
    at = 3 + list(DEFAULTS).index(name)
    return lambda got: len(got) == len(USUAL) and got[1] == got[2] != got[at]


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
    ("not-an-id", "You used a number that is not a token id. Is it an index into "
     "the logits of all positions?", r"was given the id -?\d+; there are"),
    ("decodes-something-else", "decode takes the ids as a MAX Tensor, [T] or [1, T].",
     r"^decode was given (a \w+|ids of shape .*);"),
    ("nothing", "generate gives None. Does it end without a `return`?",
     r"^generate\(...\) is None"),
    ("not-a-text", "generate returns the text, a str: the tokenizer's decode makes it.",
     r"^generate\(...\) is a "),
    ("no-generate", "The class has no method called generate.",
     r"^TextGenerator has no `generate`"),
)  # fmt: skip

MOST_PROBABLE = "greedy: always takes the most probable token after the last one"
CALLS = "calls the model once per token, with all tokens so far"
CUTS = f"feeds the model at most the last {probes.CONTEXT} tokens, its context_length"
PROMPTS = ("A cab ", " cabbe", "a")
SAMPLES = "samples: tokens are as frequent as softmax(logits / temperature) says"
REPEATS = "gives the same text for the same seed, and others for other seeds"
CERTAIN = [{**DEFAULTS, "prompt": "caf", "max_new_tokens": 5}]
row = partial(Check, where="TextGenerator.generate", needs=(MOST_PROBABLE,))


def context_row(name: str, *given: Any) -> Check:
    """``given`` are prompt, max_new_tokens and context_length."""
    answer = partial(write, *given)
    known = Mistake("right", "", gives=answer), *flaws(answer, *CUTTING)
    mistakes = distinct(*known, like=operator.eq)[1:]
    return row(name, "greedily", given, answer, mistakes=mistakes, needs=(CALLS,))


def lengths(*counts: int) -> list[str]:
    return [greedy(count=n) for n in counts]


TABLE = Table(
    checks=(
        row(MOST_PROBABLE, "greedily", expect=lambda: {"text": greedy()}, needs=(),
            mistakes=(
                *name_missing("TextGenerator"),
                *flaws(write, *PREDICTING, *RETURNING),
                Mistake("max_new_tokens-ignored", "The text is right up to "
                        "max_new_tokens, and then goes on.", proves=goes_on),
                Mistake("do_sample-inverted", "do_sample is read the wrong way round: "
                        "the text is greedy with True and sampled with False.",
                        probe="texts", given=("rows", FLAGS), proves=flag_turned),
                Mistake("do_sample-ignored", "do_sample makes no difference: it "
                        "samples with False too.", probe="texts",
                        given=("rows", FLAGS), proves=flag_unread),
                *UNREADABLE,
            )),
        row("greedy: the temperature does not count", "texts", ("rows", EXTREMES),
            expect=lambda: lengths(NEW, NEW),
            mistakes=(
                Mistake("greedy-scaled", "The temperature is applied before the most "
                        "probable token is taken; without sampling it does not count.",
                        proves=scaled),
            )),
        row(CALLS, "greedily", expect=write, mistakes=flaws(write, *CALLING)),
        row("greedy: takes the largest logit, by however much it is the largest",
            "texts", ("faint", [{**GREEDY, "max_new_tokens": NEW}]),
            expect=lambda: [greedy(after=probes.faint)]),
        row("greedy: takes the largest logit, however large or small all are",
            "texts", ("shifted", [{**CERTAIN[0], **GREEDY}]),
            expect=lambda: [probes.PLAIN]),
        row("writes max_new_tokens tokens: none, one or 120", "texts",
            ("rows", [{**GREEDY, "max_new_tokens": n} for n in (0, 1, 120)]),
            expect=lambda: lengths(0, 1, 120),
            mistakes=(
                Mistake("at-least-one", "One token is written even when max_new_tokens "
                        "is 0.", gives=lambda: lengths(1, 1, 120)),
                Mistake("none-means-default", '0 is taken as "not given": compare with '
                        "None.", gives=lambda: lengths(50, 1, 120)),
                Mistake("prompt-lost-without-tokens", "The prompt is missing when "
                        "max_new_tokens is 0.", gives=lambda: ["", *lengths(1, 120)]),
            )),
        context_row(CUTS, probes.LONGER, 4, probes.CONTEXT),
        context_row("goes on when what it writes fills the context",
                    PROMPT, NEW, probes.FULL),
        row("starts anew with each prompt, and keeps apart from other objects",
            "prompts", PROMPTS,
            expect=lambda: [greedy(each, context=probes.CONTEXT)
                            for each in (*PROMPTS, PROMPTS[0])], needs=(CUTS,)),
        row(SAMPLES, "frequencies", (1.0,), accept=drawn_right, needs=(CUTS,),
            mistakes=(
                Mistake("seed-each-token", "The random numbers start again from the "
                        "seed at each token: make the generator before the loop.",
                        probe="step_by_step", proves=restarted),
                *(Mistake(name, sentence(message), proves=drawn_by(name))
                  for name, message, _ in WAYS),
                *UNREADABLE,
            )),
        row("feeds the model no more than its context when it samples, too",
            "most_read", expect=lambda: probes.CONTEXT, needs=(CUTS,)),
        row("samples from large and small logits too: only their differences count",
            "texts", ("shifted", CERTAIN), expect=lambda: [probes.PLAIN],
            needs=(SAMPLES,),
            mistakes=(
                Mistake("exp-overflows", "With 1000 added to or taken from all logits, "
                        "exp is inf or 0: subtract the largest logit first.",
                        probe="texts", given=("near", CERTAIN),
                        gives=lambda: [probes.PLAIN]),
            )),
        row(REPEATS, "texts", ("faint", *TWO_OBJECTS), accept=seeds_right,
            mistakes=(
                *(Mistake(name, sentence(message), proves=by_seeds(judge))
                  for name, message, judge in SEEDING),
                *UNREADABLE,
            )),
        row("by default: 50 tokens, sampled at temperature 0.8", "texts",
            ("usual", USUAL[:2]), accept=defaults_right, needs=(REPEATS,),
            mistakes=tuple(
                Mistake(name, f"The default of {argument} is not {DEFAULTS[argument]}.",
                        probe="texts", given=("usual", USUAL),
                        proves=default_differs(argument))
                for name, argument in (
                    ("default-length", "max_new_tokens"),
                    ("default-temperature", "temperature"),
                    ("default-greedy", "do_sample"),
                )
            )),
        row("by default: the model is given the last 1024 tokens", "contexts",
            expect=lambda: [1024, 1024], needs=(CUTS,),
            mistakes=(
                Mistake("default-context", "The default of context_length is not "
                        "1024.", proves=lambda got: got[0] != got[1] == 1024),
            )),
        row("decodes all tokens together: a letter can be two of them", "texts",
            ("accented", [{**GREEDY, "prompt": "caf", "max_new_tokens": 4}]),
            expect=lambda: [probes.ACCENTED],
            mistakes=(
                Mistake("token-by-token", "The tokens are decoded one by one: a letter "
                        "made of two breaks.", gives=lambda: [
                            "".join(to_text([i]) for i in to_ids(probes.ACCENTED))]),
            )),
        row("takes a module as its model, as it is or compiled", "modules",
            expect=lambda: [greedy("ab", 5, after=lambda i: probes.bigrams()[i])] * 2),
    ),
)  # fmt: skip
