"""The words that the tables of checks (``tests/sNN_NAME.py``) are written in.

A row is a sentence, a probe, an oracle and the mistakes that learners make:

    Check(
        "scales the scores by 1/sqrt(head size)",
        probe=attends,                       # runs in the worker, on the learner's file
        expect=attention,                    # NumPy, in the parent: what is right
        mistakes=(
            Mistake(
                "scaled-by-embedding-size",
                "This is what comes out when the scores are divided by sqrt(n_embd).",
                gives=lambda: attention(scale=C**-0.5),
            ),
        ),
        where="GPT2Attention._attn",
    )

The same row is the check, the diagnosis and the checker's own mutation test.
This module and the tables import NumPy alone: both processes read them.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, overload

ROOT = Path(__file__).resolve().parent.parent

Probe = Callable[[Any], object]


@dataclass(frozen=True)
class Mistake:
    """A way to be wrong whose output is known, because it has been computed.

    ``gives`` returns what a file with this mistake answers to the check's probe, or
    to ``probe`` where the mistake shows only elsewhere (at other sizes, say).
    ``recognise`` judges the probe's answer by itself, where no single output is it;
    it must be false for every right answer. ``raises`` is a regular expression for
    "Type: message", where the mistake ends in an exception of its own. The message of
    a ``quiet`` one is for reports to programs: on the screen the check's line says it.
    """

    id: str
    message: str
    gives: Callable[[], object] | None = None
    probe: Probe | None = None
    recognise: Callable[[Any], bool] | None = None
    raises: str = ""
    quiet: bool = False


class Late(Sequence[Mistake]):
    """Mistakes that are put together when they are first looked at.

    For lists that cost time to make: most checks pass, and then nobody looks.
    """

    def __init__(self, make: Callable[[], tuple[Mistake, ...]]) -> None:
        self._made = cache(make)

    @overload
    def __getitem__(self, at: int) -> Mistake: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Mistake, ...]: ...
    def __getitem__(self, at: int | slice) -> Mistake | tuple[Mistake, ...]:
        return self._made()[at]

    def __len__(self) -> int:
        return len(self._made())


@dataclass(frozen=True)
class Check:
    """One line of the report.

    ``name`` is the sentence a learner sees; ``passed`` and ``failed`` replace it where
    the two differ, with ``{got}`` for the value. The answer to ``probe`` is right when
    it equals ``expect()`` within ``tolerance`` (relative and absolute, arrays also in
    shape and dtype), or, for a property, when ``accept`` finds no fault: None.
    ``needs`` names checks without which this one means nothing. ``where`` is the
    function to look at, as ``Class.method``.
    """

    name: str
    probe: Probe
    expect: Callable[[], object] | None = None
    accept: Callable[[Any], str | None] | None = None
    mistakes: Sequence[Mistake] = ()
    needs: tuple[str, ...] = ()
    where: str = ""
    tolerance: float = 5e-5
    passed: str = ""
    failed: str = ""


@dataclass(frozen=True)
class Step:
    """A puzzle's table.

    ``uses`` are the siblings the puzzle imports. ``compiled`` is the last word of MAX:
    run without the interpreter, when all of ``checks`` have passed.
    """

    checks: tuple[Check, ...]
    uses: tuple[str, ...] = ()
    compiled: Check | None = None


@dataclass(frozen=True)
class Puzzle:
    """Where a step is: ``s05``, ``attention``; its table is read when asked for."""

    step: str
    name: str

    @property
    def file(self) -> str:
        return f"{self.name}.py"

    @property
    def table(self) -> Step:
        step = importlib.import_module(f"tests.{self.step}_{self.name}").STEP
        assert isinstance(step, Step)
        return step


@cache
def puzzles() -> tuple[Puzzle, ...]:
    """The ten, in order. The files ``tests/sNN_NAME.py`` are the one list."""
    tables = sorted((ROOT / "tests").glob("s[0-9][0-9]_*.py"))
    return tuple(Puzzle(*path.stem.split("_", 1)) for path in tables)


def puzzle(step_or_name: str) -> Puzzle:
    """The puzzle called ``s05`` or ``attention``; KeyError if there is none."""
    for candidate in puzzles():
        if step_or_name in (candidate.step, candidate.name):
            return candidate
    raise KeyError(step_or_name)


def siblings(name: str) -> tuple[Puzzle, ...]:
    """The puzzles that ``name`` imports, and those they import, in order."""
    seen: set[str] = set()
    todo = list(puzzle(name).table.uses)
    while todo:
        used = todo.pop()
        if used not in seen:
            seen.add(used)
            todo += puzzle(used).table.uses
    return tuple(each for each in puzzles() if each.name in seen)
