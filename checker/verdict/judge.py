"""From a worker's answers to the lines of a report. Pure: nothing is run or read here.

``Judge`` compares each answer once, names mistakes within a budget of time, and writes
the lines.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from checker.course import shown
from checker.link.process import LOAD, Answers, key
from checker.table import Check, Mistake, Table
from checker.verdict.compare import brief, difference
from checker.verdict.diagnose import Result, diagnose, own_probes
from checker.verdict.explain import Place, explain
from checker.verdict.report import Line

BUDGET = 0.4
"""Seconds of the processor for what mistakes give, for all failing checks together."""

IMPORTED = "can be imported"


@dataclass
class Judge:
    """Judges one file of a step by its table.

    Attributes:
        table: the checks.
        file: the file's path as the learner calls it.
        answers: to the probes of all checks.
    """

    table: Table
    file: str
    answers: Answers
    faults: dict[str, str] = field(init=False, default_factory=dict)
    """What is wrong with a check's answer, by its name; nothing where it is right."""
    mistakes: dict[str, Mistake] = field(init=False, default_factory=dict)
    """What is known of its cause, by the check's name."""

    def __post_init__(self) -> None:
        for check in self.table.checks:
            result = self.result(check)
            if result is not None and (found := fault(check, result)) is not None:
                self.faults[check.name] = found

    @property
    def name(self) -> str:
        return Path(self.file).name

    def result(self, check: Check) -> Result | None:
        return self.answers.results.get(key([check.probe, list(check.given)]))

    def name_mistakes(self) -> list[list[Any]]:
        """Name what the answers show; the probes that the rest of the mistakes ask."""
        until = time.thread_time() + BUDGET
        unnamed = []
        for check in self._failed():
            self._name(check, diagnose(check, self.result(check), {}, until))
            if check.name not in self.mistakes:
                unnamed.append(check)
        return own_probes(unnamed)

    def name_more(self, answers: dict[str, Result]) -> None:
        """Name what the answers to the mistakes' own probes show."""
        until = time.thread_time() + BUDGET
        for check in self._failed():
            own = {
                mistake: answers[asked]
                for mistake in check.known
                if (asked := key([mistake.probe, list(mistake.given)])) in answers
            }
            if check.name not in self.mistakes:
                self._name(check, diagnose(check, None, own, until))

    def _name(self, check: Check, mistake: Mistake | None) -> None:
        if mistake is not None:
            self.mistakes[check.name] = mistake

    def _failed(self) -> list[Check]:
        """The checks that failed and do not wait for an open hole or another check."""
        return [
            check
            for check in self.table.checks
            if check.name in self.faults
            and not is_open(self.result(check))
            and not any(need in self.faults for need in check.needs)
        ]

    def lines(self) -> list[Line]:
        """The report's lines, with what has been named so far."""
        if (failure := self._not_loaded()) is not None:
            names = [check.name for check in self.table.checks]
            waiting = [Line(n, "blocked", n, needs="the file to load") for n in names]
            return [failure, *waiting]
        lines: list[Line] = []
        status: dict[str, str] = {}
        for check in self.table.checks:
            unmet = [need for need in check.needs if status.get(need) != "passed"]
            line = self._blocked(check, unmet[0]) if unmet else self._line(check)
            status[check.name] = line.status
            lines.append(line)
        return [*lines, *self._besides(lines)]

    def _blocked(self, check: Check, needs: str) -> Line:
        return Line(check.name, "blocked", said(check, self.result(check)), needs=needs)

    def _line(self, check: Check) -> Line:
        result = self.result(check)
        sentence = said(check, result)
        if result is None:
            return self._unanswered(check)
        found, mistake = self.faults.get(check.name), self.mistakes.get(check.name)
        if found is None:
            return Line(check.name, "passed", said(check, result, passed=True))
        if result[0] == "error":
            if place := result[1]["fault"]:
                reason = f"the check itself is wrong at {place}: {result[1]['message']}"
                return Line(check.name, "error", sentence, (reason,), fault=True)
            line = explained(check.name, sentence, result, self.file)
            return line if is_open(result) else replace(line, mistake=mistake)
        detail = () if check.failed else (found,)
        place = self._place(check.where)
        return Line(check.name, "failed", sentence, detail, mistake, place=place)

    def _unanswered(self, check: Check) -> Line:
        """The file was stopped: at this check, or before it."""
        first = next(c for c in self.table.checks if self.result(c) is None)
        if self.answers.stopped and check is not first:
            return self._blocked(check, first.name)
        reason = f"{self.name} {self.answers.stopped or 'gave no answer'}"
        return self._stopped(check.name, said(check, None), reason)

    def _stopped(self, name: str, sentence: str, reason: str) -> Line:
        """An error, with the line that the file was at where that is known."""
        place = Place(self.file, self.answers.stuck) if self.answers.stuck else None
        return Line(name, "error", sentence, (reason,), place=place)

    def _place(self, where: str) -> Place | None:
        """Where to begin: which line is wrong is not known, so none is quoted."""
        found = self.answers.places.get(where)
        return Place(self.file, found[0]) if found else None

    def _not_loaded(self) -> Line | None:
        name = f"{self.name} {IMPORTED}"
        error = self.answers.results.get(LOAD)
        if error is not None:
            return explained(name, name, error, self.file)
        if self.answers.during == LOAD and self.answers.stopped:
            return self._stopped(name, name, f"{self.name} {self.answers.stopped}")
        return None

    def _besides(self, lines: list[Line]) -> list[Line]:
        """What concerns no single check: violations, an end that no line tells of."""
        found = [("leaves everything else alone", what) for what in self._violations()]
        stopped = f"{self.name} {self.answers.stopped}"
        if self.answers.stopped and not any(stopped in line.detail for line in lines):
            found.append(("runs to its end", stopped))
        return [Line(name, "error", name, (what,)) for name, what in found]

    def _violations(self) -> list[str]:
        return [f"{self.name} {violation}" for violation in self.answers.violations]


def fault(check: Check, result: Result) -> str | None:
    """What is wrong with an answer, in words; None where it is right."""
    kind, value = result
    if kind == "error":
        return str(value["message"])
    found = _faulty(check.accept, value) if check.accept else None
    if found is None and check.expect is not None:
        found = difference(value, check.expect(), check.tolerance)
    return found


def _faulty(accept: Callable[[Any], str | None], value: object) -> str | None:
    """What a property finds; an answer without the form it looks at fails it too, and
    may raise anything."""
    try:
        with np.errstate(all="ignore"):
            return accept(value)
    except Exception:
        return f"got {brief(value)}, which is not what this check looks at"


def is_open(result: Result | None) -> bool:
    """Whether a hole of the learner's file is still open."""
    return result is not None and result[0] == "error" and bool(result[1]["todo"])


def said(check: Check, result: Result | None, passed: bool = False) -> str:
    """The sentence of a check's line; its name where there is no value to show."""
    template = (check.passed if passed else check.failed) or check.name
    shows = "{got}" in template
    if result is None or (result[0] == "error" and shows):
        return check.name
    if not shows:
        return template
    got = result[1]
    plain = repr(got) if isinstance(got, float) else brief(got)
    return template.replace("{got}", plain)


def explained(name: str, sentence: str, error: Result, file: str) -> Line:
    """The line of a check, or of loading, that ended in an exception."""
    found = explain(error[1], Path(file).name)
    detail = [found.sentence, *filter(None, [found.exception])]
    if found.shapes:
        shapes = [f"{variable} {shape}" for variable, shape in found.shapes.items()]
        detail.append("shapes there: " + ", ".join(shapes[:6]))
    place = found.place
    if place is not None:
        path = Path(place.path)
        known = file if path.resolve() == Path(file).resolve() else shown(path)
        place = replace(place, path=known)
    status = "todo" if error[1]["todo"] else "error"
    return Line(name, status, sentence, tuple(detail), explained=found.id, place=place)
