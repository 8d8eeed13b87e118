"""Step 12: what is asked of the learner's CachedGPT2 and CachedGenerator.

The first gets a small model, the MaxGPT2Model of step 7 with loud weights; the second
the models of step 9, which stand in here for a CachedGPT2 and note what they are fed.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from checker.worker.probe import Learner, Unusable, attribute, tensor
from tests.s07_model import probes as models
from tests.s09_generator import probes as generators
from tests.s09_generator.probes import GREEDY, PROMPT, V
from tests.support.data import SIZES, Array, Sizes, config, noise

SMALL: Sizes = {**SIZES, "n_positions": 19, "n_layer": 3}
OTHER: Sizes = {**SIZES, "n_positions": 11, "n_embd": 20, "n_layer": 1, "n_head": 5}


def text(name: str, batch: int, tokens: int) -> Array:
    """Token ids, int64 [B, T]."""
    scores = noise(f"ids of {name}", batch, tokens, SIZES["vocab_size"])
    return scores.argmax(-1).astype(np.int64)


# The model


def model_of(sizes: Sizes) -> Any:
    made = importlib.import_module("model").MaxGPT2Model(config(**sizes))
    return models.filled(made, models.weights(sizes))


def cached(learner: Learner, sizes: Sizes | None = None) -> Any:
    """A CachedGPT2; one for each request, because compiling takes a while."""
    key = f"cached {sizes}"
    if key not in learner.kept:
        sizes = sizes or SMALL
        model = model_of(sizes)
        learner.kept[key] = learner.CachedGPT2(model, config(**sizes)), model
    return learner.kept[key][0]


def feed(made: Any, ids: Array, caches: Any) -> tuple[Array, Any]:
    """The logits after a piece of a text, and the caches after it."""
    answer = made(tensor(ids), caches)
    if not isinstance(answer, tuple | list) or len(answer) != 2:
        kind = type(answer).__name__
        raise Unusable(f"CachedGPT2(...)(...) is a {kind}, not logits and caches")
    logits, caches = answer
    if not hasattr(logits, "__dlpack__"):
        kind = type(logits).__name__
        raise Unusable(f"the logits are a {kind}, which np.from_dlpack cannot read")
    found = np.array(np.from_dlpack(logits))
    return found.astype(np.float32) if found.dtype == np.float64 else found, caches


def fed(made: Any, ids: Array, pieces: list[int]) -> list[Array]:
    """The logits after each piece of a text; pieces are numbers of tokens."""
    caches, at, found = attribute(made, "empty")(len(ids)), 0, []
    for tokens in pieces:
        logits, caches = feed(made, ids[:, at : at + tokens], caches)
        found.append(logits)
        at += tokens
    return found


def in_pieces(
    learner: Learner, name: str, batch: int, pieces: list[int]
) -> list[Array]:
    return fed(cached(learner), text(name, batch, sum(pieces)), pieces)


def at_other_sizes(learner: Learner, pieces: list[int]) -> list[Array]:
    return fed(cached(learner, OTHER), text("other", 3, sum(pieces)), pieces)


FIRST, SECOND = ("one", 4, 2), ("two", 5, 2)
"""Two texts: the name of each, and two pieces."""


def two_texts(learner: Learner) -> dict[str, list[Array]]:
    """Two texts, fed in turn: a piece of each, and another piece of each."""
    made = cached(learner)
    caches = {name: made.empty(1) for name, *_ in (FIRST, SECOND)}
    found: dict[str, list[Array]] = {name: [] for name in caches}
    for turn in (1, 2):
        for name, *pieces in (FIRST, SECOND):
            at = sum(pieces[: turn - 1])
            ids = text(name, 1, sum(pieces))[:, at : at + pieces[turn - 1]]
            logits, caches[name] = feed(made, ids, caches[name])
            found[name].append(logits)
    return found


def embeddings_changed(learner: Learner) -> Array:
    """The logits after one more token, when the embeddings of the tokens before it have
    been changed: what is cached is not computed again."""
    from max import driver

    model = model_of(SMALL)
    made = learner.CachedGPT2(model, config(**SMALL))
    ids = text("cached", 1, 6)
    _, caches = feed(made, ids[:, :5], made.empty(1))
    table = attribute(model, "transformer.wte.weight").driver_tensor
    changed = np.array(np.from_dlpack(table))
    changed[[one for one in ids[0, :5] if one != ids[0, 5]]] *= -1
    table.inplace_copy_from(driver.Tensor.from_dlpack(changed))
    return feed(made, ids[:, 5:], caches)[0]


def full(learner: Learner) -> list[Array]:
    """The logits after the last token that fits, and at once."""
    ids = text("full", 1, SMALL["n_positions"])
    made = cached(learner)
    return [*fed(made, ids, [ids.shape[1] - 1, 1])[1:], *fed(made, ids, [ids.shape[1]])]


# The generator


@dataclass
class Fed:
    """Caches of a stand-in: the ids that it was given so far. They are handed on
    unopened, and handed back they are spent."""

    ids: list[int]
    spent: bool = False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise Unusable(f"`{name}` of the caches was asked for; {OPAQUE}")


OPAQUE = "the generator hands on what the model returned, and does not look into it"


class StandIn:
    """A CachedGPT2 with the logits of a model of step 9; notes what it is fed."""

    def __init__(self, model: generators.Model) -> None:
        self.model = model
        self.tokens = model.tokens
        self.calls: list[list[int]] = []
        self.gave: list[Array] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        said = "the generator needs empty(batch) and the call alone"
        raise Unusable(f"`{name}` of the model was asked for; {said}")

    def empty(self, batch: int) -> Fed:
        if batch != 1:
            raise Unusable(f"empty({batch}) was called; generate writes one text")
        return Fed([])

    def __call__(self, ids: Any, caches: Fed) -> tuple[Any, Fed]:
        if not isinstance(caches, Fed):
            kind = type(caches).__name__
            raise Unusable(f"the model was given a {kind} for caches; empty makes them")
        if caches.spent:
            said = "hand on those that it returned last, and begin with new ones"
            raise Unusable(f"the model was given caches a second time; {said}")
        caches.spent = True
        known = len(self.model.calls)
        self.model(ids)  # which says what is wrong with them
        self.calls += self.model.calls[known:]
        so_far = Fed([*caches.ids, *self.calls[-1]])
        self.gave.append(self.model.after(so_far.ids)[-1])
        return tensor(self.gave[-1][None]), so_far


class Renamed:
    """A file whose CachedGenerator is called TextGenerator: step 9's probes ask it."""

    def __init__(self, learner: Learner) -> None:
        self.learner = learner
        self.kept = learner.kept

    def TextGenerator(  # noqa: N802  (the name that step 9 asks for)
        self, model: Any, tokenizer: Any, **options: Any
    ) -> Any:
        stand_in = StandIn(model) if isinstance(model, generators.Model) else model
        return self.learner.CachedGenerator(stand_in, tokenizer, **options)


def greedily(learner: Learner, prompt: str, new: int, context: int) -> dict[str, Any]:
    """What is written greedily, and what the model was fed for it, in whatever
    pieces."""
    stand_in = StandIn(generators.Model("rows"))
    made = learner.CachedGenerator(
        stand_in, generators.Tokenizer(V), context_length=context
    )
    written = attribute(made, "generate")(prompt, max_new_tokens=new, **GREEDY)
    return {"text": written, "fed": [one for call in stand_in.calls for one in call]}


TEXTS = ((PROMPT, 12), ("a cab", 5), (PROMPT, 12))
CONTEXT = 8


def one_after_the_other(learner: Learner) -> list[str]:
    """Texts of one CachedGenerator."""
    made = learner.CachedGenerator(
        StandIn(generators.Model("rows")),
        generators.Tokenizer(V),
        context_length=CONTEXT,
    )
    call = attribute(made, "generate")
    return [call(prompt, max_new_tokens=new, **GREEDY) for prompt, new in TEXTS]


def of_step_9(name: str) -> Callable[..., Any]:
    """A probe of step 9, for the CachedGenerator."""
    return lambda learner, *given: getattr(generators, name)(Renamed(learner), *given)


texts = of_step_9("texts")
frequencies = of_step_9("frequencies")
step_by_step = of_step_9("step_by_step")


def by_default(learner: Learner) -> list[int]:
    """How many ids of a long prompt are fed, by default and in a context of 1024."""
    found = []
    for options in ({}, {"context_length": 1024}):
        stand_in = StandIn(generators.Model("rows"))
        made = learner.CachedGenerator(stand_in, generators.Tokenizer(V), **options)
        attribute(made, "generate")("ab " * 350, max_new_tokens=1, **GREEDY)
        found.append(sum(map(len, stand_in.calls)))
    return found


def by_a_sampler(
    learner: Learner, context: int, settings: dict[str, Any], *tokens: int
) -> dict[str, Any]:
    """What is written when a sampler chooses these tokens; the ids that it was given,
    and how far its logits are from those that the model gave."""
    stand_in, asked, far = StandIn(generators.Model("rows")), [], []

    def sampler(logits: Any, ids: Any) -> int:
        if len(asked) == len(tokens):
            said = f"{len(tokens)} new tokens were asked for"
            raise Unusable(f"the sampler was called {len(asked) + 1} times; {said}")
        asked.append([int(n) for n in np.ravel(ids)])
        given = np.asarray(logits)
        if given.shape != (V,):
            shape = list(given.shape)
            raise Unusable(f"the sampler was given logits {shape}, want [V]: [{V}]")
        far.append(float(np.abs(given - stand_in.gave[-1]).max()))
        return tokens[len(asked) - 1]

    made = learner.CachedGenerator(
        stand_in, generators.Tokenizer(V), context_length=context
    )
    written = attribute(made, "generate")(
        PROMPT, max_new_tokens=len(tokens), sampler=sampler, seed=1, **settings
    )
    return {"text": written, "ids": asked, "far": far}


def together(learner: Learner, prompt: str, new: int) -> list[int]:
    """What the generator writes with a CachedGPT2, greedily."""

    class Numbers:
        """Ids are numbers with spaces between."""

        eos_token_id = pad_token_id = vocab_size = SMALL["vocab_size"]

        def encode(self, text: str) -> Any:
            return tensor(np.array([[int(each) for each in text.split()]]))

        def decode(self, ids: Any) -> str:
            return " ".join(map(str, np.from_dlpack(ids).ravel().tolist()))

    context = SMALL["n_positions"]
    made = learner.CachedGenerator(cached(learner), Numbers(), context_length=context)
    written = attribute(made, "generate")(prompt, max_new_tokens=new, do_sample=False)
    return [int(each) for each in str(written).split()]


def to_prompt(name: str, tokens: int) -> str:
    return " ".join(map(str, text(name, 1, tokens)[0]))
