"""The words that the tables of checks (``tests/sNN_NAME/table.py``) are written in.

A row is a sentence, a probe, an oracle and the mistakes that learners make::

    Check(
        "scales the scores by 1/sqrt(head size)",
        "attends",                           # a function of probes.py, in the worker
        expect=attention,                    # NumPy, in the parent: what is right
        mistakes=flaws(
            attention,
            ("not-scaled", "the scores are not scaled", dict(scale=1.0)),
        ),
        where="GPT2Attention._attn",
    )

The same row is the check, the diagnosis and the checker's own mutation test. Only the
parent process imports tables: the worker, where the learner's code runs, imports
``probes.py`` alone, and finds no right answer there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Given = tuple[Any, ...]
"""The arguments of a probe after the learner's module: numbers, texts, lists."""


@dataclass(frozen=True, eq=False)
class Mistake:
    """A way to be wrong that is known for certain, in one of three ways.

    Attributes:
        id: in kebab case; one id means one mistake of a step.
        message: what the learner reads.
        gives: computed: the answer of a file with this mistake.
        proves: proven: a judgement of the answer, true for this mistake alone and
            false for every other answer, right or wrong.
        refused: proven: a pattern for what a probe refused (``Unusable``), found in
            the answer of this mistake alone.
        probe: the answer to judge, where the check's own does not show it.
        given: the arguments of ``probe``.
        quiet: on the screen the check's own line says it; programs get the message.
    """

    id: str
    message: str
    gives: Callable[[], object] | None = None
    proves: Callable[[Any], bool] | None = None
    refused: str = ""
    probe: str = ""
    given: Given = ()
    quiet: bool = False


@dataclass(frozen=True, eq=False)
class Check:
    """One line of the report.

    The answer to ``probe`` is right when it equals ``expect()`` within ``tolerance``
    (relative and absolute; arrays also in shape and dtype), or, for a property, when
    ``accept`` finds no fault: None.

    Attributes:
        name: the sentence that a learner reads.
        probe: a function of the step's ``probes.py``; "layer.calls" is an attribute.
        given: its arguments after the learner's module.
        expect, accept, tolerance: what is right.
        mistakes: what is known to be wrong, from the particular to the general; or a
            function that says it, where that takes a while: ``known`` calls it.
        needs: checks without which this one means nothing.
        where: the function to look at, as ``Class.method``.
        passed, failed: replace ``name`` where the two differ; ``{got}`` is the value.
    """

    name: str
    probe: str
    given: Given = ()
    expect: Callable[[], object] | None = None
    accept: Callable[[Any], str | None] | None = None
    mistakes: tuple[Mistake, ...] | Callable[[], tuple[Mistake, ...]] = ()
    needs: tuple[str, ...] = ()
    where: str = ""
    tolerance: float = 5e-5
    passed: str = ""
    failed: str = ""

    def __post_init__(self) -> None:
        if self.expect is None and self.accept is None:
            raise ValueError(f"{self.name!r} checks nothing: say expect or accept")
        if not isinstance(self.needs, tuple):
            raise TypeError(f"{self.name!r}: needs is a tuple, also of one check")

    @cached_property
    def known(self) -> tuple[Mistake, ...]:
        """The mistakes."""
        return self.mistakes() if callable(self.mistakes) else self.mistakes


@dataclass(frozen=True)
class Table:
    """A puzzle's checks.

    Attributes:
        checks: in the order of the report.
        uses: the siblings that the puzzle imports.
        compiled: the last word of MAX: run without the interpreter when all of
            ``checks`` have passed; None where compiling would teach nothing.
    """

    checks: tuple[Check, ...]
    uses: tuple[str, ...] = ()
    compiled: Check | None = None


Flaw = tuple[str, str, dict[str, Any]]
"""A mistake as arguments of the oracle: id, message, the arguments."""


def flaws(
    oracle: Callable[..., object], *rows: Flaw, probe: str = "", given: Given = ()
) -> tuple[Mistake, ...]:
    """The mistakes that are variants of one oracle: ``oracle(**arguments)``.

    A message without a full stop is the end of "This is what comes out when …".
    """
    return tuple(
        Mistake(
            name,
            sentence(message),
            gives=lambda flaw=flaw: oracle(**flaw),  # type: ignore[misc]
            probe=probe,
            given=given,
        )
        for name, message, flaw in rows
    )


def sentence(message: str) -> str:
    """A message as the learner reads it."""
    if message.endswith((".", "?")):
        return message
    return f"This is what comes out when {message}."


def refusals(*rows: tuple[str, str, str]) -> tuple[Mistake, ...]:
    """Mistakes that a probe refuses: id, message, pattern of what it says."""
    return tuple(Mistake(name, says, refused=pattern) for name, says, pattern in rows)


def distinct(
    *mistakes: Mistake, like: Callable[[Any, Any], bool]
) -> tuple[Mistake, ...]:
    """Without those that give what one before them gives: the first is as true."""
    kept: list[Mistake] = []
    answers: list[tuple[tuple[str, Given], object]] = []
    for mistake in mistakes:
        if mistake.gives is not None:
            asked, answer = (mistake.probe, mistake.given), mistake.gives()
            if any(asked == a and like(answer, other) for a, other in answers):
                continue
            answers.append((asked, answer))
        kept.append(mistake)
    return tuple(kept)
