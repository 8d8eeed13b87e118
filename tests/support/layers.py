"""What is asked of every module of steps 3 to 7: the probes of ``Layer``.

A step's ``probes.py`` says once how its module is built, filled and fed; its table asks
"layer.calls", "layer.traced" and so on (``rows.py`` has the rows).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from checker.worker.probe import (
    Learner,
    Unusable,
    array,
    attribute,
    fill,
    tensor,
    traced,
    traced_twice,
)
from tests.support.data import Array, Sizes, Weights, noise

AFTER = "after another module"
ANOTHER, FIRST, NEW = "another object", "the first object", "with new weights"
CUT = 3
"""Tokens before it stay the same when those from it on are changed."""


def features(sizes: Sizes) -> Array:
    """An input of float32 [B, T, C]."""
    return noise("x", sizes["batch"], sizes["tokens"], sizes["n_embd"])


@dataclass(frozen=True)
class Layer:
    """A module of the learner's.

    Attributes:
        name: of its class.
        build: makes one, from the learner's file and the sizes.
        weights: its parameters by path, loud, for these sizes; matrices [out, in].
        sizes: to check it at; ``batch`` and ``tokens`` are those of the input.
        others: other sizes, which it has to fit as well.
        x: the input for some sizes, float32 or int64, [B, T, …].
        symbolic: the shape of the input in a graph.
        fill: puts weights in place of the parameters; returns the module.
        look: what the row about the structure sees of a parameter, by its path.
        extreme: an input where careless arithmetic overflows, for some sizes.
    """

    name: str
    build: Callable[[Learner, Sizes], Any]
    weights: Callable[[Sizes], Weights]
    sizes: Sizes
    others: Sizes
    x: Callable[[Sizes], Array] = features
    symbolic: tuple[str | int, ...] = ()
    fill: Callable[[Any, Weights], Any] = fill
    look: Callable[[Any, str], Any] = lambda value, _: size_of(value)
    extreme: Callable[[Sizes], Array] | None = None

    def made(self, learner: Learner, sizes: Sizes | None = None) -> Any:
        """A new module, filled."""
        sizes = sizes or self.sizes
        return self.fill(self.build(learner, sizes), self.weights(sizes))

    def answer(self, made: Any, x: Any) -> Array:
        if not callable(made):
            other = ", MAX's name for `forward`" * hasattr(made, "forward")
            raise Unusable(f"{self.name} has no method `__call__`{other}")
        return array(made(x), f"{self.name}(...)(...)")

    # The probes

    def structure(self, learner: Learner) -> dict[str, Any]:
        """What a new module's parameters look like, and which of them MAX finds."""
        from max.nn.module_v3 import Module

        made = self.build(learner, self.sizes)
        paths = self.weights(self.sizes)
        found = {path: self.look(attribute(made, path), path) for path in paths}
        known = list(made.parameters) if isinstance(made, Module) else []
        return {
            **found,
            "is a Module": isinstance(made, Module),
            "parameters": sorted(name for name, _ in known),
            "dtypes": sorted({str(each.dtype.name) for _, each in known}),
        }

    def calls(self, learner: Learner) -> Array:
        return self._once(learner)[0]

    def input_afterwards(self, learner: Learner) -> Array:
        return self._once(learner)[1]

    def later_changed(self, learner: Learner) -> dict[str, Array]:
        """The answers before and after tokens were changed."""
        after = self._once(learner, "changed")[0]
        return {"before": self.calls(learner), "after": after}

    def _once(self, learner: Learner, which: str = "") -> tuple[Array, Array, Any]:
        """An answer, the input afterwards and the module; once per request, because
        several probes need them."""
        key = f"{self.name} {which}"
        if key not in learner.kept:
            x = self.x(self.sizes)
            made, given = self.made(learner), tensor(changed(x) if which else x)
            learner.kept[key] = self.answer(made, given), array(given), made
        kept: tuple[Array, Array, Any] = learner.kept[key]
        return kept

    def at_other_sizes(self, learner: Learner) -> Array:
        made = self.made(learner, self.others)
        return self.answer(made, tensor(self.x(self.others)))

    def called_before(self, learner: Learner) -> dict[str, Array]:
        """Further answers of a module that was called; the last after another module,
        with other sizes, was made and called."""
        _, _, made = self._once(learner)
        answers = {
            name: self.answer(made, tensor(x))
            for name, x in second_calls(self.x(self.sizes)).items()
        }
        self.at_other_sizes(learner)
        return {**answers, AFTER: self.answer(made, tensor(self.x(self.sizes)))}

    def of_one(self, learner: Learner) -> dict[str, Array]:
        """The answers to a batch of one row, and to one token."""
        made = self.made(learner)
        return {
            name: self.answer(made, tensor(x))
            for name, x in ones(self.x(self.sizes)).items()
        }

    def at_extremes(self, learner: Learner) -> Array:
        assert self.extreme is not None
        return self.answer(self.made(learner), tensor(self.extreme(self.sizes)))

    def two_objects(self, learner: Learner) -> dict[str, Array]:
        """The answers of a new object with other weights, of the first one after it,
        and of the new one when the first one's weights were put into it."""
        _, _, first = self._once(learner)
        own = self.weights(self.sizes)
        another = self.fill(self.build(learner, self.sizes), turned(own))
        x = tensor(self.x(self.sizes))
        answers = {ANOTHER: self.answer(another, x), FIRST: self.answer(first, x)}
        return {**answers, NEW: self.answer(self.fill(another, own), x)}

    def called_anew(self, learner: Learner) -> dict[str, Array]:
        """The answers of two new modules to one input."""
        other = self.answer(self.made(learner), tensor(self.x(self.sizes)))
        return {"one": self.calls(learner), "other": other}

    def rows_apart(self, learner: Learner) -> dict[str, Array]:
        """A batch, its second row alone, and the batch with another second row."""
        alone = self.answer(self.made(learner), tensor(self.x(self.sizes)[1:]))
        other = self._once(learner, "changed")[0]
        return {"together": self.calls(learner), "alone": alone, "other": other}

    def traced(self, learner: Learner) -> Array:
        """Run as one graph with any batch size and number of tokens."""
        return self._traced(learner, traced)

    def traced_twice(self, learner: Learner) -> Array:
        return self._traced(learner, traced_twice)

    def _traced(self, learner: Learner, by: Callable[..., Array]) -> Array:
        made, x = self.made(learner), self.x(self.sizes)
        return by(made, made, ("batch", "seqlen", *self.symbolic), x)


def changed(x: Array) -> Array:
    """The second row's tokens from ``CUT`` on replaced by those of the first row."""
    x = x.copy()
    x[1, CUT:] = x[0, CUT:]
    return x


def second_calls(x: Array) -> dict[str, Array]:
    """Inputs for a module that was called with ``x``: other tokens, fewer tokens."""
    return {"other tokens": changed(x), "fewer tokens": x[:, 1:]}


def turned(weights: Weights) -> Weights:
    """Other weights of the same shapes."""
    return {path: value[::-1].copy() for path, value in weights.items()}


def ones(x: Array) -> dict[str, Array]:
    return {"one row": x[:1], "one token": x[:, :1], "one of both": x[1:, :1]}


def size_of(parameter: Any) -> Any:
    """The sizes of a parameter, the greatest first: a matrix may be stored either way
    round. What has none comes as it is."""
    if not hasattr(parameter, "shape"):
        plain = parameter is None or type(parameter) is int
        return parameter if plain else repr(parameter)
    return sorted((int(n) for n in parameter.shape), reverse=True)
