"""The course: which puzzles there are, where their files are, and the reference.

The packages ``tests/sNN_NAME/`` are the one list of steps. Nothing large is imported
here: both processes read this module.
"""

import importlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from checker.table import Table

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "puzzles"
TEN = 10
"""Steps of the course itself; those after them lead beyond."""


SEED = "COURSE_DATA_SEED"
"""The variable that the data of checks is drawn from, in both processes."""


class Fault(Exception):
    """The environment or the checker itself is at fault; the message says how."""


@dataclass(frozen=True)
class Puzzle:
    """Where a step is: ``s05``, ``attention``. Its table is read when asked for."""

    step: str
    name: str

    @property
    def file(self) -> str:
        return f"{self.name}.py"

    @property
    def table(self) -> "Table":
        table: Table = importlib.import_module(f"{self.package}.table").TABLE
        return table

    @property
    def package(self) -> str:
        """What is imported to check the puzzle: ``probes`` and ``table`` are in it."""
        return f"tests.{self.step}_{self.name}"


@cache
def every() -> tuple[Puzzle, ...]:
    """The ten and those beyond, in order."""
    tables = sorted((ROOT / "tests").glob("s[0-9][0-9]_*/probes.py"))
    return tuple(Puzzle(*path.parent.name.split("_", 1)) for path in tables)


def puzzles() -> tuple[Puzzle, ...]:
    """The ten."""
    return every()[:TEN]


def beyond() -> tuple[Puzzle, ...]:
    """The steps after the ten."""
    return every()[TEN:]


def part(puzzle: Puzzle) -> tuple[Puzzle, ...]:
    """The ten, or those beyond them: whichever the puzzle belongs to."""
    return puzzles() if puzzle in puzzles() else beyond()


def puzzle(step_or_name: str) -> Puzzle:
    """The puzzle called ``s05`` or ``attention``. KeyError if there is none."""
    for candidate in every():
        if step_or_name in (candidate.step, candidate.name):
            return candidate
    raise KeyError(step_or_name)


def select(step: str) -> tuple[Puzzle, ...]:
    """The puzzles that a command names: one, "all" ten, or those "beyond" them.
    KeyError for an unknown one."""
    parts = {"all": puzzles, "beyond": beyond}
    return parts[step]() if step in parts else (puzzle(step),)


def siblings(name: str) -> tuple[Puzzle, ...]:
    """The puzzles that ``name`` imports, and those that they import, in order."""
    seen: set[str] = set()
    todo = list(puzzle(name).table.uses)
    while todo:
        used = todo.pop()
        if used not in seen:
            seen.add(used)
            todo += puzzle(used).table.uses
    return tuple(each for each in every() if each.name in seen)


@dataclass(frozen=True)
class Source:
    """A file's path and text."""

    path: str
    text: str


@cache
def reference(name: str) -> Source:
    """The reference of a puzzle, from ``solutions/`` or the sealed copy. Raises Fault
    where there is neither."""
    from checker import seal

    path = ROOT / "solutions" / f"{name}.py"
    if path.is_file():
        return Source(str(path), path.read_text(encoding="utf-8"))
    try:
        return Source(str(path), seal.unseal()[name])
    except (OSError, ValueError, KeyError) as error:
        raise Fault(
            f"the reference of {name}.py is missing: neither {path} nor {seal.SEALED} "
            "can be read; get a fresh copy of the course"
        ) from error


def has_solutions() -> bool:
    """Whether this is the whole course, not a copy that was handed out."""
    return (ROOT / "solutions").is_dir()


def shown(path: Path) -> str:
    """A path as the learner wrote it: relative to where they are, if it is below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
