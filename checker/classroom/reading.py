"""Read what graders keep in files: weights, reports, the journal of a class.

Each may have been edited, cut or mixed up. What does not fit is a sentence that says
where and what is wanted; a line of the journal that does not fit is left out.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeGuard

from checker.classroom.points import exact
from checker.classroom.safe import one_line
from checker.cli import UsageError
from checker.course import every, puzzles

Grade = dict[str, Any]
"""One submission's result, as JSON: what every format is written from."""

MOST = 10**6
DECIMALS = 6
"""Of points: more digits would not be exact in every format."""

Form = Callable[[object, str], None]
"""Raises Malformed where a value, found at a place, is not of this form."""


class Malformed(ValueError):
    """A value is not of its form: the rest of a sentence that begins with a file."""


def read_weights(path: Path) -> dict[str, float]:
    """Points by step: of the ten, and of those beyond them that are to be graded.
    Raises UsageError for a file that does not say just them."""
    name = one_line(str(path))
    try:
        points = tomllib.loads(path.read_text(encoding="utf-8"))["points"]
    except OSError as error:
        raise UsageError(f"{name} cannot be read: {error.strerror}") from error
    except (KeyError, ValueError, RecursionError) as error:
        why = f": {one_line(str(error))}" if isinstance(error, ValueError) else ""
        raise UsageError(f"{name} has no table [points] in TOML{why}") from error
    if not isinstance(points, dict):
        raise UsageError(f"{name}: points is no table; begin it with [points]")
    steps = [puzzle.step for puzzle in every()]
    for step in points:
        if step not in steps:
            known = f"{steps[0]} … {steps[-1]}"
            raise UsageError(f"{name}: there is no step {one_line(step)!r} ({known})")
    for puzzle in puzzles():
        if puzzle.step not in points:
            raise UsageError(f"{name} has no points for {puzzle.step}")
    found = {s: _points(points[s], s, name) for s in steps if s in points}
    if not any(found.values()):
        raise UsageError(f"{name}: every step has 0 points")
    return found


def _points(value: object, step: str, name: str) -> float:
    wanted = f"{name}: {step} has {_brief(value)} points, want a number"
    if not _is_number(value) or not 0 <= value <= MOST:
        raise UsageError(f"{wanted} from 0 to {MOST}")
    exponent = exact(value).as_tuple().exponent
    if isinstance(exponent, int) and exponent < -DECIMALS:
        raise UsageError(f"{wanted} with at most {DECIMALS} decimals")
    return float(value)


def read_reports(paths: Iterable[Path]) -> list[Grade]:
    """The grades of JSON reports, one after the other. Raises UsageError."""
    found: list[Grade] = []
    for path in paths:
        try:
            found += _report(path)
        except OSError as error:
            sentence = f"{one_line(str(path))} cannot be read: {error.strerror}"
            raise UsageError(sentence) from error
        except Malformed as error:
            sentence = f"{one_line(str(path))} is no JSON report of `grade`: {error}"
            raise UsageError(sentence) from error
    if len({tuple(step["step"] for step in grade["steps"]) for grade in found}) > 1:
        raise UsageError("the submissions of these reports have different steps")
    return found


def _report(path: Path) -> list[Grade]:
    found = _parsed(path.read_bytes())
    record({"submissions": many(record({}))})(found, "it")
    assert isinstance(found, dict)
    return [
        grade(each, f"submissions[{number}]")
        for number, each in enumerate(found["submissions"])
    ]


def read_journal(journal: Path) -> Iterator[Grade]:
    """What was graded before an interruption. Raises OSError."""
    if not journal.is_file():
        return
    with journal.open("rb") as lines:
        for line in lines:
            try:
                yield grade(_parsed(line), "it")
            except Malformed:  # cut by the interruption, or not ours
                continue


def _parsed(text: bytes) -> object:
    try:
        return json.loads(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Malformed("it is not in UTF-8") from error
    except RecursionError as error:
        raise Malformed("it is nested too deep") from error
    except ValueError as error:
        raise Malformed(f"it is not JSON: {one_line(str(error))}") from error


DEFAULTS: dict[str, Any] = {"isolation": "", "data_seed": 0, "ignored": [],
                            "ignored_more": 0, "reason": ""}  # fmt: skip
"""What reports of earlier versions lack."""


def grade_of(line: str) -> Grade:
    """A grade from its JSON. Raises Malformed."""
    return grade(_parsed(line.encode()), "it")


def grade(found: object, place: str) -> Grade:
    """A grade as this version writes it, from what may be an older one's."""
    GRADE(found, place)
    assert isinstance(found, dict)
    for name, value in DEFAULTS.items():
        found.setdefault(name, value)
    for step in found["steps"]:
        step.setdefault("source", None)
    return found


def text(value: object, place: str) -> None:
    if not isinstance(value, str):
        raise Malformed(f"{place} is {_brief(value)}, want a text")


def number(value: object, place: str) -> None:
    if not _is_number(value) or not 0 <= value <= 10**9:
        raise Malformed(f"{place} is {_brief(value)}, want a number from 0")


def like(pattern: str, wanted: str) -> Form:
    def form(value: object, place: str) -> None:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise Malformed(f"{place} is {_brief(value)}, want {wanted}")

    return form


def many(form: Form, least: int = 0) -> Form:
    def forms(value: object, place: str) -> None:
        if not isinstance(value, list) or len(value) < least:
            wanted = f"a list of {least} or more" if least else "a list"
            raise Malformed(f"{place} is {_brief(value)}, want {wanted}")
        for index, each in enumerate(value):
            form(each, f"{place}[{index}]")

    return forms


def record(fields: dict[str, Form], optional: dict[str, Form] | None = None) -> Form:
    """An object with at least these fields, and perhaps the optional ones."""

    def form(value: object, place: str) -> None:
        if not isinstance(value, dict):
            raise Malformed(f"{place} is {_brief(value)}, want an object")
        for name, each in fields.items():
            if name not in value:
                raise Malformed(f"{place} has no {name!r}")
            each(value[name], f"{place}.{name}".removeprefix("it."))
        for name, each in (optional or {}).items():
            if name in value:
                each(value[name], f"{place}.{name}".removeprefix("it."))

    return form


def perhaps(form: Form) -> Form:
    """The form, or null."""
    return lambda value, place: None if value is None else form(value, place)


def scored(form: Form) -> Form:
    """The form, with no more points than there are."""

    def within(value: object, place: str) -> None:
        form(value, place)
        assert isinstance(value, dict)
        if value["score"] > value["max_score"]:
            raise Malformed(f"{place} has more points than its max_score")

    return within


MISTAKE = record({"id": text, "message": text})
CHECK = record(
    {
        "name": text,
        "status": like("passed|failed|blocked|todo|error", "a check's status"),
        "detail": text,
        "mistake": perhaps(MISTAKE),
    }
)
STEP = scored(
    record(
        {
            "step": like(r"s[0-9]{2}", "a step such as s05"),
            "puzzle": text,
            "file": text,
            "status": like("passed|failed|todo|error", "a step's status"),
            "seconds": number,
            "stand_ins": many(text),
            "checks": many(CHECK, least=1),
            "score": number,
            "max_score": number,
            "printed": many(text),
        },
        {"source": perhaps(text)},
    )
)
GRADE = scored(
    record(
        {
            "submission": text,
            "score": number,
            "max_score": number,
            "seconds": number,
            "checker": text,
            "files": text,
            "steps": many(STEP, least=1),
        },
        {
            "isolation": text,
            "data_seed": number,
            "ignored": many(record({"path": text, "reason": text})),
            "ignored_more": number,
            "reason": text,
        },
    )
)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _brief(value: object) -> str:
    """A value in a sentence: a text quoted, a list or an object by its kind."""
    if isinstance(value, list | dict):
        return f"{'an empty' if not value else 'a'} {KINDS[type(value)]}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**20:
        return "a huge number"
    return one_line(json.dumps(value, ensure_ascii=False, default=str), 60)


KINDS = {list: "list", dict: "object"}
