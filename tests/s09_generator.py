"""Step 9, ``generator.py``: predict, choose, append, again.

The model is a stand-in that records what it is given, the tokenizer one of twelve
tokens, so that the oracle can follow each step: after these ids the logits are those,
hence the next token is this one. Sampling is judged by frequencies: a right sampler is
rejected less than once in ten million runs (``too_far``). Temperature as in Hinton et
al. 2015, section 2: softmax(logits / temperature).
"""

import inspect
import math
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from checker.probe import Learner, Unusable, attribute, fill, tensor
from checker.table import Check, Mistake, Step
from tests.common import softmax

# The stand-ins: nine letters, the two bytes of é, and the end of text, never written.

PIECES = [*(bytes([byte]) for byte in b"abcdefgh "), b"\xc3", b"\xa9", b"<|endoftext|>"]
V, END_ID, LETTERS = 12, 11, 9
KNOWN = f"there are {V} tokens, 0 to {V - 1}"
NEVER = (-1.0e4, -1.1e4, -1.2e4)
LEVELS = (*np.linspace(-1.5, 1.5, LETTERS - 1), 2.7)

Ids = list[int]
Rows = Callable[[Ids], np.ndarray]


def to_ids(text: str) -> Ids:
    return [PIECES.index(bytes([byte])) for byte in text.encode()]


def to_text(ids: Sequence[int]) -> str:
    return b"".join(PIECES[one] for one in ids).decode("utf-8", "replace")


def rows(ids: Ids) -> np.ndarray:
    """Logits after each of the ids, float32 [T, V]: shuffled by all ids up to there."""
    made = np.empty((len(ids), V), np.float32)
    for t in range(len(ids)):
        rng = np.random.default_rng(zlib.crc32(bytes(ids[: t + 1])))
        made[t] = [*rng.permutation(LEVELS), *NEVER]
    return made


FIRST = np.array([0.0, 2.0, 3.0, 1.0] + [-1e4] * 8, np.float32)
LAST = np.array([1.0, 3.0, -1.0, 0.0] + [-1e4] * 7 + [-1.2e4], np.float32)


def always(ids: Ids) -> np.ndarray:
    """LAST after the last of the ids, FIRST after those before, [T, V]."""
    return np.array([FIRST] * (len(ids) - 1) + [LAST])


SCRIPT = to_ids("caf\N{LATIN SMALL LETTER E WITH ACUTE} a")


def scripted(ids: Ids) -> np.ndarray:
    """The next token of SCRIPT is the most probable, whatever the ids are."""
    made = np.tile(np.array([*LEVELS, *NEVER], np.float32), (len(ids), 1))
    made[-1, SCRIPT[len(ids) % len(SCRIPT)]] = 5.0
    return made


class Model:
    """From ids [1, T] to logits [1, T, V]; notes the ids of each call."""

    def __init__(self, after: Rows) -> None:
        self.after = after
        self.calls: list[np.ndarray] = []

    def __call__(self, ids: Any) -> Any:
        given = _ids(ids)
        self.calls.append(given)
        return tensor(self.after(given[0].tolist())[None])


def _ids(value: Any) -> np.ndarray:
    from max.experimental.tensor import Tensor

    if not isinstance(value, Tensor):
        kind = type(value)
        package = kind.__module__.split(".")[0].replace("builtins", "Python")
        raise Unusable(
            f"the model was given a {package} {kind.__name__}; it reads a MAX Tensor"
        )
    given = np.array(np.from_dlpack(value))
    shape = list(given.shape)
    if given.ndim != 2 or shape[0] != 1:
        raise Unusable(f"the model was given ids of shape {shape}; it reads [1, T]")
    if given.dtype != np.int64:
        raise Unusable(f"the model was given ids of {given.dtype}; it reads int64")
    if not given.size:
        raise Unusable("the model was given no ids, [1, 0]")
    if given.min() < 0 or given.max() >= V:
        raise Unusable(f"the model was given the id {given.max()}; {KNOWN}")
    return given


class Tokenizer:
    """encode, decode and the properties of step 8, for PIECES."""

    eos_token_id = END_ID
    pad_token_id = END_ID
    vocab_size = V

    def encode(self, text: str) -> Any:
        return tensor(np.array([to_ids(text)], np.int64).reshape(1, -1))

    def decode(self, tokens: Any) -> str:
        if not hasattr(tokens, "__dlpack__"):
            raise Unusable(
                f"decode was given a {type(tokens).__name__}; it takes a MAX Tensor, "
                "[T] or [1, T]"
            )
        ids = np.from_dlpack(tokens)
        if ids.ndim == 0 or ids.ndim > 2 or (ids.ndim == 2 and ids.shape[0] != 1):
            raise Unusable(
                f"decode was given ids of shape {list(ids.shape)}; "
                "it takes [T] or [1, T]"
            )
        if ids.size and ids.dtype.kind not in "iu":
            raise Unusable(f"decode was given ids of {ids.dtype}; it takes int64")
        if ids.size and not 0 <= ids.min() <= ids.max() < V:
            raise Unusable(f"decode was given the id {ids.max()}; {KNOWN}")
        return to_text(ids.reshape(-1).tolist())


def generator(learner: Learner, model: Any, **options: Any) -> Callable[..., str]:
    made = learner.TextGenerator(model, Tokenizer(), **options)
    generate = attribute(made, "generate")

    def call(*args: Any, **settings: Any) -> str:
        text = generate(*args, **settings)
        if text is None:
            raise Unusable("generate(...) is None: is a `return` missing?")
        if not isinstance(text, str):
            raise Unusable(f"generate(...) is a {type(text).__name__}, not a str")
        return text

    return call


# Probes, on the learner's TextGenerator.

PROMPT, LONGER = "a bad ", "a cab had beef"
NEW = 6
CONTEXT, FULL = 5, 9


def greedily(learner: Learner) -> dict[str, Any]:
    model = Model(rows)
    call = generator(learner, model, context_length=64)
    text = call(PROMPT, max_new_tokens=NEW, do_sample=False)
    return {"text": text, "calls": model.calls}


def some_lengths(learner: Learner) -> list[str]:
    call = generator(learner, Model(rows), context_length=64)
    return [call(PROMPT, max_new_tokens=n, do_sample=False) for n in (0, 1, 9)]


def beyond_context(learner: Learner) -> dict[str, Any]:
    model = Model(rows)
    call = generator(learner, model, context_length=CONTEXT)
    text = call(LONGER, max_new_tokens=4, do_sample=False)
    return {"text": text, "calls": model.calls}


def into_full_context(learner: Learner) -> dict[str, Any]:
    """The prompt fits into the context, what is written does not."""
    model = Model(rows)
    call = generator(learner, model, context_length=FULL)
    text = call(PROMPT, max_new_tokens=NEW, do_sample=False)
    return {"text": text, "calls": model.calls}


def default_context(learner: Learner) -> int:
    model = Model(rows)
    call = generator(learner, model)
    call("ab " * 350, max_new_tokens=1, do_sample=False)
    return int(model.calls[0].shape[1]) if model.calls else 0


def greedy_texts(learner: Learner) -> dict[str, list[str]]:
    """Greedy with various seeds and temperatures; and sampled ones beside them."""
    call = generator(learner, Model(rows), context_length=64)
    settings = ((1, 0.8), (2, 0.8), (3, 5.0), (None, 5.0))
    flags = {"greedy": False, "sampled": True}
    return {
        name: [
            call(PROMPT, max_new_tokens=12, do_sample=flag, seed=seed, temperature=t)
            for seed, t in settings
        ]
        for name, flag in flags.items()
    }


HOT, COLD = 2.5, 0.5
ROUND, ENOUGH, SECONDS = 32, 1600, 0.6


def frequencies(learner: Learner) -> dict[str, list[str]]:
    """What is written after the prompt, in rounds of 32 tokens, as many as time allows.

    Always at least three rounds at each temperature, of different seeds.
    """
    found: dict[str, list[str]] = {"hot": [], "cold": []}
    began = time.monotonic()
    call = generator(learner, Model(always), context_length=3)
    for seed in range(ENOUGH // ROUND):
        for name, temperature in (("hot", HOT), ("cold", COLD)):
            text = call(
                "ab",
                max_new_tokens=ROUND,
                temperature=temperature,
                do_sample=True,
                seed=10_007 * seed,  # far apart: some samplers use seed + position
            )
            found[name].append(text[2:])
        if seed >= 2 and time.monotonic() - began > SECONDS:
            break
    return found


def seeds(learner: Learner) -> dict[str, list[str]]:
    call = generator(learner, Model(rows), context_length=64)
    again = generator(learner, Model(rows), context_length=64)
    settings = {"max_new_tokens": 14, "temperature": 3.0, "do_sample": True}
    return {
        "same": [call(PROMPT, seed=7, **settings) for _ in "12"],
        "another object": [again(PROMPT, seed=7, **settings)],
        "zero": [call(PROMPT, seed=0, **settings) for _ in "12"],
        "others": [call(PROMPT, seed=seed, **settings) for seed in (8, 9, 1234)],
        "none": [call(PROMPT, **settings) for _ in "12"],
    }


def defaults(learner: Learner) -> dict[str, Any]:
    model = Model(rows)
    call = generator(learner, model, context_length=64)
    default = call(PROMPT, seed=5)
    calls = len(model.calls)
    explicit = call(PROMPT, seed=5, max_new_tokens=50, temperature=0.8, do_sample=True)
    return {"tokens": calls, "same": default == explicit}


def declared(learner: Learner) -> dict[str, Any]:
    """The default values in the signature, as far as there are any."""
    found = inspect.signature(learner.TextGenerator.generate).parameters
    names = {"max_new_tokens", "temperature", "do_sample"} & set(found)
    return {name: found[name].default for name in names if _plain(found[name].default)}


def _plain(value: object) -> bool:
    return isinstance(value, int | float | str)


def accents(learner: Learner) -> str:
    call = generator(learner, Model(scripted), context_length=64)
    return call("caf", max_new_tokens=len(SCRIPT) - 3, do_sample=False)


def bigram(kind: Callable[[Any], Any]) -> Callable[[Learner], str]:
    """Greedy text of a MAX module whose logits are a row of a table."""

    def probe(learner: Learner) -> str:
        from max.nn.module_v3 import Embedding, Module

        class Bigram(Module):
            def __init__(self) -> None:
                self.table = Embedding(V, dim=V)

            def __call__(self, ids: Any) -> Any:
                return self.table(ids)

        model = fill(Bigram(), {"table.weight": table()})
        call = generator(learner, kind(model), context_length=4)
        return call("ab", max_new_tokens=5, do_sample=False)

    return probe


def compile_for_any_length(model: Any) -> Any:
    from max.driver import CPU
    from max.dtype import DType
    from max.graph import TensorType

    return model.compile(TensorType(DType.int64, ("batch", "seqlen"), device=CPU()))


# Oracle, and the ways to be wrong.


@cache
def table() -> np.ndarray:
    """After each token the logits of the next, float32 [V, V]."""
    return np.concatenate([rows([one]) for one in range(V)])


def write(
    ids: Ids,
    count: int,
    after: Rows = rows,
    context: int = 64,
    *,
    cut: Callable[[Ids, int], Ids] = lambda ids, n: ids[-n:],
    pick: Callable[[np.ndarray], np.ndarray] = lambda logits: logits[-1],
    choose: Callable[[np.ndarray], Any] = np.argmax,
    extend: Callable[[Ids, int], Ids] = lambda ids, new: [*ids, new],
    answer: Callable[[Ids, Ids], Ids] = lambda prompt, ids: ids,
    calling: Callable[[list[Ids]], list[Ids]] = lambda calls: calls,
    stop: Callable[[Ids], bool] = lambda ids: False,
    spoken: Callable[[Ids], str] = to_text,
) -> dict[str, Any]:
    """Greedy generation, step by step; the keyword arguments make the mistakes."""
    prompt, calls = ids, []
    for _ in range(count):
        if stop(ids):
            break
        fed = cut(ids, context)
        calls.append(fed)
        ids = extend(ids, int(choose(pick(after(fed)))))
    asked = [np.array([fed], np.int64) for fed in calling(calls)]
    return {"text": spoken(answer(prompt, ids)), "calls": asked}


Flaw = tuple[str, dict[str, Any]]

FLAWS: dict[str, Flaw] = {
    "first-position": (
        "These are the tokens that follow the first position's logits; the last's are "
        "the prediction.",
        {"pick": lambda logits: logits[0]},
    ),
    "second-last-position": (
        "These are the tokens that follow the logits of the position before the last.",
        {"pick": lambda logits: logits[-2:][0]},
    ),
    "second-position": (
        "These are the tokens that follow the second position's logits.",
        {"pick": lambda logits: logits[:2][-1]},
    ),
    "mean-over-positions": (
        "The logits are averaged or summed over all positions; the last's are the "
        "prediction.",
        {"pick": lambda logits: logits.mean(0)},
    ),
    "max-over-positions": (
        "This is the largest logit of any position; the last's are the prediction.",
        {"pick": lambda logits: logits.max(0)},
    ),
    "least-probable": (
        "The least probable token is taken: argmin instead of argmax.",
        {"choose": np.argmin},
    ),
    "second-most-probable": (
        "The second most probable token is taken.",
        {"choose": lambda logits: np.argsort(-logits)[1]},
    ),
    "largest-absolute": (
        "The token of the largest absolute value is taken.",
        {"choose": lambda logits: np.argmax(np.abs(logits))},
    ),
    "one-off-token": (
        "The token beside the most probable one is taken.",
        {"choose": lambda logits: (np.argmax(logits) + 1) % V},
    ),
    "one-off-token-less": (
        "The token beside the most probable one is taken.",
        {"choose": lambda logits: (np.argmax(logits) - 1) % V},
    ),
    "last-token-only-fed": (
        "The model is given the last token only; it needs all of them to predict the "
        "next.",
        {"cut": lambda ids, n: ids[-1:]},
    ),
    "all-but-last-fed": (
        "The model is not given the last token.",
        {"cut": lambda ids, n: ids[:-1]},
    ),
    "all-but-first-fed": (
        "The model is not given the first token.",
        {"cut": lambda ids, n: ids[1:]},
    ),
    "prepended": (
        "The new token is put before the others; it belongs at the end.",
        {"extend": lambda ids, new: [new, *ids]},
    ),
    "last-token-replaced": (
        "The new token replaces the last one instead of following it.",
        {"extend": lambda ids, new: [*ids[:-1], new]},
    ),
    "first-token-dropped": (
        "With each new token the first one is dropped.",
        {"extend": lambda ids, new: [*ids[1:], new]},
    ),
    "new-token-alone": (
        "The new token replaces all that was there before.",
        {"extend": lambda ids, new: [new]},
    ),
    "appended-twice": (
        "The new token is appended twice.",
        {"extend": lambda ids, new: [*ids, new, new]},
    ),
    "not-appended": (
        "The new token is not appended: the text stays the prompt.",
        {"extend": lambda ids, new: ids},
    ),
    "prompt-lost": (
        "The prompt is missing: the answer is prompt and continuation.",
        {"answer": lambda prompt, ids: ids[len(prompt) :]},
    ),
    "prompt-twice": (
        "The prompt is there twice.",
        {"answer": lambda prompt, ids: [*prompt, *ids]},
    ),
    "last-token-returned": (
        "Only the last token is returned, not the whole text.",
        {"answer": lambda prompt, ids: ids[-1:]},
    ),
    "prompt-returned": (
        "The prompt is returned: the continuation is lost.",
        {"answer": lambda prompt, ids: prompt},
    ),
    "last-token-lost": (
        "The last token is predicted and left out of the text.",
        {"answer": lambda prompt, ids: ids[:-1]},
    ),
    "first-token-lost": (
        "The first token of the prompt is left out of the text.",
        {"answer": lambda prompt, ids: ids[1:]},
    ),
    "prompt-and-last-token": (
        "The text is the prompt and the last token: those between are lost.",
        {"answer": lambda prompt, ids: [*prompt, ids[-1]]},
    ),
    "stripped": (
        "The spaces around the text are gone.",
        {"spoken": lambda ids: to_text(ids).strip()},
    ),
    "spaces-between-tokens": (
        "There are spaces between the tokens: they carry their own.",
        {"spoken": lambda ids: " ".join(to_text([one]) for one in ids)},
    ),
    "called-twice": (
        "The model is called twice for each token.",
        {"calling": lambda calls: [fed for fed in calls for _ in "12"]},
    ),
    "called-before": (
        "The model is called once before the first token, and the result dropped.",
        {"calling": lambda calls: [*calls[:1], *calls]},
    ),
}


def follow(
    prompt: str, count: int, context: int, extra: dict[str, Flaw]
) -> tuple[Mistake, ...]:
    """The flaws of ``write``, for this prompt; those that show, and each once."""

    def gives(flaw: dict[str, Any]) -> Callable[[], object]:
        return lambda: write(**{"ids": to_ids(prompt), "count": count,
                                "context": context, **flaw})

    def shown(name: str, message: str, flaw: dict[str, Any]) -> Mistake:
        return Mistake(name, message, gives=gives(flaw))

    return tuple(shown(name, *flaw) for name, flaw in (FLAWS | extra).items())


def repeating(once: bool) -> dict[str, Any]:
    """The prompt is fed again and again, or the model is asked only once."""
    prompt = to_ids(PROMPT)
    return {
        "cut": lambda ids, n: prompt,
        "calling": (lambda calls: calls[:1]) if once else (lambda calls: calls),
    }


GREEDY_FLAWS: dict[str, Flaw] = {
    "too-many": (
        "This is one token more than max_new_tokens.",
        {"count": NEW + 1},
    ),
    "too-few": (
        "This is one token less than max_new_tokens.",
        {"count": NEW - 1},
    ),
    "one-token-only": (
        "One token is written and no more: is the `return` inside the loop?",
        {"count": 1},
    ),
    "no-tokens": ("Nothing is written, only the prompt comes back.", {"count": 0}),
    "total-length": (
        "max_new_tokens is taken for the length of the whole text.",
        {"count": max(0, NEW - len(PROMPT))},
    ),
    "prompt-fed-again": (
        "The model is given the prompt each time, without the new tokens.",
        repeating(once=False),
    ),
    "called-once": (
        "The model is called once, and all new tokens are taken from its one answer.",
        repeating(once=True),
    ),
    "called-after": (
        "The model is called once more after the last token, for nothing.",
        {"count": NEW + 1, "answer": lambda prompt, ids: ids[:-1]},
    ),
}


def all_positions(prompt: str, count: int) -> dict[str, Any]:
    ids, calls = to_ids(prompt), []
    for _ in range(count):
        calls.append(np.array([ids[-64:]], np.int64))
        ids = [*ids, *(int(one) for one in rows(ids[-64:]).argmax(-1))]
    return {"text": to_text(ids), "calls": calls}


def kept_context(context: int) -> Flaw:
    return (
        "The tokens that leave the context are cut from the text as well: cut a copy "
        "for the model, and keep all of them.",
        {"extend": lambda ids, new: [*ids[-context:], new]},
    )


def context_flaws(prompt: str, count: int, context: int) -> tuple[Mistake, ...]:
    extra: dict[str, Flaw] = {
        "context-not-cut": (
            "The model is given all tokens, more than context_length.",
            {"cut": lambda ids, n: ids},
        ),
        "context-wrong-end": (
            "The model is given the first context_length tokens; the last are needed.",
            {"cut": lambda ids, n: ids[:n]},
        ),
        "context-one-short": (
            "The context is cut one token too short.",
            {"cut": lambda ids, n: ids[-(n - 1) :]},
        ),
        "context-one-long": (
            "The context is cut one token too long.",
            {"cut": lambda ids, n: ids[-(n + 1) :]},
        ),
        "context-last-lost": (
            "The cut takes the last token away as well.",
            {"cut": lambda ids, n: ids[-n:-1] if len(ids) >= n else ids},
        ),
        "context-complement": (
            "The model is given what should be cut off.",
            {"cut": lambda ids, n: ids[n:] if len(ids) > n else ids},
        ),
        "context-restarts": (
            "When the context is full, the model is given the last token alone.",
            {"cut": lambda ids, n: ids if len(ids) <= n else ids[-1:]},
        ),
        "prompt-cut-only": (
            "The prompt is cut to the context; what is written after it is not.",
            {
                "cut": lambda ids, n: ids[max(0, len(prompt) - n) :],
            },
        ),
        "prompt-cut-in-text": (
            "The prompt is cut to the context in the text too; only what the model is "
            "given is cut.",
            {"ids": to_ids(prompt)[-context:]},
        ),
        "prompt-cut-in-text-not-cut": (
            "The prompt is cut to the context, in the text too, and what is written "
            "after it is not.",
            {"ids": to_ids(prompt)[-context:], "cut": lambda ids, n: ids},
        ),
        "context-first-then-last": (
            "The prompt is cut at its end; the last tokens are needed.",
            {"ids": to_ids(prompt)[:context]},
        ),
        "context-cut-in-text": kept_context(context),
        "context-cut-after": (
            "The tokens that leave the context are cut from the text as well.",
            {"extend": lambda ids, new: [*ids, new][-context:]},
        ),
        "stops-at-context": (
            "Writing stops when the context is full; it goes on with the last tokens.",
            {"stop": lambda ids: len(ids) >= context},
        ),
        "stops-above-context": (
            "Writing stops when the context is full; it goes on with the last tokens.",
            {"stop": lambda ids: len(ids) > context},
        ),
        "context-ignored": (
            "The context is cut at 1024, whatever context_length says.",
            {"cut": lambda ids, n: ids[-1024:]},
        ),
    }
    return follow(prompt, count, context, extra)


# What errors say, for mistakes that end in one.

UNREADY = (
    Mistake(
        "no-batch-dimension",
        "The ids have lost their batch dimension: a batch of one is [1, T].",
        raises=r"the model was given ids of shape \[\d*\]",
    ),
    Mistake(
        "extra-dimension",
        "The ids have a dimension too many: a batch of one is [1, T].",
        raises=r"the model was given ids of shape \[\d+, \d+, .*\]",
    ),
    Mistake(
        "transposed",
        "The tokens stand below each other; a batch of one is [1, T].",
        raises=r"the model was given ids of shape \[\d+, \d+\]",
    ),
    Mistake(
        "wrong-dtype",
        "The ids have another dtype than the tokenizer's, int64.",
        raises=r"was given ids of \w+; it (reads|takes) int64",
    ),
    Mistake(
        "not-a-tensor",
        "The ids are no MAX Tensor any more: Tensor.from_dlpack makes one of an array.",
        raises=r"the model was given a .*; it reads a MAX Tensor",
    ),
    Mistake(
        "flattened",
        "A number that is no token's id was taken for a token: is it an index into the "
        "logits of all positions, or behind the end?",
        raises=r"was given the id -?\d+; there are",
    ),
    Mistake("no-ids", "The model was given nothing.", raises=r"was given no ids"),
    Mistake(
        "decodes-something-else",
        "decode takes the ids as a tensor, [T] or [1, T].",
        raises=r"decode was given ",
    ),
    Mistake(
        "no-softmax",
        "These are no probabilities: they are positive and sum to 1 after the softmax, "
        "and the temperature comes before it.",
        raises=r"probabilities (do not sum to 1|are not non-negative|contain NaN)|"
        r"sum\(pvals|pvals < 0|Total of weights must be",
    ),
    Mistake(
        "all-positions",
        "These are the logits of all positions; those of the last are a vector of V.",
        raises=r"must be 1-dimensional|'a' and 'p' must have (the )?same size|"
        r"only (integer scalar|length-1|size-1|0-dimensional) arrays|"
        r"all inputs? .*rank|same number of dimensions|"
        r"all the input array dimensions",
    ),
    Mistake(
        "nothing", "generate returns nothing.", raises=r"^Unusable: generate.* is None"
    ),
    Mistake(
        "not-a-text",
        "generate returns the text, a str: decode makes it.",
        raises=r"^Unusable: generate.* is a ",
    ),
    Mistake(
        "misspelt",
        "A name is not the one that the rest of the course uses.",
        raises=r"^Unusable: .* has no `|unexpected keyword argument '(max_new_tokens|"
        r"temperature|do_sample|seed|context_length)'",
    ),
)

ABOUT_SAMPLING = (
    Mistake(
        "do_sample-inverted",
        "do_sample is read the wrong way round: it samples when it should be greedy.",
        probe=greedy_texts,
        recognise=lambda got: len(set(got["greedy"])) > 1 == len(set(got["sampled"])),
    ),
    Mistake(
        "do_sample-ignored",
        "It samples although do_sample is False: seed or temperature change the text.",
        probe=greedy_texts,
        recognise=lambda got: len(set(got["greedy"])) > 1,
    ),
)


def longer(got: Any) -> bool:
    right = write(to_ids(PROMPT), NEW)["text"]
    text = got.get("text") if isinstance(got, dict) else None
    return isinstance(text, str) and text != right and text.startswith(right)


# Frequencies.


def counts(texts: list[str]) -> np.ndarray:
    """How often each token was written; what is no token's text counts as the end."""
    found = Counter("".join(texts))
    known = [found.pop(piece.decode(), 0) for piece in PIECES[:LETTERS]]
    return np.array([*known, 0, 0, sum(found.values())])


def too_far(seen: np.ndarray, p: np.ndarray) -> bool:
    """Whether draws from ``p`` look like ``seen`` less than once in 10 million runs.

    The probability that n draws from k tokens have a relative entropy of e or more to
    p is at most (n + k - 1 over k - 1) exp(-n e): Cover and Thomas, Elements of
    Information Theory, theorem 11.2.1 with the exact number of types. Two tests a run.
    """
    live, n = p > 0, int(seen.sum())
    if seen[~live].any():
        return True
    share, p = seen[live] / n, p[live]
    with np.errstate(all="ignore"):
        entropy = np.where(share > 0, share * np.log(share / p), 0.0).sum()
    bound = math.log(math.comb(n + p.size - 1, p.size - 1)) + math.log(2e7)
    return bool(n * entropy > bound)


def likelihood(seen: np.ndarray, p: np.ndarray) -> float:
    """Logarithm of the probability of these counts, but for a constant."""
    with np.errstate(all="ignore"):
        return float(np.where(seen > 0, seen * np.log(p), 0.0).sum())


def chances(z: np.ndarray, temperature: float) -> np.ndarray:
    """softmax(z / temperature), where below 1e-9 exactly 0."""
    p = softmax(z.astype(np.float64) / temperature)
    return np.where(p < 1e-9, 0.0, p)


def _one(at: int) -> np.ndarray:
    return np.eye(V)[at]


def _kept(p: np.ndarray, k: int) -> np.ndarray:
    kept = np.where(np.argsort(np.argsort(-p)) < k, p, 0)
    return kept / kept.sum()


def _up_to(p: np.ndarray, total: float) -> np.ndarray:
    order = np.argsort(-p)
    return _kept(p, int(np.searchsorted(np.cumsum(p[order]), total)) + 1)


def _inverse(weights: np.ndarray) -> np.ndarray:
    """Inverse CDF of weights that do not sum to 1; what is left over is the last id."""
    ends = np.minimum(np.cumsum(weights), 1.0)
    p = np.diff(ends, prepend=0.0)
    p[-1] += 1 - ends[-1]
    return p


def _shifted(p: np.ndarray, by: int) -> np.ndarray:
    return np.roll(p, by)


Noisy = Callable[[np.random.Generator, tuple[int, int]], Any]


def _largest(noisy: Noisy) -> np.ndarray:
    """How often each token is the argmax of scores with noise; 200,000 draws."""
    rng = np.random.default_rng(0)
    draws = np.argmax(noisy(rng, (200_000, V)), axis=-1)
    return np.bincount(draws, minlength=V) / draws.size


def _normalized(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum()


def _over_positions(t: float) -> np.ndarray:
    return _normalized(softmax(always([0, 0, 0]).astype(np.float64) / t, 0)[-1])


Z = LAST.astype(np.float64)
BEFORE = FIRST.astype(np.float64)

DRAWS: dict[str, tuple[str, Callable[[float], np.ndarray]]] = {
    "temperature-no-effect": (
        "The temperature has no effect: these are the frequencies of softmax(logits). "
        "It is ignored, or comes after the softmax.",
        lambda t: chances(Z, 1.0),
    ),
    "temperature-multiplied": (
        "The logits are multiplied by the temperature instead of divided.",
        lambda t: chances(Z, 1 / t),
    ),
    "temperature-squared": (
        "The temperature is applied twice.",
        lambda t: chances(Z, t * t),
    ),
    "temperature-root": (
        "The logits are divided by the root of the temperature.",
        lambda t: chances(Z, math.sqrt(t)),
    ),
    "temperature-default": (
        "The temperature is always 0.8, whatever the argument says.",
        lambda t: chances(Z, 0.8),
    ),
    "temperature-after-softmax": (
        "The probabilities are divided by the temperature and go through a softmax "
        "again: the temperature belongs before the one softmax.",
        lambda t: softmax(chances(Z, 1.0) / t),
    ),
    "temperature-times-probabilities": (
        "The probabilities are multiplied by the temperature and go through a softmax "
        "again.",
        lambda t: softmax(chances(Z, 1.0) * t),
    ),
    "softmax-twice": (
        "The softmax is applied twice.",
        lambda t: softmax(chances(Z, t)),
    ),
    "uniform": (
        "All tokens come equally often: the logits are not used.",
        lambda t: np.full(V, 1 / V),
    ),
    "uniform-best": (
        "The more probable tokens come equally often: the probabilities are not used.",
        lambda t: np.where(Z > -1e3, 0.25, 0.0),
    ),
    "always-greedy": (
        "It is always the most probable token: nothing is sampled.",
        lambda t: _one(int(Z.argmax())),
    ),
    "always-least": (
        "It is always the least probable token: a sign is lost.",
        lambda t: _one(int(Z.argmin())),
    ),
    "first-position": (
        "These are the frequencies of the first position's logits.",
        lambda t: chances(BEFORE, t),
    ),
    "mean-over-positions": (
        "These are the frequencies of the mean of all positions' logits.",
        lambda t: chances((2 * BEFORE + Z) / 3, t),
    ),
    "softmax-over-positions": (
        "The softmax runs over the positions, not over the tokens.",
        _over_positions,
    ),
    "logits-as-weights": (
        "The logits themselves are the weights: the softmax is missing.",
        lambda t: _normalized(np.clip(Z, 0, None)),
    ),
    "top-2": (
        "Only the two most probable tokens are ever drawn.",
        lambda t: _kept(chances(Z, t), 2),
    ),
    "top-3": (
        "Only the three most probable tokens are ever drawn.",
        lambda t: _kept(chances(Z, t), 3),
    ),
    "top-p": (
        "The least probable tokens are never drawn: top-p is not asked for.",
        lambda t: _up_to(chances(Z, t), 0.9),
    ),
    "one-id-more": (
        "Each token drawn is one id too large: an index is one off.",
        lambda t: _shifted(chances(Z, t), 1),
    ),
    "one-id-less": (
        "Each token drawn is one id too small: an index is one off.",
        lambda t: _normalized(
            np.array([chances(Z, t)[:2].sum(), *chances(Z, t)[2:], 0.0])
        ),
    ),
    "rank-descending": (
        "The tokens' ranks are written instead of their ids: sorted tokens need the "
        "way back.",
        lambda t: np.sort(chances(Z, t))[::-1],
    ),
    "rank-ascending": (
        "The tokens' ranks are written instead of their ids: sorted tokens need the "
        "way back.",
        lambda t: np.sort(chances(Z, t)),
    ),
    "not-normalized": (
        "The probabilities are divided by the temperature and do not sum to 1.",
        lambda t: _inverse(chances(Z, 1.0) / t),
    ),
    "probabilities-multiplied": (
        "The probabilities are multiplied by the temperature and do not sum to 1.",
        lambda t: _inverse(chances(Z, 1.0) * t),
    ),
    "exponentials": (
        "The exponentials are not divided by their sum.",
        lambda t: _inverse(np.exp(Z / t)),
    ),
    "uniform-noise": (
        "The noise that is added is uniform; Gumbel noise is -log(-log(u)).",
        lambda t: _largest(lambda rng, n: Z / t + rng.random(n)),
    ),
    "normal-noise": (
        "The noise that is added is normal; Gumbel noise is -log(-log(u)).",
        lambda t: _largest(lambda rng, n: Z / t + rng.standard_normal(n)),
    ),
    "exponential-noise": (
        "The noise that is added is exponential; Gumbel noise is -log(-log(u)).",
        lambda t: _largest(lambda rng, n: Z / t + rng.exponential(size=n)),
    ),
    "noise-negative": (
        "The Gumbel noise has the wrong sign.",
        lambda t: _largest(lambda rng, n: Z / t - rng.gumbel(size=n)),
    ),
    "noise-on-probabilities": (
        "The Gumbel noise is added to the probabilities; it belongs to the logits.",
        lambda t: _largest(lambda rng, n: chances(Z, t) + rng.gumbel(size=n)),
    ),
    "probabilities-times-uniform": (
        "The probabilities are multiplied by uniform noise; these are other "
        "frequencies.",
        lambda t: _largest(lambda rng, n: chances(Z, t) * rng.random(n)),
    ),
    "noise-times-temperature": (
        "The noise is scaled by the temperature as well: it has no effect then, or "
        "twice.",
        lambda t: _largest(lambda rng, n: Z / t + rng.gumbel(size=n) / t / t),
    ),
}


@cache
def expected(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities, hot and cold, of a way to draw; "" is the right one."""
    way = DRAWS[name][1] if name else (lambda t: chances(Z, t))
    return way(HOT), way(COLD)


def seen_and_expected(got: Any, name: str) -> list[tuple[np.ndarray, np.ndarray]]:
    seen = counts(got["hot"]), counts(got["cold"])
    return list(zip(seen, expected(name), strict=True))


def is_drawn_by(got: Any, name: str) -> bool:
    return not any(too_far(seen, p) for seen, p in seen_and_expected(got, name))


def best_explained(got: Any) -> str | None:
    """The way to draw that explains the counts, and all others much worse; or None."""
    known = sorted(
        (sum(likelihood(seen, p) for seen, p in seen_and_expected(got, name)), name)
        for name in ["", *DRAWS]
    )
    (second, _), (first, name) = known[-2:]
    return name if first - second > 8 and is_drawn_by(got, name) else None


def drawn_right(got: Any) -> str | None:
    if is_drawn_by(got, ""):
        return None
    shares = []
    for name, temperature, p in zip(
        ("hot", "cold"), (HOT, COLD), expected(""), strict=True
    ):
        seen = counts(got[name])
        found = " ".join(f"{x:.2f}" for x in (seen / max(1, seen.sum()))[:4])
        wanted = " ".join(f"{x:.2f}" for x in p[:4])
        shares.append(
            f"at temperature {temperature} the tokens a b c d have the shares {found} "
            f"of {seen.sum()}, want {wanted}"
        )
    return "; ".join(shares)


def one_letter_a_round(got: Any) -> bool:
    """Each round repeats one token, and not all rounds the same one."""
    firsts = [text[:1] for texts in got.values() for text in texts]
    all_same = all(set(t) == {t[:1]} for texts in got.values() for t in texts)
    return all_same and len(set(firsts)) > 1


# Seeds.


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


def all_texts(got: dict[str, list[str]]) -> list[str]:
    return [text for texts in got.values() for text in texts]


GREEDY = "greedy: always takes the most probable token after the last"
SAMPLES = "samples: frequencies follow softmax(logits / temperature)"
SEEDS = "gives the same text for the same seed, and others for others"

STEP = Step(
    checks=(
        Check(
            GREEDY,
            greedily,
            expect=lambda: {"text": write(to_ids(PROMPT), NEW)["text"]},
            where="TextGenerator.generate",
            mistakes=(
                *follow(PROMPT, NEW, 64, GREEDY_FLAWS),
                Mistake(
                    "all-positions-appended",
                    "The predictions of all positions are appended, not the last's.",
                    gives=lambda: all_positions(PROMPT, NEW),
                ),
                Mistake(
                    "max_new_tokens-ignored",
                    "It is right as far as it should go, and then goes on.",
                    recognise=longer,
                ),
                *ABOUT_SAMPLING,
                *UNREADY,
            ),
        ),
        Check(
            "calls the model once a token, with all tokens so far",
            greedily,
            expect=lambda: write(to_ids(PROMPT), NEW),
            needs=(GREEDY,),
            where="TextGenerator.generate",
            mistakes=follow(PROMPT, NEW, 64, GREEDY_FLAWS),
        ),
        Check(
            "writes max_new_tokens tokens: none, one or nine",
            some_lengths,
            expect=lambda: [write(to_ids(PROMPT), n)["text"] for n in (0, 1, 9)],
            needs=(GREEDY,),
            where="TextGenerator.generate",
            mistakes=(
                Mistake(
                    "at-least-one",
                    "One token is written even where none is asked for.",
                    gives=lambda: [write(to_ids(PROMPT), n)["text"] for n in (1, 1, 9)],
                ),
                Mistake(
                    "never-more-than-six",
                    "Writing stops after six tokens.",
                    gives=lambda: [write(to_ids(PROMPT), n)["text"] for n in (0, 1, 6)],
                ),
                Mistake(
                    "none-means-default",
                    "0 is taken for \"not given\": compare with None.",
                    recognise=lambda got: len(got[0]) > len(PROMPT) + 1
                    and got[1:] == [write(to_ids(PROMPT), n)["text"] for n in (1, 9)],
                ),
                Mistake(
                    "prompt-lost-without-tokens",
                    "Where no token is asked for, the prompt is missing.",
                    recognise=lambda got: got[0] == "",
                ),
                Mistake(
                    "fails-without-tokens",
                    "Where no token is asked for, the prompt comes back.",
                    probe=lambda learner: generator(
                        learner, Model(rows), context_length=64
                    )(PROMPT, max_new_tokens=9, do_sample=False),
                    gives=lambda: write(to_ids(PROMPT), 9)["text"],
                ),
            ),
        ),
        Check(
            f"feeds the model at most the last {CONTEXT} tokens, its context_length",
            beyond_context,
            expect=lambda: write(to_ids(LONGER), 4, context=CONTEXT),
            needs=(GREEDY,),
            where="TextGenerator.generate",
            mistakes=(*context_flaws(LONGER, 4, CONTEXT), *UNREADY),
        ),
        Check(
            "goes on when what it writes fills the context",
            into_full_context,
            expect=lambda: write(to_ids(PROMPT), NEW, context=FULL),
            needs=(GREEDY,),
            where="TextGenerator.generate",
            mistakes=(*context_flaws(PROMPT, NEW, FULL), *UNREADY),
        ),
        Check(
            SAMPLES,
            frequencies,
            accept=drawn_right,
            where="TextGenerator.generate",
            mistakes=(
                Mistake(
                    "seed-each-token",
                    "Each round repeats a single token: the random numbers start again "
                    "from the seed at each token.",
                    recognise=one_letter_a_round,
                ),
                *(
                    Mistake(
                        name,
                        f"{message}",
                        recognise=lambda got, name=name: best_explained(got) == name,  # type: ignore[misc]
                    )
                    for name, (message, _) in DRAWS.items()
                ),
                *UNREADY,
            ),
        ),
        Check(
            SEEDS,
            seeds,
            accept=seeds_right,
            where="TextGenerator.generate",
            mistakes=(
                Mistake(
                    "always-greedy",
                    "It is the greedy text each time: nothing is sampled.",
                    recognise=lambda got: (
                        {write(to_ids(PROMPT), 14)["text"]} == set(all_texts(got))
                    ),
                ),
                Mistake(
                    "seed-fixed",
                    "The text is the same whatever the seed: it is written in.",
                    recognise=lambda got: len(set(all_texts(got))) == 1,
                ),
                Mistake(
                    "seed-fixed-at-start",
                    "The random numbers go on from one call to the next, whatever the "
                    "seed: start them from it in each call.",
                    recognise=lambda got: got["same"][0] == got["another object"][0]
                    and got["same"][0] != got["same"][1],
                ),
                Mistake(
                    "seed-ignored",
                    "The seed has no effect: each call gives another text.",
                    recognise=lambda got: got["same"][0] != got["same"][1]
                    and got["zero"][0] != got["zero"][1],
                ),
                Mistake(
                    "seed-zero",
                    "The seed 0 is taken for no seed: compare with None.",
                    recognise=lambda got: got["same"][0] == got["same"][1]
                    and got["zero"][0] != got["zero"][1],
                ),
                Mistake(
                    "seed-none-fixed",
                    "Without a seed each call should give another text; a seed is "
                    "written in.",
                    recognise=lambda got: got["none"][0] == got["none"][1]
                    and got["same"][0] != got["others"][0],
                ),
                Mistake(
                    "seeds-alike",
                    "Different seeds give the same text.",
                    recognise=lambda got: got["same"][0] == got["same"][1]
                    and len({*got["others"], got["same"][0]}) < 4,
                ),
                *UNREADY,
            ),
        ),
        Check(
            "by default: 50 tokens, sampled at temperature 0.8, from the last 1024",
            lambda learner: {**defaults(learner), "context": default_context(learner)},
            expect=lambda: {"tokens": 50, "same": True, "context": 1024},
            needs=(GREEDY, SEEDS),
            where="TextGenerator.generate",
            mistakes=(
                Mistake(
                    "default-length",
                    "max_new_tokens is not 50 by default.",
                    recognise=lambda got: got["tokens"] != 50,
                ),
                Mistake(
                    "default-context",
                    "context_length is not 1024 by default.",
                    recognise=lambda got: got["context"] != 1024 and got["same"],
                ),
                Mistake(
                    "default-greedy",
                    "do_sample is not True by default.",
                    probe=declared,
                    recognise=lambda got: got.get("do_sample", True) is not True,
                ),
                Mistake(
                    "default-temperature",
                    "temperature is not 0.8 by default.",
                    probe=declared,
                    recognise=lambda got: got.get("temperature", 0.8) != 0.8,
                ),
                Mistake(
                    "no-default",
                    "An argument has no default; each but the prompt has one.",
                    raises=r"missing \d required",
                ),
            ),
        ),
        Check(
            "decodes all tokens together: a letter can be two of them",
            accents,
            expect=lambda: to_text(SCRIPT),
            needs=(GREEDY,),
            where="TextGenerator.generate",
            mistakes=(
                Mistake(
                    "token-by-token",
                    "The tokens are decoded one by one: a letter made of two breaks.",
                    gives=lambda: "".join(to_text([one]) for one in SCRIPT),
                ),
            ),
        ),
        Check(
            "takes a module as its model, as it is or compiled",
            lambda learner: [
                bigram(lambda model: model)(learner),
                bigram(compile_for_any_length)(learner),
            ],
            expect=lambda: [bigram_text()] * 2,
            needs=(GREEDY,),
            where="TextGenerator.generate",
        ),
    ),
    compiled=Check(
        "compiled and run by MAX: the same text",
        bigram(compile_for_any_length),
        expect=lambda: bigram_text(),
    ),
)


def bigram_text() -> str:
    text = write(to_ids("ab"), 5, lambda ids: table()[ids])["text"]
    assert isinstance(text, str)
    return text
