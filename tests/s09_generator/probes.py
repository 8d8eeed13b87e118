"""Step 9: what is asked of the learner's TextGenerator, and its models.

The models stand in for GPT-2: their logits are data, and they note the ids they are
given. There are 165 tokens, enough for top-k to show: nine letters, the two bytes of é,
the end of text, and a sign for each of the others, so that all can be counted.
"""

import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from checker.worker.probe import Learner, Unusable, attribute, fill, tensor
from tests.support.data import Array, noise

Ids = list[int]
Rows = Callable[[Ids], Array]
"""From ids to the logits after each of them, float32 [T, V]."""

V, LETTERS = 165, 9
PIECES = [*(bytes([byte]) for byte in b"abcdefgh ")]
PIECES += [chr(0x4E00 + one).encode() for one in range(LETTERS, V)]
PIECES[LETTERS] = b"A"
PIECES[-4:-1] = [b"\xc3", b"\xa9", b"<|endoftext|>"]


def to_ids(text: str) -> Ids:
    return [PIECES.index(bytes([byte])) for byte in text.encode()]


def to_text(ids: Sequence[int]) -> str:
    return b"".join(PIECES[one] for one in ids).decode("utf-8", "replace")


# The models: what is never written has the logit NEVER.

NEVER = -1e4
LEVELS = np.linspace(-1.5, 1.5, LETTERS - 1)


def rows(ids: Ids) -> Array:
    """The letters' logits are shuffled, by all the ids up to there, so that what is
    done wrong shows: no token predicts itself, what the first position predicts is
    unlikely later, and every other position has a larger logit than the next.
    """
    return np.array([_row(tuple(ids[: t + 1])) for t in range(len(ids))])


@cache
def _row(ids: tuple[int, ...]) -> Array:
    ranks = noise(f"after {ids}", LETTERS).argsort()
    if len(ids) > 1:
        first = int(_row(ids[:1])[:LETTERS].argmax())
        ranks[ranks == 0], ranks[first] = ranks[first], 0
    if ranks[ids[-1] % LETTERS] == LETTERS - 1:
        ranks = np.where(ranks > 0, 1 + ranks % (LETTERS - 1), 0)
    best = 2.7 + 0.1 * len(ids) + 0.6 * (len(ids) % 2)
    row = np.full(V, NEVER, np.float32)
    row[:LETTERS] = np.array([*LEVELS, best])[ranks]
    row[-1] += len(ids)
    return row


def faint(ids: Ids) -> Array:
    """The same order, and at any temperature nearly equal chances for the letters."""
    logits = rows(ids)
    return np.where(logits > NEVER / 2, logits / 10_000, logits)


def scripted(text: str, shift: float = 0.0) -> Rows:
    """The next token of a text, and nothing else, is to be expected. All logits are
    shifted up and down in turn."""
    script = to_ids(text)

    def after(ids: Ids) -> Array:
        made = np.full((len(ids), V), shift * (-1) ** len(ids), np.float32)
        made[-1, script[len(ids) % len(script)]] += 40
        return made

    return after


def drawn(temperature: float, profile: Sequence[float], every: int = 2) -> Rows:
    """The same logits after all ids: ``profile`` as it is at temperature 1, so that
    right shares do not depend on ``temperature``.

    Every other token is never written, and those are the likely ones after the ids
    before the last: an index that is one off, and another position, show directly.
    """
    tokens = every * (len(profile) - 1) + 1
    last, before = np.full((2, tokens), NEVER, np.float32)
    order = noise("order", len(profile)).argsort()
    last[::every] = temperature * np.array(profile)[order]
    before[1::2] = np.linspace(-4, 4, tokens // 2)
    if every == 1:
        before = -last
    return lambda ids: np.array([*[before] * (len(ids) - 1), last])


WIDE = (3.6, *np.linspace(0, -1.5, 80))
"""One token has nearly half of the draws, and 80 have the rest: top-k shows."""
STEEP = (*np.linspace(4, -36, 81),)
"""Each has 0.6 times the draws of the one before: noise that is not Gumbel's shows."""
SHARP = (12.0, 6.0, 0.0)
"""One has nearly all: a second softmax shows."""

HEAT = {"hot": 5.0, "cold": 0.05, "sharp": 0.5}
ACCENTED, PLAIN = "caf\N{LATIN SMALL LETTER E WITH ACUTE} a", "cafe bed"
MODELS: dict[str, Rows] = {
    "rows": rows,
    "faint": faint,
    "accented": scripted(ACCENTED),
    "plain": scripted(PLAIN),
    "near": scripted(PLAIN, 30.0),
    "shifted": scripted(PLAIN, 1000.0),
    "usual": drawn(0.8, WIDE),
    "hot": drawn(HEAT["hot"], WIDE),
    "cold": drawn(HEAT["cold"], STEEP),
    "sharp": drawn(HEAT["sharp"], SHARP, every=1),
}


class Model:
    """From ids [1, T] to logits [1, T, V]; notes the ids of each call."""

    def __init__(self, name: str) -> None:
        self.after = MODELS[name]
        self.tokens = self.after([0]).shape[-1]
        self.calls: list[Ids] = []
        self._answers: dict[int, tuple[Array, Any]] = {}

    def __call__(self, ids: Any) -> Any:
        from max.experimental.tensor import Tensor

        if not isinstance(ids, Tensor):
            kind = f"{type(ids).__module__.split('.')[0]} {type(ids).__name__}"
            raise Unusable(f"the model was given a {kind}; it reads a MAX Tensor")
        given = np.array(np.from_dlpack(ids))
        shape = list(given.shape)
        if given.ndim != 2 or shape[0] != 1 or not given.size:
            raise Unusable(f"the model was given ids of shape {shape}; it reads [1, T]")
        if given.dtype != np.int64:
            raise Unusable(f"the model was given ids of {given.dtype}; it reads int64")
        check_range(given, "the model")
        self.calls.append([int(one) for one in given[0]])
        return self._tensor(self.after(self.calls[-1])[None])

    def _tensor(self, logits: Array) -> Any:
        """The last one of that size again, unless somebody has written into it."""
        known = self._answers.get(logits.size)
        if known is None or not np.array_equal(known[0], logits):
            made = tensor(logits)
            known = self._answers[logits.size] = np.from_dlpack(made), made
        return known[1]


def check_range(ids: Array, who: str) -> None:
    wrong = ids[(ids < 0) | (ids >= V)]
    if wrong.size:
        known = f"there are {V} tokens, 0 to {V - 1}"
        raise Unusable(f"{who} was given the id {wrong.flat[0]}; {known}")


class Tokenizer:
    """encode, decode and the properties of step 8."""

    eos_token_id = pad_token_id = V - 2

    def __init__(self, vocab_size: int) -> None:
        self.vocab_size = vocab_size

    def encode(self, text: str) -> Any:
        return tensor(np.array([to_ids(text)], np.int64).reshape(1, -1))

    def decode(self, tokens: Any) -> str:
        takes = "it takes a MAX Tensor of int64, [T] or [1, T]"
        if not hasattr(tokens, "__dlpack__"):
            raise Unusable(f"decode was given a {type(tokens).__name__}; {takes}")
        ids = np.from_dlpack(tokens)
        if ids.shape not in ((ids.size,), (1, ids.size)):
            shape = list(ids.shape)
            raise Unusable(f"decode was given ids of shape {shape}; {takes}")
        if ids.size and ids.dtype.kind not in "iu":
            raise Unusable(f"decode was given ids of {ids.dtype}; {takes}")
        check_range(ids, "decode")
        return to_text(ids.reshape(-1).tolist())


def generator(learner: Learner, model: Any, **options: Any) -> Callable[..., str]:
    """``generate`` of a new TextGenerator, which has to return a text."""
    tokens = getattr(model, "tokens", V)
    made = learner.TextGenerator(model, Tokenizer(tokens), **options)
    generate = attribute(made, "generate")

    def call(prompt: str, **settings: Any) -> str:
        text = generate(prompt, **settings)
        if text is None:
            raise Unusable("generate(...) is None: is a `return` missing?")
        if not isinstance(text, str):
            raise Unusable(f"generate(...) is a {type(text).__name__}, not a str")
        return text

    return call


# The probes

PROMPT, LONGER, NEW = "  cab", "a cab had beef", 8
CONTEXT, FULL = 5, 9
GREEDY: dict[str, Any] = {"do_sample": False, "temperature": 50.0}


def greedily(
    learner: Learner, prompt: str = PROMPT, new: int = NEW, context: int = 64
) -> dict[str, Any]:
    model = Model("rows")
    call = generator(learner, model, context_length=context)
    return {"text": call(prompt, max_new_tokens=new, **GREEDY), "calls": model.calls}


def texts(learner: Learner, model: str, *objects: list[dict[str, Any]]) -> list[str]:
    """What TextGenerators write, each with a list of settings for its calls."""
    written = []
    for calls in objects:
        call = generator(learner, Model(model), context_length=64)
        written += [call(**{"prompt": PROMPT, **settings}) for settings in calls]
    return written


def prompts(learner: Learner, *given: str) -> list[str]:
    """Greedy texts of one TextGenerator after these prompts; and of another one, with
    a longer context, before and after it was made."""
    model, settings = Model("rows"), {**GREEDY, "max_new_tokens": NEW}
    call = generator(learner, model, context_length=CONTEXT)
    written = [call(each, **settings) for each in given]
    generator(learner, Model("plain"), context_length=64)(LONGER, max_new_tokens=0)
    return [*written, call(given[0], **settings)]


def most_read(learner: Learner) -> int:
    """The greatest number of ids that the model is given when it samples."""
    model = Model("rows")
    call = generator(learner, model, context_length=CONTEXT)
    call(LONGER, max_new_tokens=NEW, do_sample=True, seed=1)
    return max(map(len, model.calls), default=0)


def step_by_step(learner: Learner) -> dict[str, list[str]]:
    """Texts written in one call, and token by token in calls with the same seed."""
    call = generator(learner, Model("rows"), context_length=64)
    found: dict[str, list[str]] = {"whole": [], "steps": []}
    for seed in (7, 8, 9):
        settings = {"seed": seed, "temperature": 2.0, "do_sample": True}
        found["whole"].append(call(PROMPT, max_new_tokens=NEW, **settings))
        text = PROMPT
        for _ in range(NEW):
            text = call(text, max_new_tokens=1, **settings)
        found["steps"].append(text)
    return found


ROUND, FEWEST, LEAST, MOST = 20, 3, 8, 64
"""Tokens of a round, and rounds: to judge at all, if possible, and with time left."""
AT_ALL, BY_THE_CLOCK = 6.0, 15.0
"""Seconds of the processor, and by the clock, after which FEWEST are enough."""


def frequencies(learner: Learner, seconds: float) -> dict[str, list[str]]:
    """What is sampled of each model, in rounds of 20 tokens, each with its own seed: as
    many as the processor does in ``seconds``, but LEAST to MOST; "sharp" LEAST only.

    A busy machine leaves fewer, but never so few that nothing can be said.
    """
    found: dict[str, list[str]] = {name: [] for name in HEAT}
    calls = {name: generator(learner, Model(name), context_length=3) for name in HEAT}
    began, clock = time.process_time(), time.monotonic()
    for number in range(MOST):
        # far apart: some samplers use seed + position
        settings = {"max_new_tokens": ROUND, "do_sample": True, "seed": 10_007 * number}
        for name, call in calls.items():
            text = call("abc", temperature=HEAT[name], **settings)
            found[name].append(text.removeprefix("abc"))
        if number == LEAST - 1:
            del calls["sharp"]
        spent = time.process_time() - began
        late = spent > AT_ALL or time.monotonic() - clock > BY_THE_CLOCK
        if number + 1 >= (FEWEST if late else LEAST) and (late or spent > seconds):
            break
    return found


def contexts(learner: Learner) -> list[int]:
    """How many ids of a long prompt the model is given, by default and of 1024."""
    models = {0: Model("plain"), 1024: Model("plain")}
    for length, model in models.items():
        options = {"context_length": length} if length else {}
        generator(learner, model, **options)("ab " * 350, max_new_tokens=1, **GREEDY)
    return [len(model.calls[0]) if model.calls else 0 for model in models.values()]


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


@cache
def bigrams() -> Array:
    """After each token the logits of the next, float32 [V, V]."""
    return np.concatenate([rows([one]) for one in range(V)])
