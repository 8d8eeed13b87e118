"""What a check of a file found, as data: every screen and format is made from it."""

from dataclasses import dataclass

from checker.course import Puzzle
from checker.table import Mistake
from checker.verdict.explain import Place


@dataclass(frozen=True)
class Line:
    """One check's outcome.

    Attributes:
        name: the check's.
        status: passed, failed, blocked, todo, error.
        sentence: what the report shows.
        detail: what was got and wanted, or what happened.
        mistake: what is known for certain about the cause.
        explained: the id of the words that an exception was put in.
        place: where to look.
        needs: the check that a blocked one waits for.
        fault: whether the checker itself is at fault.
    """

    name: str
    status: str
    sentence: str
    detail: tuple[str, ...] = ()
    mistake: Mistake | None = None
    explained: str = ""
    place: Place | None = None
    needs: str = ""
    fault: bool = False


@dataclass(frozen=True)
class Report:
    """A step's outcome. ``status``: passed, failed, todo, error."""

    puzzle: Puzzle
    file: str
    status: str
    lines: tuple[Line, ...]
    seconds: float = 0.0
    stand_ins: tuple[str, ...] = ()
    printed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def fault(self) -> bool:
        return any(line.fault for line in self.lines)

    @property
    def passed(self) -> int:
        """How many checks passed."""
        return sum(line.status == "passed" for line in self.lines)

    @property
    def trouble(self) -> Line | None:
        """The first line that needs work; None where all passed."""
        others = [line for line in self.lines if line.status != "passed"]
        return next(
            (e for e in others if e.status != "blocked"), next(iter(others), None)
        )


def status_of(lines: list[Line]) -> str:
    """A step's status, from its lines."""
    found = {line.status for line in lines}
    for status in ("error", "failed", "todo"):
        if status in found:
            return status
    return "passed" if found == {"passed"} else "failed"
