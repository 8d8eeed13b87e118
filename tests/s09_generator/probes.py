"""Step 9: what is asked of the learner's TextGenerator, and its models.

The models stand in for GPT-2: their logits are data, and they note the ids they are
given. Those of ``rows`` are different after any other ids; those of DRAWS are always
the same, made for counting what is sampled.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from checker.worker.probe import Learner, Unusable, attribute, fill, tensor
from tests.support.data import Array, noise

Ids = list[int]
Rows = Callable[[Ids], Array]
"""From ids to the logits after each of them, float32 [T, V]."""

NEVER = -1e4
"""The logit of a token that is never written."""

# For texts: nine letters, the two bytes of é, the end of text.

PIECES = [*(bytes([byte]) for byte in b"abcdefgh "), b"\xc3", b"\xa9", b"<|endoftext|>"]
V, LETTERS = len(PIECES), 9
LEVELS = np.linspace(-1.5, 1.5, LETTERS - 1)


def to_ids(text: str) -> Ids:
    return [PIECES.index(bytes([byte])) for byte in text.encode()]


def to_text(ids: Sequence[int]) -> str:
    return b"".join(PIECES[one] for one in ids).decode("utf-8", "replace")


def rows(ids: Ids) -> Array:
    """The letters' logits are shuffled, by all the ids up to there."""
    return np.array([_row(tuple(ids[: t + 1])) for t in range(len(ids))], np.float32)


@cache
def _row(ids: tuple[int, ...]) -> list[float]:
    drawn = noise(f"after {ids}", LETTERS + 1)
    best = 3.6 + 0.9 * np.tanh(drawn[-1])  # other ones: so argmax over all is wrong
    shuffled = np.array([*LEVELS, best])[drawn[:-1].argsort()]
    return [*shuffled, NEVER, NEVER, NEVER + len(ids)]


def faint(ids: Ids) -> Array:
    """The same order, and at any temperature nearly equal chances for the letters."""
    logits = rows(ids)
    return np.where(logits > NEVER / 2, logits / 100, logits)


ACCENTED, PLAIN = "caf\N{LATIN SMALL LETTER E WITH ACUTE} a", "cafe bed"


def scripted(text: str, shift: float = 0.0) -> Rows:
    """The next token of a text, and nothing else, is to be expected."""
    script = to_ids(text)

    def after(ids: Ids) -> Array:
        made = np.full((len(ids), V), shift, np.float32)
        made[-1, script[len(ids) % len(script)]] += 40
        return made

    return after


# For sampling


@dataclass(frozen=True)
class Draw:
    """A distribution to draw from, the same for all prompts and at all positions.

    Attributes:
        temperature: what is asked for.
        profile: the logits of the tokens at temperature 1; all are multiplied by
            ``temperature``, so that right shares never depend on it.
        sparse: whether every other token is never written.
    """

    temperature: float
    profile: tuple[float, ...]
    sparse: bool = True

    @property
    def tokens(self) -> int:
        return 2 * len(self.profile) - 1 if self.sparse else len(self.profile)

    @cached_property
    def last(self) -> Array:
        """The logits after the last id, in the order that the data has."""
        drawn = np.array(self.profile)[noise("order", len(self.profile)).argsort()]
        logits = np.full(self.tokens, NEVER, np.float32)
        logits[:: 2 if self.sparse else 1] = self.temperature * drawn
        return logits

    @cached_property
    def before(self) -> Array:
        """The logits after the ids before: the tokens between, or the other order."""
        if not self.sparse:
            return -self.last
        logits = np.full(self.tokens, NEVER, np.float32)
        between = np.linspace(-4, 4, len(self.profile) - 2)
        logits[1:-2:2] = between[noise("between", len(between)).argsort()]
        return logits

    def after(self, ids: Ids) -> Array:
        return np.array([*[self.before] * (len(ids) - 1), self.last])


WIDE = (3.6, *np.linspace(0, -1.5, 80))
"""One token has nearly half of the draws, and 80 have the rest: top-k shows."""
STEEP = (*np.linspace(4, -36, 81),)
"""Each has 0.6 times the draws of the one before: noise that is not Gumbel's shows."""
SHARP = (12.0, 6.0, 0.0)
"""One has nearly all: a second softmax shows."""
DRAWS = {
    "hot": Draw(2.1, WIDE),
    "cold": Draw(0.36, STEEP),
    "sharp": Draw(0.5, SHARP, sparse=False),
}
SIGNS = [chr(0x4E00 + one) for one in range(DRAWS["hot"].tokens)]


# The stand-ins


class Model:
    """From ids [1, T] to logits [1, T, V]; notes the ids of each call."""

    def __init__(self, after: Rows, tokens: int = V) -> None:
        self.after, self.tokens = after, tokens
        self.calls: list[Ids] = []
        self._answers: dict[int, tuple[Array, Any]] = {}

    def __call__(self, ids: Any) -> Any:
        given = self._read(ids)
        self.calls.append(given)
        return self._tensor(self.after(given)[None])

    def _tensor(self, logits: Array) -> Any:
        """That of these logits, if there is one that nobody has written into."""
        known = self._answers.get(logits.size)
        if known is None or not np.array_equal(known[0], logits):
            made = tensor(logits)
            known = self._answers[logits.size] = np.from_dlpack(made), made
        return known[1]

    def _read(self, value: Any) -> Ids:
        from max.experimental.tensor import Tensor

        if not isinstance(value, Tensor):
            kind = type(value)
            package = kind.__module__.split(".")[0].replace("builtins", "Python")
            got = f"the model was given a {package} {kind.__name__}"
            raise Unusable(f"{got}; it reads a MAX Tensor")
        given = np.array(np.from_dlpack(value))
        shape = list(given.shape)
        if given.ndim != 2 or shape[0] != 1:
            raise Unusable(f"the model was given ids of shape {shape}; it reads [1, T]")
        if given.dtype != np.int64:
            raise Unusable(f"the model was given ids of {given.dtype}; it reads int64")
        if not given.size:
            raise Unusable("the model was given no ids, [1, 0]")
        check_range(given, self.tokens, "the model")
        return [int(one) for one in given[0]]


def check_range(ids: Array, tokens: int, who: str) -> None:
    wrong = ids[(ids < 0) | (ids >= tokens)]
    if wrong.size:
        known = f"there are {tokens} tokens, 0 to {tokens - 1}"
        raise Unusable(f"{who} was given the id {wrong.flat[0]}; {known}")


class Tokenizer:
    """encode, decode and the properties of step 8, for PIECES."""

    vocab_size = V
    eos_token_id = pad_token_id = V - 1
    to_ids = staticmethod(to_ids)
    to_text = staticmethod(to_text)

    def encode(self, text: str) -> Any:
        return tensor(np.array([self.to_ids(text)], np.int64).reshape(1, -1))

    def decode(self, tokens: Any) -> str:
        takes = "it takes a MAX Tensor of int64, [T] or [1, T]"
        if not hasattr(tokens, "__dlpack__"):
            raise Unusable(f"decode was given a {type(tokens).__name__}; {takes}")
        ids = np.from_dlpack(tokens)
        if ids.ndim not in (1, 2) or (ids.ndim == 2 and ids.shape[0] != 1):
            shape = list(ids.shape)
            raise Unusable(f"decode was given ids of shape {shape}; {takes}")
        if ids.size and ids.dtype.kind not in "iu":
            raise Unusable(f"decode was given ids of {ids.dtype}; {takes}")
        check_range(ids, self.vocab_size, "decode")
        return self.to_text(ids.reshape(-1).tolist())


class Signs(Tokenizer):
    """A sign for each token, so that all of them can be counted."""

    to_ids = staticmethod(lambda text: [SIGNS.index(sign) for sign in text])
    to_text = staticmethod(lambda ids: "".join(SIGNS[one] for one in ids))

    def __init__(self, tokens: int) -> None:
        self.vocab_size = tokens
        self.eos_token_id = self.pad_token_id = tokens - 2


def generator(
    learner: Learner, model: Any, tokenizer: Tokenizer | None = None, **options: Any
) -> Callable[..., str]:
    """``generate`` of a new TextGenerator, which has to return a text."""
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


def sampler(learner: Learner, draw: Draw) -> Callable[..., str]:
    """The signs that ``generate`` adds to a prompt of three."""
    model = Model(draw.after, draw.tokens)
    call = generator(learner, model, Signs(draw.tokens), context_length=3)
    start = "".join(SIGNS[:3])

    def write(**settings: Any) -> str:
        return call(start, **settings).removeprefix(start)

    return write


# The probes

PROMPT, LONGER, NEW = "  cab", "a cab had beef", 8
CONTEXT, FULL = 5, 9
GREEDY: dict[str, Any] = {"do_sample": False, "temperature": 50.0}
DEFAULTS: dict[str, Any] = {"max_new_tokens": 50, "temperature": 0.8, "do_sample": True}
SOME: dict[str, Any] = {"max_new_tokens": 9, "temperature": 1.0, "do_sample": True}


def greedily(
    learner: Learner, prompt: str = PROMPT, new: int = NEW, context: int = 64
) -> dict[str, Any]:
    model = Model(rows)
    call = generator(learner, model, context_length=context)
    return {"text": call(prompt, max_new_tokens=new, **GREEDY), "calls": model.calls}


def some_lengths(learner: Learner) -> list[str]:
    call = generator(learner, Model(rows), context_length=64)
    return [call(PROMPT, max_new_tokens=n, **GREEDY) for n in (0, 1, 9)]


SMALLEST, LARGEST = 5e-324, 1.7e308


def at_any_temperature(learner: Learner) -> list[str]:
    call = generator(learner, Model(rows), context_length=64)
    settings = {"max_new_tokens": NEW, "do_sample": False}
    extremes = SMALLEST, LARGEST
    return [call(PROMPT, temperature=one, **settings) for one in extremes]


def greedy_and_sampled(learner: Learner) -> dict[str, list[str]]:
    """With and without do_sample, for the same seeds and temperatures."""
    call = generator(learner, Model(rows), context_length=64)
    settings = [{"seed": s, "temperature": t} for s in (1, 2) for t in (0.8, 5.0)]
    return {
        name: [call(PROMPT, max_new_tokens=12, do_sample=flag, **s) for s in settings]
        for name, flag in (("greedy", False), ("sampled", True))
    }


ROUND, LEAST, MOST = 20, 6, 64
AT_ALL = 6.0
"""Seconds by the clock, whatever has been drawn."""


def frequencies(learner: Learner, seconds: float) -> dict[str, list[str]]:
    """What is sampled of DRAWS, in rounds of 20 tokens, each with its own seed: as many
    as the processor does in ``seconds``, but LEAST to MOST; "sharp" only in LEAST."""
    writers = {name: sampler(learner, draw) for name, draw in DRAWS.items()}
    found: dict[str, list[str]] = {name: [] for name in DRAWS}
    began, clock = time.process_time(), time.monotonic()
    for number in range(MOST):
        # far apart: some samplers use seed + position
        settings = {"max_new_tokens": ROUND, "do_sample": True, "seed": 10_007 * number}
        if number == LEAST:
            del writers["sharp"]
        for name, write in writers.items():
            heat = DRAWS[name].temperature
            found[name].append(write(temperature=heat, **settings))
        enough = time.process_time() - began > seconds and number + 1 >= LEAST
        if enough or time.monotonic() - clock > AT_ALL:
            break
    return found


def certain(learner: Learner, *shifts: float) -> list[str]:
    """Sampled where one token has all the probability, with all logits shifted."""
    settings = DEFAULTS | {"max_new_tokens": len(PLAIN) - 3, "seed": 3}
    models = [Model(scripted(PLAIN, shift)) for shift in shifts]
    calls = [generator(learner, model, context_length=64) for model in models]
    return [call(PLAIN[:3], **settings) for call in calls]


def seeds(learner: Learner) -> dict[str, list[str]]:
    """Texts of 9 letters that all have nearly the same chances."""
    call = generator(learner, Model(faint), context_length=64)
    again = generator(learner, Model(faint), context_length=64)
    return {
        "same": [call(PROMPT, seed=7, **SOME) for _ in "12"],
        "another object": [again(PROMPT, seed=7, **SOME)],
        "zero": [call(PROMPT, seed=0, **SOME) for _ in "12"],
        "others": [call(PROMPT, seed=seed, **SOME) for seed in (8, 9, 1234)],
        "none": [call(PROMPT, **SOME) for _ in "12"],
    }


def step_by_step(learner: Learner) -> dict[str, list[str]]:
    """Texts written in one call, and token by token in calls with the same seed."""
    call = generator(learner, Model(rows), context_length=64)
    settings = SOME | {"temperature": 2.0}
    found: dict[str, list[str]] = {"whole": [], "steps": []}
    for seed in (7, 8, 9):
        found["whole"].append(call(PROMPT, seed=seed, **settings))
        text = PROMPT
        for _ in range(SOME["max_new_tokens"]):
            text = call(text, seed=seed, **settings | {"max_new_tokens": 1})
        found["steps"].append(text)
    return found


def defaults(learner: Learner) -> dict[str, Any]:
    """What is done without settings, and whether DEFAULTS give the same."""
    write = sampler(learner, Draw(DEFAULTS["temperature"], WIDE))
    default = write(seed=5)
    return {
        "tokens": len(default),
        "same": default == write(seed=5, **DEFAULTS),
        "context": _context(learner),
    }


def each_default(learner: Learner) -> dict[str, Any]:
    """The same with all of DEFAULTS, twice, and with all but one."""
    write = sampler(learner, Draw(DEFAULTS["temperature"], WIDE))
    without = {
        name: write(seed=5, **{n: v for n, v in DEFAULTS.items() if n != name})
        for name in DEFAULTS
    }
    contexts = [_context(learner), _context(learner, context_length=1024)]
    said = [write(seed=5, **DEFAULTS) for _ in "12"]
    return {"said": said, "context": contexts, **without}


def _context(learner: Learner, **options: int) -> int:
    """How many ids of a long prompt the model is given."""
    model = Model(scripted(PLAIN))
    generator(learner, model, **options)("ab " * 350, max_new_tokens=1, **GREEDY)
    return len(model.calls[0]) if model.calls else 0


def accents(learner: Learner) -> str:
    call = generator(learner, Model(scripted(ACCENTED)), context_length=64)
    return call(ACCENTED[:3], max_new_tokens=len(to_ids(ACCENTED)) - 3, **GREEDY)


def modules(learner: Learner) -> list[str]:
    """Greedy texts of a MAX module, as it is and compiled."""
    from max.driver import CPU
    from max.dtype import DType
    from max.graph import TensorType
    from max.nn.module_v3 import Embedding, Module

    class Bigram(Module):
        """The logits are the token's own row of a table."""

        def __init__(self) -> None:
            self.table = Embedding(V, dim=V)

        def __call__(self, ids: Any) -> Any:
            return self.table(ids)

    module = fill(Bigram(), {"table.weight": bigrams()})
    symbolic = TensorType(DType.int64, ("batch", "seqlen"), device=CPU())
    return [
        generator(learner, model, context_length=64)("ab", max_new_tokens=5, **GREEDY)
        for model in (module, module.compile(symbolic))
    ]


def bigrams() -> Array:
    """After each token the logits of the next, float32 [V, V]."""
    return np.concatenate([rows([one]) for one in range(V)])
