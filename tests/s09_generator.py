"""Step 9, ``generator.py``: predict, choose, append, again.

The model is a stand-in that records what it is given, the tokenizer one of twelve
tokens, so that the oracle can follow each step: after these ids the logits are those,
hence the next token is this one. Sampling is judged by frequencies: a right sampler is
rejected less than once in a million runs. Temperature as in Hinton et
al. 2015, section 2: softmax(logits / temperature).
"""

import inspect
import math
import time
import zlib
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
LEVELS = np.linspace(-1.5, 1.5, LETTERS - 1)

Ids = list[int]
Rows = Callable[[Ids], np.ndarray]


def to_ids(text: str) -> Ids:
    return [PIECES.index(bytes([byte])) for byte in text.encode()]


def to_text(ids: Sequence[int]) -> str:
    return b"".join(PIECES[one] for one in ids).decode("utf-8", "replace")


SIGNS = "abcdefgh 123"


def to_signs(ids: Sequence[int]) -> str:
    """A sign for each token, so that all of them can be counted."""
    return "".join(SIGNS[one] for one in ids)


def rows(ids: Ids) -> np.ndarray:
    """Logits after each of the ids, float32 [T, V]: shuffled by all ids up to there."""
    return np.array([_row(bytes(ids[: t + 1])) for t in range(len(ids))], np.float32)


@cache
def _row(ids: bytes) -> list[float]:
    rng = np.random.default_rng(zlib.crc32(ids))
    best = rng.uniform(2.7, 4.5)  # another each time, or argmax over all would hit too
    return [*rng.permutation([*LEVELS, best]), *NEVER]


FIRST = np.array([-0.6, -1.8, -1.3, -0.9, -0.1, 1.4, -0.8, -1e4, -1e4, *NEVER], "f4")
LAST = np.array([1.0, 0.7, -0.6, 0.3, 1.7, 0.6, 0.2, -1e4, -1e4, *NEVER], "f4")
"""Chosen, with HOT and COLD, so that the wrong ways to draw show early."""


def always(ids: Ids) -> np.ndarray:
    """LAST after the last of the ids, FIRST after those before, [T, V]."""
    return np.array([FIRST] * (len(ids) - 1) + [LAST])


SCRIPT = to_ids("caf\N{LATIN SMALL LETTER E WITH ACUTE} a")


def scripted(ids: Ids) -> np.ndarray:
    """The next token of SCRIPT is the most probable, whatever the ids are."""
    made = np.tile(np.array([*LEVELS, 0, *NEVER], np.float32), (len(ids), 1))
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
    """encode, decode and the properties of step 8, for PIECES (or SIGNS)."""

    def __init__(self, text_of: Callable[[Sequence[int]], str] = to_text) -> None:
        self.text_of = text_of

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
        return self.text_of(ids.reshape(-1).tolist())


def generator(
    learner: Learner,
    model: Any,
    tokenizer: Tokenizer | None = None,
    **options: Any,
) -> Callable[..., str]:
    made = learner.TextGenerator(model, tokenizer or Tokenizer(), **options)
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

PROMPT, LONGER = "  cab", "a cab had beef"
NEW = 8
CONTEXT, FULL = 5, 9


def greedily(learner: Learner) -> dict[str, Any]:
    model = Model(rows)
    call = generator(learner, model, context_length=64)
    text = call(PROMPT, max_new_tokens=NEW, do_sample=False, temperature=50.0)
    return {"text": text, "calls": model.calls}


def some_lengths(learner: Learner) -> list[str]:
    call = generator(learner, Model(rows), context_length=64)
    return [
        call(PROMPT, max_new_tokens=n, do_sample=False, temperature=50.0)
        for n in (0, 1, 9)
    ]


def beyond_context(learner: Learner) -> dict[str, Any]:
    model = Model(rows)
    call = generator(learner, model, context_length=CONTEXT)
    text = call(LONGER, max_new_tokens=4, do_sample=False, temperature=50.0)
    return {"text": text, "calls": model.calls}


def into_full_context(learner: Learner) -> dict[str, Any]:
    """The prompt fits into the context, what is written does not."""
    model = Model(rows)
    call = generator(learner, model, context_length=FULL)
    text = call(PROMPT, max_new_tokens=NEW, do_sample=False, temperature=50.0)
    return {"text": text, "calls": model.calls}


def default_context(learner: Learner) -> int:
    model = Model(rows)
    call = generator(learner, model)
    call("ab " * 350, max_new_tokens=1, do_sample=False, temperature=50.0)
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


HOT, COLD = 2.1, 0.36
ROUND, LEAST, MOST = 20, 4, 64
CLEAR, UNCLEAR, SUSPECT, AT_ALL = 0.15, 1.6, 4.0, 6.0
"""Seconds of the processor for a right sampler, and until it is known what it is; the
last by the clock."""


def frequencies(learner: Learner) -> dict[str, str]:
    """What is written after the prompt, in rounds of 20 tokens, each with its own seed.

    As many rounds as there is time for, at least four; and more while a wrong way to
    draw explains them as well as the right one, or two wrong ones.
    """
    found = {"hot": "", "cold": ""}
    began, clock = time.process_time(), time.monotonic()
    call = generator(learner, Model(always), Tokenizer(to_signs), context_length=3)
    for number in range(MOST):
        for name, temperature in (("hot", HOT), ("cold", COLD)):
            text = call(
                "ab",
                max_new_tokens=ROUND,
                temperature=temperature,
                do_sample=True,
                seed=10_007 * number,  # far apart: some samplers use seed + position
            )
            found[name] += text[2:]
        spent = time.process_time() - began
        enough = spent > _worth(found) or time.monotonic() - clock > AT_ALL
        if enough and number + 1 >= LEAST:
            break
    return found


def _worth(found: dict[str, str]) -> float:
    gain = max(gains(found).values())
    if gain < -5 or (gain > 40 and explained_by(found)):
        return CLEAR
    return UNCLEAR if gain < 0 else SUSPECT


def seeds(learner: Learner) -> dict[str, list[str]]:
    call = generator(learner, Model(rows), context_length=64)
    again = generator(learner, Model(rows), context_length=64)
    settings = {"max_new_tokens": 12, "temperature": 5.0, "do_sample": True}
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
    return call(
        "caf", max_new_tokens=len(SCRIPT) - 3, do_sample=False, temperature=50.0
    )


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
        return call("ab", max_new_tokens=5, do_sample=False, temperature=50.0)

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
    "argmax-over-positions": (
        "argmax runs over the positions, not over the tokens.",
        {"pick": lambda logits: logits, "choose": lambda logits: logits.argmax(0)[-1]},
    ),
    "max-over-positions": (
        "The largest logit of any position is taken; the last's are the prediction.",
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
    prompt: str, count: int, context: int, extra: dict[str, Flaw], *, calls: bool = True
) -> tuple[Mistake, ...]:
    """The flaws of ``write`` that show for this prompt, in the text or in the calls.

    What two of them have in common is said by the first.
    """
    settings = {"ids": to_ids(prompt), "count": count, "context": context}
    answer = write(**settings)
    seen, texts = [_told(answer)], [answer["text"]]
    found = []
    for name, (message, flaw) in (FLAWS | extra).items():
        wrong = write(**{**settings, **flaw})
        if _told(wrong) in seen or not (calls or wrong["text"] not in texts):
            continue
        seen.append(_told(wrong))
        found.append(Mistake(name, message, gives=lambda wrong=wrong: wrong))  # type: ignore[misc]
    return tuple(found)


def _told(answer: dict[str, Any]) -> tuple[str, list[Ids]]:
    return answer["text"], [fed[0].tolist() for fed in answer["calls"]]


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
        "context-blocks": (
            "When the context is full, it starts again with nothing.",
            {"cut": lambda ids, n: ids[(len(ids) - 1) // n * n :]},
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
    Mistake(
        "slice-beyond-start",
        "A slice of a MAX tensor does not reach beyond its start, unlike a list's: cut "
        "where there are more tokens than context_length.",
        raises=r"slice start index -\d+ out of range",
    ),
    Mistake(
        "softmax-over-positions",
        "The softmax runs over the positions, not over the tokens, the last axis.",
        raises=r"softmax not supported on non-inner axis",
    ),
    Mistake(
        "new-token-does-not-fit",
        "The new token does not fit beside the others: make it int64 [1, 1].",
        raises=r"(?i)concat .*(same rank|differing dtype)",
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
        raises=r"(?i)probabilities (do not sum to 1|are not non-negative|contain NaN)|"
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

BEYOND = Mistake(
    "fails-beyond-context",
    "It is right as long as all fits into context_length, and not beyond.",
    probe=greedily,
    gives=lambda: write(to_ids(PROMPT), NEW),
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

Shares = np.ndarray
Way = Callable[[float], Shares]
"""From a temperature to the probability of each token."""

Z, BEFORE = LAST.astype(np.float64), FIRST.astype(np.float64)


def chances(z: np.ndarray, temperature: float) -> Shares:
    """softmax(z / temperature), where below 1e-9 exactly 0."""
    p = softmax(z / temperature)
    return np.where(p < 1e-9, 0.0, p)


def right(t: float) -> Shares:
    return chances(Z, t)


def _one(at: int) -> Shares:
    return np.eye(V)[at]


def _shared(weights: np.ndarray) -> Shares:
    return weights / weights.sum()


def _kept(p: Shares, k: int) -> Shares:
    return _shared(np.where(np.argsort(np.argsort(-p)) < k, p, 0))


def _up_to(p: Shares, total: float) -> Shares:
    return _kept(p, int(np.searchsorted(np.cumsum(-np.sort(-p)), total)) + 1)


def _inverse(weights: np.ndarray) -> Shares:
    """Inverse CDF of weights that do not sum to 1; what is left over is the last id."""
    ends = np.minimum(np.cumsum(weights), 1.0)
    p = np.diff(ends, prepend=0.0)
    p[-1] += 1 - ends[-1]
    return p


def _largest(scores: np.ndarray, below: Callable[[np.ndarray], np.ndarray]) -> Shares:
    """How often each score is the largest, when noise is added to it.

    ``below(x)`` is the probability that the noise is below x. Integrated over x.
    """
    top = scores.max()
    x = np.linspace(top - 40, top + 40, 2001)
    with np.errstate(all="ignore"):
        cdf = below(x - scores[:, None])
    middle = np.maximum((cdf[:, 1:] + cdf[:, :-1]) / 2, 1e-300)
    others = np.exp(np.log(middle).sum(0) - np.log(middle))
    return _shared((np.diff(cdf, axis=1) * others).sum(1))


def _gumbel(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.exp(-np.clip(x, -500, None)))


def _gumbel_negative(x: np.ndarray) -> np.ndarray:
    return 1 - _gumbel(-x)


def _exponential(x: np.ndarray) -> np.ndarray:
    return 1 - np.exp(-np.clip(x, 0, None))


def _uniform(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0, 1)


def _normal(x: np.ndarray) -> np.ndarray:
    return (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def _product_largest(p: Shares) -> Shares:
    """How often p times a uniform number is the largest: a race on a grid of 0 … 1."""
    x = np.linspace(0, p.max(), 2001)
    cdf = np.clip(x / np.maximum(p, 1e-12)[:, None], 0, 1)
    middle = np.maximum((cdf[:, 1:] + cdf[:, :-1]) / 2, 1e-300)
    others = np.exp(np.log(middle).sum(0) - np.log(middle))
    return _shared((np.diff(cdf, axis=1) * others).sum(1))


def _over_positions(t: float) -> Shares:
    return _shared(softmax(np.array([BEFORE, BEFORE, Z]) / t, 0)[-1])


DRAWS: dict[str, tuple[str, tuple[Way, ...]]] = {
    "temperature-no-effect": (
        "The temperature has no effect: it is ignored, always the same, or comes after "
        "the softmax.",
        tuple(lambda t, fixed=fixed: chances(Z, fixed) for fixed in (1, 0.8, 0.7, 2)),  # type: ignore[misc]
    ),
    "temperature-multiplied": (
        "The logits are multiplied by the temperature instead of divided.",
        (lambda t: chances(Z, 1 / t),),
    ),
    "temperature-twice": (
        "The temperature is applied twice.",
        (lambda t: chances(Z, t * t),),
    ),
    "temperature-root": (
        "The logits are divided by the root of the temperature.",
        (lambda t: chances(Z, math.sqrt(t)),),
    ),
    "softmax-twice": (
        "A softmax is applied to probabilities again, with the temperature before, "
        "between or after.",
        (
            lambda t: softmax(chances(Z, t)),
            lambda t: softmax(chances(Z, 1.0) / t),
            lambda t: softmax(chances(Z, 1.0) * t),
        ),
    ),
    "uniform": (
        "All tokens come equally often: the logits are not used.",
        (lambda t: np.full(V, 1 / V),),
    ),
    "always-greedy": (
        "It is always the most probable token: nothing is sampled.",
        (lambda t: _one(int(Z.argmax())),),
    ),
    "always-least": (
        "It is always the least probable token: a sign is lost.",
        (lambda t: _one(int(Z.argmin())),),
    ),
    "first-position": (
        "These are the frequencies of the first position's logits.",
        (lambda t: chances(BEFORE, t), lambda t: chances(BEFORE, 1.0)),
    ),
    "mean-over-positions": (
        "These are the frequencies of all positions' logits together.",
        (
            lambda t: chances((2 * BEFORE + Z) / 3, t),
            lambda t: chances(2 * BEFORE + Z, t),
            lambda t: chances(np.maximum(BEFORE, Z), t),
        ),
    ),
    "softmax-over-positions": (
        "The softmax runs over the positions, not over the tokens.",
        (_over_positions,),
    ),
    "no-softmax": (
        "The weights are made of the logits without exponentials: softmax is missing.",
        (
            lambda t: _shared(np.clip(Z, 0, None)),
            lambda t: _shared(np.abs(Z)),
            lambda t: _shared(Z - Z.min()),
            lambda t: _shared(1 / (1 + np.exp(np.clip(-Z / t, None, 500)))),
        ),
    ),
    "top-k": (
        "Only the most probable tokens are ever drawn: top-k or top-p is at work.",
        (
            lambda t: _kept(right(t), 2),
            lambda t: _kept(right(t), 3),
            lambda t: _kept(right(t), 4),
            lambda t: _kept(right(t), 5),
            lambda t: _up_to(right(t), 0.9),
        ),
    ),
    "index-one-off": (
        "Each token drawn is one id too large or too small: an index is one off.",
        (
            lambda t: np.roll(right(t), 1),
            lambda t: np.array([right(t)[:2].sum(), *right(t)[2:], 0.0]),
        ),
    ),
    "rank": (
        "The tokens' ranks are written instead of their ids: sorted tokens need the "
        "way back.",
        (lambda t: np.sort(right(t))[::-1], lambda t: np.sort(right(t))),
    ),
    "not-normalized": (
        "What the token is drawn with does not sum to 1: softmax makes it so, and "
        "nothing may be changed after it.",
        (
            lambda t: _inverse(chances(Z, 1.0) / t),
            lambda t: _inverse(chances(Z, 1.0) * t),
            lambda t: _inverse(np.exp(Z / t)),
        ),
    ),
    "noise-not-gumbel": (
        "The noise that is added has another distribution than Gumbel's, "
        "-log(-log(u)).",
        (
            lambda t: _largest(Z / t, _uniform),
            lambda t: _largest(Z / t, _normal),
            lambda t: _largest(Z / t, _exponential),
            lambda t: _largest(Z / t, _gumbel_negative),
        ),
    ),
    "noise-on-probabilities": (
        "The noise is applied to the probabilities; it belongs to the logits.",
        (
            lambda t: _product_largest(right(t)),
            lambda t: _largest(right(t), _uniform),
        ),
    ),
}


@cache
def probabilities() -> dict[str, list[tuple[Shares, Shares]]]:
    """For each way to draw, the right one "" first, the shares hot and cold."""
    ways = {"": (right,), **{name: ways for name, (_, ways) in DRAWS.items()}}
    return {name: [(w(HOT), w(COLD)) for w in each] for name, each in ways.items()}


def counts(text: str) -> np.ndarray:
    """How often each token was written; what is no token's sign counts as the last."""
    seen = [text.count(sign) for sign in SIGNS]
    return np.array([*seen[:-1], len(text) - sum(seen[:-1])])


def likelihood(seen: np.ndarray, p: Shares) -> float:
    """Logarithm of the probability of these counts, but for a constant."""
    with np.errstate(all="ignore"):
        return float(np.where(seen > 0, seen * np.log(p), 0.0).sum())


def likelihoods(got: dict[str, str]) -> dict[str, float]:
    """Of each way to draw, hot and cold together; of a group its best."""
    hot, cold = counts(got["hot"]), counts(got["cold"])
    return {
        name: max(likelihood(hot, p) + likelihood(cold, q) for p, q in ways)
        for name, ways in probabilities().items()
    }


def gains(got: dict[str, str]) -> dict[str, float]:
    """By how much each wrong way explains the counts better than the right one."""
    found = likelihoods(got)
    own = max(found.pop(""), -1e9)
    return {name: value - own for name, value in found.items()}


RARE = math.log(4e6)
"""Each of the two tests below rejects a right sampler once in four million runs."""


def too_far(seen: np.ndarray, p: Shares) -> bool:
    """Whether these counts are hardly ever drawn from ``p``.

    n draws from k tokens have a relative entropy of e or more to p with a probability
    of at most exp(-n e) (n e exp(1) / (k - 1))^(k - 1), if n e > k - 1: Agrawal 2020,
    arXiv:1904.02291, theorem 1.2. For two temperatures and 64 looks.
    """
    live, n = p > 0, max(1, int(seen.sum()))
    if seen[~live].any():
        return True
    share, p, free = seen[live] / n, p[live], int(live.sum()) - 1
    with np.errstate(all="ignore"):
        far = n * np.where(share > 0, share * np.log(share / p), 0.0).sum()
    return bool(
        far > free and far - free * math.log(math.e * far / free) > RARE + math.log(128)
    )


def better_explained(got: dict[str, str]) -> bool:
    """Whether a wrong way to draw explains the counts much better than the right one.

    The ratio of two likelihoods exceeds r, at any time, with a probability of at most
    1 / r where the one below is right (Ville's inequality).
    """
    wrong_ways = sum(map(len, probabilities().values()))
    return max(gains(got).values()) > RARE + math.log(wrong_ways)


def drawn_right(got: dict[str, str]) -> str | None:
    shares = probabilities()[""][0]
    seen = counts(got["hot"]), counts(got["cold"])
    far = any(too_far(each, p) for each, p in zip(seen, shares, strict=True))
    if not far and not better_explained(got):
        return None
    parts = [
        f"at temperature {temperature} {_shown(each / max(1, each.sum()))}, "
        f"want {_shown(p)}"
        for temperature, each, p in zip((HOT, COLD), seen, shares, strict=True)
    ]
    return f"shares of the tokens in {seen[0].sum()} draws " + "; ".join(parts)


def _shown(shares: Shares) -> str:
    return " ".join(f"{x:.2f}".lstrip("0") for x in shares[:LETTERS])


def explained_by(got: dict[str, str]) -> str | None:
    """The wrong way to draw that explains the counts, and all others much worse."""
    found = sorted((value, name) for name, value in likelihoods(got).items())
    (second, _), (first, name) = found[-2:]
    if first == -math.inf or first - second < 6:
        return None
    seen = counts(got["hot"]), counts(got["cold"])
    for shares in probabilities()[name]:
        if not any(too_far(each, p) for each, p in zip(seen, shares, strict=True)):
            return name
    return None


def one_token_a_round(got: dict[str, str]) -> bool:
    """Each round repeats one token, and not all rounds the same one."""
    every = got["hot"] + got["cold"]
    rounds = [every[at : at + ROUND] for at in range(0, len(every), ROUND)]
    return all(len(set(each)) == 1 for each in rounds) and len(set(every)) > 1


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
                *follow(PROMPT, NEW, 64, GREEDY_FLAWS, calls=False),
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
                    "never-more-than-eight",
                    "Writing stops after eight tokens.",
                    gives=lambda: [
                        write(to_ids(PROMPT), n)["text"] for n in (0, 1, NEW)
                    ],
                ),
                Mistake(
                    "none-means-default",
                    '0 is taken for "not given": compare with None.',
                    recognise=lambda got: (
                        len(got[0]) > len(PROMPT) + 1
                        and got[1:]
                        == [write(to_ids(PROMPT), n)["text"] for n in (1, 9)]
                    ),
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
                    )(PROMPT, max_new_tokens=9, do_sample=False, temperature=50.0),
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
            mistakes=(*context_flaws(LONGER, 4, CONTEXT), *UNREADY, BEYOND),
        ),
        Check(
            "goes on when what it writes fills the context",
            into_full_context,
            expect=lambda: write(to_ids(PROMPT), NEW, context=FULL),
            needs=(GREEDY,),
            where="TextGenerator.generate",
            mistakes=(*context_flaws(PROMPT, NEW, FULL), *UNREADY, BEYOND),
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
                    recognise=one_token_a_round,
                ),
                *(
                    Mistake(
                        name,
                        message,
                        recognise=lambda got, name=name: explained_by(got) == name,  # type: ignore[misc]
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
                        {write(to_ids(PROMPT), 12)["text"]} == set(all_texts(got))
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
                    recognise=lambda got: (
                        got["same"][0] == got["another object"][0]
                        and got["same"][0] != got["same"][1]
                    ),
                ),
                Mistake(
                    "seed-ignored",
                    "The seed has no effect: each call gives another text.",
                    recognise=lambda got: (
                        got["same"][0] != got["same"][1]
                        and got["zero"][0] != got["zero"][1]
                    ),
                ),
                Mistake(
                    "seed-zero",
                    "The seed 0 is taken for no seed: compare with None.",
                    recognise=lambda got: (
                        got["same"][0] == got["same"][1]
                        and got["zero"][0] != got["zero"][1]
                    ),
                ),
                Mistake(
                    "seed-none-fixed",
                    "Without a seed each call should give another text; a seed is "
                    "written in.",
                    recognise=lambda got: (
                        got["none"][0] == got["none"][1]
                        and got["same"][0] != got["others"][0]
                    ),
                ),
                Mistake(
                    "seeds-alike",
                    "Different seeds give the same text.",
                    recognise=lambda got: (
                        got["same"][0] == got["same"][1]
                        and len({*got["others"], got["same"][0]}) < 4
                    ),
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
