"""Holes: which lines of a solution the learner writes, and what stands there instead.

A hole in ``solutions/NAME.py`` is a region between two comment lines::

    # hole: split the heads
    ...
    # end

``hints/NAME.toml`` has a ``[[hole]]`` for each: its ``name``, the ``todo`` that becomes
comment lines in the puzzle, the ladder of ``hints``, and where the default (raise
NotImplementedError with the name) does not do, the ``code`` to put there. The puzzle is
rendered from the two; outside the holes it equals the solution to the byte.

``python -m checker.holes`` writes ``puzzles/`` anew, a name or more only those, and
with ``--check`` says whether that would change anything.
"""

import sys
import textwrap
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

START = "# hole: "
END = "# end"


class HoleError(ValueError):
    """The marks in a file or its hints do not fit; the message says where."""


@dataclass(frozen=True)
class Region:
    """A hole as it stands in a file.

    Attributes:
        name: the text after ``# hole:``.
        indent: the spaces before its two marks.
        line: the number of the first line between the marks, from 1.
        lines: the lines between the marks, without line ends.
    """

    name: str
    indent: str
    line: int
    lines: tuple[str, ...]

    @property
    def code(self) -> tuple[str, ...]:
        """The lines that are neither empty nor comment, stripped."""
        stripped = (line.strip() for line in self.lines)
        return tuple(line for line in stripped if line and not line.startswith("#"))


@dataclass(frozen=True)
class Hole:
    """What ``hints/NAME.toml`` says of a hole."""

    name: str
    todo: str
    hints: tuple[str, ...]
    code: str


def find(text: str) -> list[Region]:
    """The holes of a solution or of a puzzle, in the order of the file.

    Raises:
        HoleError: a mark has no partner, or two holes have one name.
    """
    regions: list[Region] = []
    start = 0  # the line of an open `# hole:`, 0 outside
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        mark = line.strip()
        if mark.startswith(START):
            if start:
                raise HoleError(f"line {number}: the hole of line {start} has no {END}")
            start = number
        elif mark == END:
            if not start:
                raise HoleError(f"line {number}: {END} without a {START.strip()} above")
            regions.append(_region(lines, start, number))
            start = 0
    if start:
        raise HoleError(f"line {start}: the hole has no {END}")
    _unique((region.name for region in regions), "two holes are named")
    return regions


def _region(lines: list[str], start: int, end: int) -> Region:
    opening = lines[start - 1]
    indent = opening[: len(opening) - len(opening.lstrip())]
    if lines[end - 1] != indent + END:
        raise HoleError(f"line {end}: {END} is not indented like line {start}")
    name = opening.strip().removeprefix(START).strip()
    return Region(name, indent, start + 1, tuple(lines[start : end - 1]))


def _unique(names: Iterable[str], complaint: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise HoleError(f"{complaint} {name!r}")
        seen.add(name)


def parse(toml_text: str) -> list[Hole]:
    """The holes of a hints file, in its order.

    Raises:
        HoleError: not TOML, a field is missing or of the wrong type, or a name twice.
    """
    try:
        tables = tomllib.loads(toml_text).get("hole", [])
    except tomllib.TOMLDecodeError as error:
        raise HoleError(f"not TOML: {error}") from error
    holes = [_hole(table, number) for number, table in enumerate(tables, 1)]
    _unique((hole.name for hole in holes), "two entries are named")
    return holes


def _hole(table: dict[str, object], number: int) -> Hole:
    name = table.get("name")
    if not isinstance(name, str):
        raise HoleError(f"entry {number} has no name")
    todo, hints = table.get("todo"), table.get("hints")
    code = table.get("code", f'raise NotImplementedError("{name}")')
    if not isinstance(todo, str) or not isinstance(code, str):
        raise HoleError(f"{name!r} needs a todo (and code, if any) that is text")
    if not isinstance(hints, list) or not all(isinstance(h, str) for h in hints):
        raise HoleError(f"{name!r} needs hints, a list of texts")
    ladder = tuple(" ".join(hint.split()) for hint in hints)
    return Hole(name, textwrap.dedent(todo).strip(), ladder, code.strip("\n"))


def render(solution_text: str, toml_text: str) -> str:
    """The puzzle: the solution with each hole's lines replaced by its todo and code.

    Raises:
        HoleError: the two texts do not name the same holes in the same order.
    """
    regions, holes = find(solution_text), parse(toml_text)
    if (marked := [r.name for r in regions]) != (hinted := [h.name for h in holes]):
        raise HoleError(f"the solution has the holes {marked}, its hints {hinted}")
    lines = solution_text.splitlines()
    for region, hole in reversed(list(zip(regions, holes, strict=True))):
        first = region.line - 1
        lines[first : first + len(region.lines)] = _opened(hole, region.indent)
    return "\n".join(lines) + "\n"


def _opened(hole: Hole, indent: str) -> list[str]:
    todo = [f"# {line}".rstrip() for line in hole.todo.splitlines()]
    code = hole.code.splitlines()
    return [(indent + line).rstrip() for line in [*todo, *code]]


def names(root: Path = ROOT) -> list[str]:
    """The names of the solutions."""
    return sorted(path.stem for path in (root / "solutions").glob("*.py"))


def puzzle(name: str, root: Path = ROOT) -> str:
    """The untouched text of ``puzzles/NAME.py``.

    Raises:
        HoleError: as ``render``, with the name before it; also when a file is missing.
    """
    try:
        solution = (root / "solutions" / f"{name}.py").read_text(encoding="utf-8")
        hints = (root / "hints" / f"{name}.toml").read_text(encoding="utf-8")
        return render(solution, hints)
    except FileNotFoundError as error:
        raise HoleError(f"{name}: there is no {error.filename}") from error
    except HoleError as error:
        raise HoleError(f"{name}: {error}") from error


def main(argv: list[str]) -> int:
    """Write the puzzles of the names given, or all; 0 unless a mark does not fit.

    With ``--check`` nothing is written; 1 if a puzzle is not what would be.
    """
    check = "--check" in argv
    try:
        for name in [word for word in argv if word != "--check"] or names():
            path = ROOT / "puzzles" / f"{name}.py"
            text = puzzle(name)
            if not check:
                path.write_text(text, encoding="utf-8")
            elif path.read_text(encoding="utf-8") != text:
                raise HoleError(f"{path.name} differs: run python -m checker.holes")
    except HoleError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
