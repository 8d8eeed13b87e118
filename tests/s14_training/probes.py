"""Step 14: what is asked of the learner's loss, clipping, AdamW, schedule and Trainer.

The Trainer trains a model that looks at one token only, whose gradients are a line of
NumPy in ``table.py``, and a small GPT-2. There is no right answer in this file.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from checker.worker.probe import Learner, Unusable, array, fill, tensor
from tests.s07_model import probes as models
from tests.support.data import SIZES, Array, Sizes, Weights, config, noise

# The loss

B, T, V = 3, 5, 7


def drawn(name: str, size: int, *shape: int) -> Array:
    """Ids below ``size``, int64."""
    return noise(f"ids of {name}", *shape, size).argmax(-1).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Text:
    """Logits float32 [B, T, V] and targets int64 [B, T]."""

    logits: Array
    targets: Array


TEXTS = {
    "plain": Text(2 * noise("logits", B, T, V), drawn("targets", V, B, T)),
    "far": Text(
        np.round(120 * noise("far logits", B, T, V)), drawn("far targets", V, B, T)
    ),
    "one": Text(2 * noise("one logit", 1, 1, V), drawn("one target", V, 1, 1)),
    "many": Text(noise("many logits", 2, 3, 400), drawn("many targets", 400, 2, 3)),
}


def single(value: Any, what: str) -> Array:
    """One element as [1]; more as they are."""
    found = array(value, what)
    return found.reshape(1) if found.size == 1 else found


def surprise(learner: Learner, name: str) -> Array:
    text = TEXTS[name]
    answer = learner.cross_entropy(tensor(text.logits), tensor(text.targets))
    return single(answer, "cross_entropy(...)")


def surprise_in_a_graph(learner: Learner) -> Array:
    """The same in a graph of any batch and length."""
    text = TEXTS["plain"]
    shapes = ("batch", "seqlen", V), ("batch", "seqlen")
    (answer,) = in_a_graph(
        lambda *given: [learner.cross_entropy(*given)],
        (text.logits, text.targets),
        shapes,
    )
    return answer.reshape(1) if answer.size == 1 else answer


def in_a_graph(
    call: Callable[..., Any], arrays: tuple[Array, ...], shapes: tuple[Any, ...]
) -> list[Array]:
    """What a function of values gives as a graph with these shapes."""
    from max.driver import CPU
    from max.dtype import DType
    from max.engine import InferenceSession
    from max.graph import DeviceRef, Graph, TensorType, TensorValue

    kinds = [
        TensorType(DType.from_numpy(each.dtype), shape, DeviceRef.CPU())
        for each, shape in zip(arrays, shapes, strict=True)
    ]
    with Graph("step", input_types=kinds) as graph:
        found = call(*(each.tensor for each in graph.inputs))
        graph.output(*(TensorValue(each) for each in found))
    results = (
        InferenceSession(devices=[CPU()]).load(graph).execute(*map(np.array, arrays))
    )
    return [np.array(np.from_dlpack(each)) for each in results]


# Clipping

GRADIENTS = {
    "large": (3 * noise("g", 4, 3), -2 * noise("h", 5), 4 * noise("i", 2, 2, 3)),
    "small": (0.02 * noise("g", 4, 3), 0.01 * noise("h", 5)),
    "zero": (np.zeros((2, 3), np.float32), np.zeros(4, np.float32)),
    "one": (5 * noise("j", 6),),
}


def arrays_of(found: Any, what: str, length: int) -> list[Array]:
    """The arrays of a list of tensors of this length."""
    if found is None:
        raise Unusable(f"{what} is None: is a `return` missing?")
    if not isinstance(found, list | tuple):
        raise Unusable(f"{what} is a {type(found).__name__}, want {length} tensors")
    if len(found) != length:
        raise Unusable(f"{what} has the length {len(found)}, want {length}")
    return [array(each, f"{what}[{at}]") for at, each in enumerate(found)]


def clipped(learner: Learner, name: str, limit: float) -> list[Array]:
    given = [tensor(each) for each in GRADIENTS[name]]
    return arrays_of(learner.clip(given, limit), "clip(...)", len(given))


def clipped_in_a_graph(learner: Learner, limit: float) -> list[Array]:
    arrays = GRADIENTS["large"]
    shapes = tuple(tuple(f"size{at}{axis}" for axis in range(each.ndim))
                   for at, each in enumerate(arrays))  # fmt: skip
    return in_a_graph(lambda *given: learner.clip(list(given), limit), arrays, shapes)


# AdamW


@dataclass(frozen=True, eq=False)
class Update:
    """Arrays of one shape, and numbers."""

    p: Array
    g: Array
    m: Array
    v: Array
    numbers: dict[str, float] = field(default_factory=dict)

    @property
    def arrays(self) -> tuple[Array, ...]:
        return self.p, self.g, self.m, self.v


NUMBERS = {"step": 4, "rate": 0.3, "decay": 0.4}
UPDATES = {
    "first": Update(
        noise("p", 7), noise("g", 7), *[np.zeros(7, np.float32)] * 2,
        {"step": 1, "rate": 0.3, "decay": 0.4, "beta1": 0.7, "beta2": 0.8, "eps": 0.1},
    ),
    "later": Update(
        noise("p", 4, 3), noise("g", 4, 3), noise("m", 4, 3), noise("v", 4, 3) ** 2,
        {**NUMBERS, "beta1": 0.7, "beta2": 0.8, "eps": 0.1},
    ),
    "usual": Update(
        noise("p", 2, 3, 2), noise("g", 2, 3, 2), noise("m", 2, 3, 2),
        noise("v", 2, 3, 2) ** 2, {"step": 2, "rate": 0.5},
    ),
    "quiet": Update(
        noise("p", 5), 3e-9 * noise("g", 5), 2e-9 * noise("m", 5),
        1e-17 * noise("v", 5) ** 2, {"step": 3, "rate": 0.5},
    ),
}  # fmt: skip


def updated(learner: Learner, name: str) -> dict[str, Array]:
    """The parameter and its moments."""
    update = UPDATES[name]
    found = learner.adamw(*map(tensor, update.arrays), **update.numbers)
    return dict(zip("pmv", arrays_of(found, "adamw(...)", 3), strict=True))


def updated_in_a_graph(learner: Learner) -> dict[str, Array]:
    """The same in a graph of any shape, of which step and rate are inputs."""
    update = UPDATES["later"]
    numbers = {**update.numbers}
    inputs = [np.array(numbers.pop(name), np.float32) for name in ("step", "rate")]

    def call(p: Any, g: Any, m: Any, v: Any, step: Any, rate: Any) -> Any:
        return learner.adamw(p, g, m, v, step=step, rate=rate, **numbers)

    shapes = (*[("rows", "columns")] * 4, (), ())
    found = in_a_graph(call, (*update.arrays, *inputs), shapes)
    return dict(zip("pmv", found, strict=True))


# The learning rate


def rates(
    learner: Learner, steps: list[int], settings: dict[str, float]
) -> list[float]:
    found = [learner.learning_rate(step, **settings) for step in steps]
    for each in found:
        if each is None:
            raise Unusable("learning_rate(...) is None: is a `return` missing?")
        if isinstance(each, bool) or not isinstance(each, int | float | np.number):
            raise Unusable(
                f"learning_rate(...) is a {type(each).__name__}, not a number"
            )
    return [float(each) for each in found]


# The Trainer

C = 4
WEIGHTS = {
    "wte.weight": noise("wte", V, C),
    "scale.weight": 1 + 0.5 * noise("scale", C),
    "lm_head.weight": noise("head", V, C),
    "lm_head.bias": noise("bias", V),
}
Batch = tuple[Array, Array]


def batch(name: str, rows: int, tokens: int, *target: int) -> Batch:
    """Ids and targets; all targets are one, if it is given."""
    targets = drawn(f"next {name}", V, rows, tokens)
    return drawn(f"now {name}", V, rows, tokens), np.full_like(
        targets, *target or [0]
    ) if target else targets


BATCHES: tuple[tuple[Batch, float], ...] = (
    (batch("a", 2, 5, 3), 0.2),
    (batch("b", 4, 3), 0.1),
    (batch("c", 1, 6), 0.3),
    (batch("d", 3, 1), 0.05),
)
"""Batches of several shapes, and the learning rates of their steps."""
TIED = [["lm_head.weight", "wte.weight"]]


def one_token_model(tied: Any = ()) -> Any:
    """A Module that predicts the next token from one alone. Like a norm it has a weight
    with one dimension."""
    from max.experimental.tensor import Tensor
    from max.nn.module_v3 import Embedding, Linear, Module

    class Scale(Module):
        def __init__(self) -> None:
            self.weight = Tensor.from_dlpack(np.ones(C, np.float32))

        def __call__(self, x: Any) -> Any:
            return x * self.weight

    class OneToken(Module):
        def __init__(self) -> None:
            self.wte = Embedding(V, dim=C)
            self.scale = Scale()
            self.lm_head = Linear(C, V)

        def __call__(self, ids: Any) -> Any:
            return self.lm_head(self.scale(self.wte(ids)))

    return fill(OneToken(), WEIGHTS | {name: WEIGHTS[other] for name, other in tied})


def trained(learner: Learner, settings: dict[str, Any]) -> dict[str, Any]:
    """The losses, and the parameters after the last step: those of the model, and one
    that was held before."""
    model = one_token_model(settings.get("tied", ()))
    held = model.wte.weight
    found = steps_of(learner.Trainer(model, **_tuples(settings)), BATCHES)
    weights = {name: array(tensor) for name, tensor in model.parameters}
    return {"losses": found, **weights, "held before": array(held)}


def _tuples(settings: dict[str, Any]) -> dict[str, Any]:
    pairs = settings.get("tied")
    if pairs is None:
        return settings
    return {**settings, "tied": tuple(tuple(pair) for pair in pairs)}


def steps_of(trainer: Any, batches: Any) -> list[float]:
    found = []
    for (ids, targets), rate in batches:
        loss = trainer.step(ids.copy(), targets.copy(), rate)
        if loss is None:
            raise Unusable("Trainer(...).step(...) is None: is a `return` missing?")
        if not isinstance(loss, int | float | np.floating):
            kind = type(loss).__name__
            raise Unusable(f"Trainer(...).step(...) is a {kind}, want a float")
        found.append(float(loss))
    return found


def two_trainers(learner: Learner) -> dict[str, list[float]]:
    """The losses of two models that are trained in turns, and of one alone."""
    one, other = (learner.Trainer(one_token_model()) for _ in range(2))
    found: dict[str, list[float]] = {"one": [], "other": []}
    for each in BATCHES:
        found["one"] += steps_of(one, [each])
        found["other"] += steps_of(other, [each])
    return found


GPT: Sizes = {**SIZES, "n_layer": 1}
IDS = drawn("text", GPT["vocab_size"], 2, 9)
ROUNDS = 12


def gpt_weights() -> Weights:
    weights = models.weights(GPT)
    return weights | {"lm_head.weight": weights["transformer.wte.weight"]}


def gpt(learner: Learner) -> list[float]:
    """The losses of a small GPT-2 that is trained on one batch, the head tied."""
    model = importlib.import_module("model").MaxGPT2Model(config(**GPT))
    models.filled(model, gpt_weights())
    tied = (("lm_head.weight", "transformer.wte.weight"),)
    trainer = learner.Trainer(model, tied=tied)
    return steps_of(trainer, [((IDS[:, :-1], IDS[:, 1:]), 0.03)] * ROUNDS)
