"""Name the mistake, when the learner's output is the one that the mistake produces.

A mistake is computed, never guessed: without a match nothing is said about causes.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from checker.compare import same
from checker.table import Check, Mistake

Result = tuple[str, Any]
"""("value", …) or ("error", …), as the worker sent it."""


def diagnose(
    check: Check, result: Result | None, others: dict[int, Result]
) -> Mistake | None:
    """The first of the check's mistakes that gives what was got.

    ``others`` are the answers to the mistakes' own probes, by the mistake's number.
    """
    with np.errstate(all="ignore"):  # many a mistake is a division by zero
        for number, mistake in enumerate(check.mistakes):
            answer = result if mistake.probe is None else others.get(number)
            if answer is not None and _shows(mistake, answer, check.tolerance):
                return mistake
    return None


def _shows(mistake: Mistake, answer: Result, tolerance: float) -> bool:
    kind, value = answer
    if kind == "error":
        text = f"{value['type']}: {value['message']}"
        return bool(mistake.raises and re.search(mistake.raises, text))
    if mistake.recognise is not None and _recognises(mistake.recognise, value):
        return True
    return mistake.gives is not None and same(value, mistake.gives(), tolerance)


def _recognises(recognise: Callable[[Any], bool], value: object) -> bool:
    """False where the answer has not even the form that a judgement needs."""
    try:
        return bool(recognise(value))
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):
        return False
