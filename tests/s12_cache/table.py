"""Step 12, ``cache.py``: a KV cache, and the generator that writes with it.

Oracle: the model of step 7 on the whole text. With a cache, a token has its position in
the whole text and sees all tokens before it; a mistake is another position, or another
choice of tokens that are seen. Past the context the generator starts again from the
last half of it (``CachedGenerator`` in the course's text).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from checker.table import Check, Mistake, Table, distinct, flaws, refusals, sentence
from checker.verdict.compare import same
from tests.s03_layernorm.table import layer_norm
from tests.s05_attention.table import attention
from tests.s06_block.table import Parts
from tests.s07_model.probes import weights
from tests.s09_generator import table as generators
from tests.s09_generator.probes import NEW, PROMPT, rows, to_ids, to_text
from tests.s12_cache import probes
from tests.s12_cache.probes import OTHER, SMALL, text, to_prompt
from tests.support.data import Array, Sizes
from tests.support.rows import name_missing

Ids = list[int]


@dataclass(frozen=True)
class New:
    """The i-th new token of a piece of ``tokens`` after ``past`` cached ones."""

    past: int
    i: int
    tokens: int


def forward(
    ids: Array,
    positions: Array,
    seen: Array,
    sizes: Sizes = SMALL,
    embed: Callable[[Array], Array] = lambda wte: wte,
) -> Array:
    """The logits after every token, [B, N, V], of tokens at these positions, [N], each
    of which sees some, [N, N]. ``embed`` changes the embeddings."""
    w = {path.removeprefix("transformer."): w for path, w in weights(sizes).items()}
    x = embed(w["wte.weight"])[ids] + w["wpe.weight"][positions]
    eps, heads = sizes["layer_norm_epsilon"], sizes["n_head"]
    for number in range(sizes["n_layer"]):
        parts = Parts(w, heads, f"h.{number}.", eps=(eps, eps))
        hide = lambda scores: np.where(seen, scores, np.float32(-np.inf))
        x = x + attention(parts.n1(x), w, heads, f"h.{number}.attn.", hide=hide)
        x = x + parts.mlp(parts.n2(x))
    x = layer_norm(x, w["ln_f.weight"], w["ln_f.bias"], eps)
    return (x @ w["lm_head.weight"].T).astype(np.float32)


def fed(
    name: str,
    batch: int,
    pieces: list[int],
    sizes: Sizes = SMALL,
    *,
    position: Callable[[New], int] = lambda new: new.past + new.i,
    sees: Callable[[New, int], bool] = lambda new, j: j <= new.past + new.i,
    shown: Callable[[Array, int, int], Array] = lambda every, start, end: every[:, end],
) -> list[Array]:
    """The logits after each piece of a text; keyword arguments make the mistakes."""
    starts = [sum(pieces[:n]) for n in range(len(pieces))]
    new = [New(s, i, n) for s, n in zip(starts, pieces, strict=True) for i in range(n)]
    seen = np.array([[sees(each, j) for j in range(len(new))] for each in new])
    ids = text(name, batch, len(new))
    every = forward(ids, np.array([position(each) for each in new]), seen, sizes)
    ends = zip(starts, pieces, strict=True)
    return [shown(every, start, start + n - 1) for start, n in ends]


PLACING = (
    ("positions-restart", "the positions of new tokens start at 0 again; they go on "
     "after the cached ones", dict(position=lambda new: new.i)),
    ("positions-one-less", "the first new token has the position of the last cached "
     "one", dict(position=lambda new: max(new.past - 1, 0) + new.i)),
    ("positions-one-more", "a position is left out between the cached tokens and the "
     "new ones", dict(position=lambda new: new.past + new.i + (new.past > 0))),
    ("one-position", "all new tokens have the position of the first one",
     dict(position=lambda new: new.past)),
)  # fmt: skip
SEEING = (
    ("mask-not-shifted", "the mask is that of a text without cached tokens: the first "
     "new token sees one token, the second two",
     dict(sees=lambda new, j: j <= new.i)),
    ("cached-unseen", "new tokens see each other alone, and no cached one",
     dict(sees=lambda new, j: new.past <= j <= new.past + new.i)),
    ("itself-unseen", "a new token sees the cached ones, but not itself",
     dict(sees=lambda new, j: j < new.past + new.i or (new.past + new.i == j == 0))),
    ("piece-not-masked", "new tokens that are fed together see each other, the later "
     "ones as well", dict(sees=lambda new, j: j < new.past + new.tokens)),
    ("piece-masked-from-cached", "all new tokens see what the first of them sees",
     dict(sees=lambda new, j: j <= new.past)),
    ("one-ahead", "a token sees the one after it",
     dict(sees=lambda new, j: j <= new.past + new.i + 1)),
    ("oldest-unseen", "the oldest cached token is not seen any more",
     dict(sees=lambda new, j: (new.past == 0 or j > 0) and j <= new.past + new.i)),
)  # fmt: skip
ENDING = (
    ("all-positions", "there are logits for every new token; those after the last are "
     "asked for", dict(shown=lambda every, start, end: every[:, start : end + 1])),
    ("batch-of-positions", "the logits have a dimension for positions, [B, 1, V]; "
     "[B, V] is asked for",
     dict(shown=lambda every, start, end: every[:, end : end + 1])),
    ("first-of-the-piece", "these are the logits after the first new token, not after "
     "the last", dict(shown=lambda every, start, end: every[:, start])),
)  # fmt: skip


def shared_memory(text_of: Callable[[str, int, int], Array] = text) -> dict[str, Any]:
    """Two texts that write into one cache: of both, new tokens see the second's."""
    (one, a, b), (other, c, d) = probes.FIRST, probes.SECOND
    ids = np.concatenate([
        text_of(one, 1, a + b)[:, :a], text_of(other, 1, c + d)[:, :c],
        text_of(one, 1, a + b)[:, a:], text_of(other, 1, c + d)[:, c:],
    ], 1)  # fmt: skip
    rows = [*range(a), *range(c), *range(a, a + b), *range(c, c + d)]
    seen = np.zeros((len(rows), len(rows)), bool)
    for new, row in enumerate(rows):  # the latest token in each row up to its own
        for place in range(row + 1):
            seen[new, max(at for at in range(new + 1) if rows[at] == place)] = True
    every = forward(ids, np.array(rows), seen)[0]
    ends = np.cumsum([a, c, b, d]) - 1
    return {one: [every[None, ends[0]], every[None, ends[2]]],
            other: [every[None, ends[1]], every[None, ends[3]]]}  # fmt: skip


def recomputed() -> Array:
    """With the embeddings that all tokens but the last have now."""
    ids = text("cached", 1, 6)
    old = [one for one in ids[0, :5] if one != ids[0, 5]]

    def embed(wte: Array) -> Array:
        wte = wte.copy()
        wte[old] *= -1
        return wte

    every = forward(ids, np.arange(6), np.tri(6, dtype=bool), embed=embed)
    return every[:, -1]


def apart() -> dict[str, list[Array]]:
    two = probes.FIRST, probes.SECOND
    return {name: fed(name, 1, pieces) for name, *pieces in two}


# What the generator feeds


def write(
    prompt: str,
    count: int,
    context: int,
    *,
    start: Callable[[Ids, int], Ids] = lambda ids, n: ids[-n:],
    new: Callable[[Ids], Ids] = lambda ids: ids[-1:],
    again: Callable[[Ids, int], Ids] = lambda ids, n: ids[-(n // 2) :],
    full: Callable[[int, int], bool] = lambda total, n: total > n,
) -> dict[str, Any]:
    """Greedy text, and what the model is fed; the keyword arguments make the mistakes.
    ``total`` tokens would be in the cache with what is to be fed."""
    ids = to_ids(prompt)
    calls, so_far, feed = [], [], start(ids, context)
    for _ in range(count):
        if so_far and full(len(so_far) + len(feed), context):
            so_far, feed = [], again(ids, context)
        calls.append([*feed])
        so_far += feed
        ids = [*ids, int(rows(so_far)[-1].argmax())]
        feed = new(ids)
    return {"text": to_text(ids), "fed": [one for call in calls for one in call]}


FEEDING = (
    ("prompt-again", "the whole text is fed again for each token, behind what is "
     "cached", dict(new=lambda ids: ids)),
    ("last-two", "the last two tokens are fed each time; one of them is cached",
     dict(new=lambda ids: ids[-2:])),
)  # fmt: skip
RESTARTING = (
    ("restart-with-all", "it starts again from the last context_length tokens, with "
     "which the cache is full at once", dict(again=lambda ids, n: ids[-n:])),
    ("restart-rounded-up", "half of an odd context is rounded up; it is context_length "
     "// 2", dict(again=lambda ids, n: ids[-(n - n // 2):])),
    ("restart-with-one", "it starts again from the newest token alone",
     dict(again=lambda ids, n: ids[-1:])),
    ("restart-one-less", "it starts again from one token less than half of the context",
     dict(again=lambda ids, n: ids[-(n // 2) + 1:])),
    ("restart-one-more", "it starts again from one token more than half of the context",
     dict(again=lambda ids, n: ids[-(n // 2) - 1:])),
    ("restart-without-newest", "it starts again without the newest token",
     dict(again=lambda ids, n: ids[-(n // 2) - 1:-1])),
    ("restart-early", "it starts again one token before the cache is full",
     dict(full=lambda total, n: total > n - 1)),
    ("never-restarted", "it goes on when the cache is full",
     dict(full=lambda total, n: False)),
)  # fmt: skip
CUTTING = (
    ("prompt-not-cut", "all of a long prompt is fed; the model reads context_length "
     "tokens", dict(start=lambda ids, n: ids)),
    ("prompt-cut-at-its-end", "of a long prompt the first tokens are read, not the "
     "last", dict(start=lambda ids, n: ids[:n])),
    ("prompt-cut-to-half", "of a long prompt the last context_length // 2 tokens are "
     "read; the last context_length fit",
     dict(start=lambda ids, n: ids[-n:] if len(ids) <= n else ids[-(n // 2):])),
)  # fmt: skip


def continued(prompt: Ids, count: int) -> Ids:
    """Greedy text of the model itself, within its context."""
    ids = [*prompt]
    for _ in range(count):
        n = len(ids)
        seen = np.tri(n, dtype=bool)
        every = forward(np.array([ids]), np.arange(n), seen)
        ids.append(int(every[0, -1].argmax()))
    return ids


UNUSABLE = (
    *name_missing("CachedGPT2", "CachedGenerator"),
    *refusals(
        ("no-empty", "CachedGPT2 makes the caches of no tokens with empty(batch).",
         r"has no `empty`"),
        ("one-answer", "A call returns two things: the logits, and the caches.",
         r"^CachedGPT2\(\.\.\.\)\(\.\.\.\) is a \w+, not logits and caches"),
    ),
)  # fmt: skip
PIECES, TOLERANCE = [5, 1, 1], 1e-4
PROMPT_FED = "gives the logits after the last token of a prompt, [B, V]"
DECODES = "goes on token by token, as if the whole text had been fed"
WRITES = "CachedGenerator writes what TextGenerator writes"
FEEDS = "CachedGenerator feeds the prompt once, and then each new token"
row = partial(Check, tolerance=TOLERANCE)
model_row = partial(row, where="CachedGPT2.__call__", needs=(DECODES,))
text_row = partial(row, where="CachedGenerator.generate", needs=(WRITES,))


def pieces_row(
    name: str, batch: int, pieces: list[int], *more: Mistake, needs: tuple[str, ...]
) -> Check:
    """A text that is fed in pieces."""
    answer = partial(fed, name, batch, pieces)
    flawed = flaws(answer, *PLACING, *SEEING, *ENDING)
    known = Mistake("right", "", gives=answer), *flawed
    mistakes = distinct(*known, like=lambda a, b: same(a, b, TOLERANCE))[1:]
    return model_row(
        "", "in_pieces", (name, batch, pieces), expect=answer, needs=needs,
        mistakes=(*mistakes, *more),
    )  # fmt: skip


def writing_row(name: str, *given: Any, rows: Any, needs: tuple[str, ...]) -> Check:
    """``given`` are prompt, max_new_tokens and context_length."""
    answer = partial(write, *given)
    known = Mistake("right", "", gives=answer), *flaws(answer, *rows)
    mistakes = distinct(*known, like=lambda a, b: a == b)[1:]
    return text_row(name, "greedily", given, expect=answer, mistakes=mistakes,
                    needs=needs)  # fmt: skip


def of_step_9(probe: str, *names: str) -> tuple[Check, ...]:
    """Rows of step 9 that hold for what it writes with a cache too."""
    found = [each for each in generators.TABLE.checks if each.probe == probe]
    return tuple(
        replace(each, where="CachedGenerator.generate", needs=(WRITES,))
        for each in found
        if each.name in names
    )


CHOSEN = (3, 0, 7, 1, 1, 5)


def asked_right(got: dict[str, Any]) -> str | None:
    ids = to_ids(PROMPT)
    want = [[*ids, *CHOSEN[:n]] for n in range(len(CHOSEN))]
    written = to_text([*ids, *CHOSEN])
    if got["ids"] != want:
        given = got["ids"]
        differ = [pair for pair in zip(given, want, strict=False) if pair[0] != pair[1]]
        if not differ:
            return f"the sampler was called {len(given)} times, want {len(want)}"
        return (
            f"the sampler was called with the ids {differ[0][0]}, want {differ[0][1]}"
        )
    if max(got["far"]) > 1e-3:
        return "the sampler was given other logits than the model's own"
    if got["text"] != written:
        return f"the text is {got['text']!r}, want {written!r}"
    return None


def sampler_row(name: str, context: int, **settings: Any) -> Check:
    return text_row(name, "by_a_sampler", (context, settings, *CHOSEN),
                    accept=asked_right)  # fmt: skip


TABLE = Table(
    uses=("config", "model", "sampling"),
    checks=(
        replace(pieces_row("prompt", 2, [5], *UNUSABLE, needs=()), name=PROMPT_FED),
        replace(pieces_row("prompt", 2, PIECES, *UNUSABLE, needs=(PROMPT_FED,)),
                name=DECODES),
        replace(pieces_row("prompt", 1, [2, 4, 3], needs=(DECODES,)),
                name="takes a prompt in pieces of 2, 4 and 3 tokens"),
        replace(pieces_row("many", 4, [1, 1, 2], needs=(DECODES,)),
                name="works for four texts at once, from one token on"),
        model_row("works at other sizes: 20 features, 5 heads, one layer",
                  "at_other_sizes", ([3, 1],),
                  expect=lambda: fed("other", 3, [3, 1], OTHER)),
        model_row("keeps two texts apart that are fed in turn", "two_texts",
                  expect=apart, mistakes=(
                      Mistake("one-cache", sentence("both texts have one and the same "
                              "cache: empty has to make new ones"),
                              gives=shared_memory),
                  )),
        model_row("keeps keys and values: what came before is not computed again",
                  "embeddings_changed", expect=lambda: fed("cached", 1, [5, 1])[1],
                  mistakes=(
                      Mistake("recomputed", "The tokens before the new one have run "
                              "through the model again: keep their keys and values.",
                              gives=recomputed),
                  )),
        model_row("takes as many tokens as the model has positions", "full",
                  expect=lambda: [fed("full", 1, [18, 1])[1], *fed("full", 1, [19])]),
        text_row(WRITES, "greedily", (PROMPT, NEW, 64),
                 expect=lambda: {"text": write(PROMPT, NEW, 64)["text"]}, needs=(),
                 mistakes=flaws(lambda **flaw: {
                     "text": write(PROMPT, NEW, 64, **flaw)["text"]}, *FEEDING)
                 + UNUSABLE),
        writing_row(FEEDS, PROMPT, NEW, 64, rows=FEEDING, needs=(WRITES,)),
        writing_row("starts again from half of the context when the cache is full",
                    PROMPT, 12, 8, rows=RESTARTING, needs=(FEEDS,)),
        writing_row("starts again from three tokens of seven", PROMPT, 12, 7,
                    rows=RESTARTING, needs=(FEEDS,)),
        text_row("starts anew with each prompt", "one_after_the_other", needs=(FEEDS,),
                 expect=lambda: [write(each, new, probes.CONTEXT)["text"]
                                 for each, new in probes.TEXTS]),
        writing_row("reads the last context_length tokens of a longer prompt",
                    "a cab had beef", 3, 6, rows=CUTTING, needs=(FEEDS,)),
        *of_step_9("texts", generators.REPEATS,
                   "greedy: the temperature does not count",
                   "by default: 50 tokens, sampled at temperature 0.8",
                   "samples from large and small logits too: only their differences "
                   "count",
                   "decodes all tokens together: a letter can be two of them"),
        *of_step_9("frequencies", generators.SAMPLES),
        text_row("by default: the model is fed the last 1024 tokens", "by_default",
                 expect=lambda: [1024, 1024]),
        sampler_row("lets a sampler choose from the model's logits [V] and the ids so "
                    "far", 64, temperature=3.0),
        sampler_row("lets a sampler choose if do_sample is False, too", 64,
                    do_sample=False),
        sampler_row("gives a sampler the ids of all of a text that is too long", 6,
                    temperature=3.0),
        text_row("writes with CachedGPT2 what the model itself would write", "together",
                 (to_prompt("together", 4), 9), needs=(DECODES, FEEDS),
                 expect=lambda: continued([*map(int, text("together", 1, 4)[0])], 9)),
    ),
    compiled=row("compiled and run by MAX: the same logits", "in_pieces",
                 ("prompt", 2, PIECES), expect=partial(fed, "prompt", 2, PIECES)),
)  # fmt: skip
