"""The rows of a table that every module of steps 3 to 7 has.

``Rows`` writes them from the step's ``Layer`` and its oracle. A step adds its own
mistakes and its own rows between them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from checker.table import Check, Flaw, Mistake, refusals
from checker.verdict.compare import same
from tests.support.data import Array, Sizes, Weights
from tests.support.layers import (
    AFTER,
    ANOTHER,
    CUT,
    FIRST,
    NEW,
    Layer,
    ones,
    second_calls,
    turned,
)

NOTHING_RETURNED = Mistake(
    "nothing-returned",
    "The answer is None. Does it end without a `return`, or return nothing?",
    refused=r"is None: is a `return` missing",
)

NEW_LAYERS = Mistake(
    "new-layers",
    "Two objects with the same weights give two answers to one input: something else "
    "decides as well, such as a layer that is made in the call and starts with random "
    "weights.",
    probe="layer.called_anew",
    proves=lambda got: 1e-3 < moved(got["one"], got["other"]) < np.inf,
)


def name_missing(*names: str) -> tuple[Mistake, ...]:
    """The mistake of a file without one of its public names."""
    told = " or ".join(f"`{name}`" for name in names)
    return refusals(
        (
            "name-missing",
            f"The file does not define {told}, which other files import.",
            rf"^\w+\.py has no `({'|'.join(names)})`",
        )
    )


def no_bias(message: str, *paths: str) -> Mistake:
    """``Linear`` without a bias keeps 0 in its place; some layers None."""

    def lacks(value: Any) -> bool:
        return value is None or (type(value) is int and value == 0)

    return Mistake(
        "no-bias", message, proves=lambda got: any(lacks(got[path]) for path in paths)
    )


def not_a_module(name: str) -> Mistake:
    return Mistake(
        "not-a-module",
        f"{name} does not inherit from Module of max.nn.module_v3, which finds its "
        "parameters.",
        proves=lambda got: got["is a Module"] is False,
    )


def extra_parameter(*paths: str) -> Mistake:
    """A Tensor or Module as an attribute, for which no checkpoint has a weight."""
    return Mistake(
        "extra-parameter",
        "MAX takes every Tensor and Module kept as an attribute for part of the model, "
        "and looks for it in the checkpoint: keep a number instead.",
        proves=lambda got: set(got["parameters"]) > set(paths),
    )


@dataclass(frozen=True)
class Rows:
    """The rows of one layer.

    Attributes:
        layer: what is checked.
        oracle: the right answer, float32, from input, weights and sizes.
        has: the sentence of the row about its parameters.
        does: the sentence of the row about its answer.
        tolerance: relative and absolute.
    """

    layer: Layer
    oracle: Callable[[Array, Weights, Sizes], Array]
    has: str
    does: str
    tolerance: float = 5e-5

    def right(self, sizes: Sizes | None = None) -> Array:
        sizes = sizes or self.layer.sizes
        return self.oracle(self.layer.x(sizes), self.layer.weights(sizes), sizes)

    def _second_answers(self) -> dict[str, Array]:
        calls = second_calls(self.layer.x(self.layer.sizes))
        return {**self._answers(calls), AFTER: self.right()}

    def _two_answers(self) -> dict[str, Array]:
        sizes, x = self.layer.sizes, self.layer.x(self.layer.sizes)
        others = turned(self.layer.weights(sizes))
        right = self.right()
        return {ANOTHER: self.oracle(x, others, sizes), FIRST: right, NEW: right}

    def _at_extremes(self) -> Array:
        sizes = self.layer.sizes
        assert self.layer.extreme is not None
        x = self.layer.extreme(sizes)
        return self.oracle(x, self.layer.weights(sizes), sizes)

    def _answers(self, calls: dict[str, Array]) -> dict[str, Array]:
        sizes, w = self.layer.sizes, self.layer.weights(self.layer.sizes)
        return {name: self.oracle(x, w, sizes) for name, x in calls.items()}

    def structure(
        self, *mistakes: Mistake, starts: dict[str, object] | None = None
    ) -> Check:
        """The row about its parameters: their sizes, or what they start with."""
        w = self.layer.weights(self.layer.sizes)
        sizes = {path: sorted(each.shape, reverse=True) for path, each in w.items()}
        known = {"is a Module": True, "parameters": sorted(w), "dtypes": ["float32"]}
        return Check(
            self.has,
            "layer.structure",
            expect=lambda: {**(starts or sizes), **known},
            where=f"{self.layer.name}.__init__",
            mistakes=(
                *name_missing(self.layer.name),
                *mistakes,
                not_a_module(self.layer.name),
                extra_parameter(*w),
            ),
        )

    def calls(self, *mistakes: Mistake, needs: tuple[str, ...] = ()) -> Check:
        """The row about its answer. It waits for the structure, or for ``needs``."""
        return self._row(
            self.does,
            "layer.calls",
            expect=self.right,
            needs=needs or (self.has,),
            tolerance=self.tolerance,
            mistakes=(*mistakes, NOTHING_RETURNED, NEW_LAYERS),
        )

    def properties(
        self, others: str, *, causal: bool, extremes: str = ""
    ) -> tuple[Check, ...]:
        """The rows that wait for the answer: ``others`` says what the other sizes are,
        ``extremes`` what is extreme about the layer's extreme input.

        Tokens are either mixed with those before them (``causal``) or kept apart.
        """
        right = {"expect": self.right, "tolerance": self.tolerance}
        sizes = self.layer.sizes
        tokens, judged = (
            ("hides the future: a later token changes nothing before it", future_hidden)
            if causal
            else ("treats each token by itself", tokens_apart)
        )
        rows = (
            (f"works at other sizes: {others}", "at_other_sizes",
             {**right, "expect": lambda: self.right(self.layer.others)}),
            ("works for one row, and for one token", "of_one",
             {**right, "expect": lambda: self._answers(ones(self.layer.x(sizes)))}),
            ("answers every call like a first one: nothing is kept between calls",
             "called_before", {**right, "expect": self._second_answers}),
            ("shares nothing with another object, which has other weights",
             "two_objects", {**right, "expect": self._two_answers}),
            *([(f"works for {extremes}", "at_extremes",
                {**right, "expect": self._at_extremes})] if extremes else []),
            (tokens, "later_changed", {"accept": judged}),
            ("keeps the rows of a batch apart", "rows_apart", {"accept": rows_apart}),
            ("leaves its input unchanged", "input_afterwards",
             {"expect": lambda: self.layer.x(self.layer.sizes), "tolerance": 0.0}),
            ("can be traced with any batch size and number of tokens", "traced_twice",
             right),
        )  # fmt: skip
        return tuple(
            self._row(name, f"layer.{probe}", needs=(self.does,), **more)
            for name, probe, more in rows
        )

    def compiled(self) -> Check:
        return self._row(
            "compiled and run by MAX: the same answer",
            "layer.traced",
            expect=self.right,
            tolerance=1e-4,
        )

    def _row(self, name: str, probe: str, **more: Any) -> Check:
        return Check(name, probe, where=f"{self.layer.name}.__call__", **more)


def moved(one: Array, other: Array) -> float:
    """How far two answers are apart at most; infinite where one is not a number."""
    with np.errstate(all="ignore"):
        far = np.abs(one - other).max()
    return float(far) if np.isfinite(far) else float("inf")


def rows_apart(got: dict[str, Array]) -> str | None:
    together = got["together"]
    if (far := moved(together[1:], got["alone"])) > 1e-4:
        return f"a row alone and the same row in a batch differ by {far:.3g}"
    if (far := moved(together[0], got["other"][0])) > 1e-4:
        return f"row 1 was changed, and row 0 moved by {far:.3g}"
    return None


def future_hidden(got: dict[str, Array]) -> str | None:
    if (far := moved(got["before"][1, :CUT], got["after"][1, :CUT])) > 1e-5:
        return f"tokens from {CUT} on were changed, and those before moved by {far:.3g}"
    return None


def tokens_apart(got: dict[str, Array]) -> str | None:
    changed = (1, slice(CUT, None))
    left, right = got["before"].copy(), got["after"].copy()
    left[changed] = right[changed] = 0
    if (far := moved(left, right)) > 1e-5:
        return f"tokens [1, {CUT}:] were changed, and others moved by {far:.3g}"
    return None


NOT_A_TENSOR = refusals(
    (
        "more-than-a-tensor",
        "The call returns a tuple, a list or a dict; it has to return the tensor.",
        r" is a \w+ (tuple|list|dict), not a MAX Tensor",
    ),
    (
        "not-a-max-tensor",
        "The call returns something other than a MAX Tensor.",
        r" is a (?!\w+ (tuple|list|dict))\w+ \w+, not a MAX Tensor",
    ),
)


def two_at_once(
    message: str,
    oracle: Callable[..., Array],
    tolerance: float,
    one: tuple[Flaw, ...],
    other: tuple[Flaw, ...],
) -> Mistake:
    """One flaw of each table at the same time."""

    @cache
    def answers() -> list[Array]:
        pairs = ({**b, **a} for _, _, a in one for _, _, b in other)
        return [oracle(**flaw) for flaw in pairs]

    def proves(got: Any) -> bool:
        return any(same(got, answer, tolerance) for answer in answers())

    return Mistake("two-mistakes", message, proves=proves)
