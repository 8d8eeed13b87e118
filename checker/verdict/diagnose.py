"""Name the mistake, when the learner's output is the one that the mistake produces.

A mistake is computed or proven, never guessed: without a match nothing is said about
causes. What mistakes give is computed once, while a worker starts or within a budget.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from checker.table import Check, Mistake, Table
from checker.verdict.compare import same

Result = tuple[str, Any]
"""("value", …) or ("error", …), as the worker sent it."""

_ANSWERS: dict[Mistake, object] = {}
"""What mistakes give, as far as it has been computed."""


def prepare(
    table: Table, seconds: float, enough: Callable[[], bool] = lambda: False
) -> None:
    """Compute what the mistakes of a table give: so long, or until it is enough."""
    until = time.thread_time() + seconds
    for check in table.checks:
        if time.thread_time() > until or enough():
            return
        for mistake in check.known:
            _answer(mistake, until)


def diagnose(
    check: Check,
    result: Result | None,
    own: Mapping[Mistake, Result],
    until: float,
) -> Mistake | None:
    """The first of the check's mistakes that gives what was got.

    Args:
        result: the answer to the check's probe.
        own: the answers to the mistakes' own probes, as far as they were asked.
        until: the moment of this thread's time on the processor after which nothing
            more is computed: a busy machine leaves no mistake unnamed.
    """
    for mistake in check.known:
        answer = own.get(mistake) if mistake.probe else result
        if answer is not None and _shows(mistake, answer, check.tolerance, until):
            return mistake
    return None


def _shows(mistake: Mistake, answer: Result, tolerance: float, until: float) -> bool:
    kind, value = answer
    if kind == "error":
        refused = mistake.refused and value["unusable"]
        return bool(refused and re.search(mistake.refused, value["message"]))
    if mistake.proves is not None and holds(mistake.proves, value):
        return True
    if mistake.gives is None or not _answer(mistake, until):
        return False
    return same(value, _ANSWERS[mistake], tolerance)


def _answer(mistake: Mistake, until: float) -> bool:
    """Whether what the mistake gives is known now."""
    if mistake.gives is None or mistake in _ANSWERS:
        return mistake in _ANSWERS
    if time.thread_time() > until:
        return False
    with np.errstate(all="ignore"):  # many a mistake is a division by zero
        _ANSWERS[mistake] = mistake.gives()
    return True


def holds(judgement: Callable[[Any], object], value: object) -> bool:
    """False also where the answer has not the form that a judgement looks at, which
    may raise anything then."""
    try:
        with np.errstate(all="ignore"):
            return bool(judgement(value))
    except Exception:
        return False


def own_probes(checks: Iterable[Check]) -> list[list[Any]]:
    """The probes that mistakes of these checks ask besides, each once."""
    asked = [
        [mistake.probe, list(mistake.given)]
        for check in checks
        for mistake in check.known
        if mistake.probe
    ]
    return [probe for number, probe in enumerate(asked) if probe not in asked[:number]]
