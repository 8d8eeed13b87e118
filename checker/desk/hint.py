"""The next hint for a step: a ladder for each hole, one rung more at each request.

The hole is that of the check in trouble, else the first that is open. A mistake that
the last check named comes before the ladder, as long as the file is still the same.
"""

import argparse
import ast
import textwrap

from rich.console import Console
from rich.text import Text

from checker import holes
from checker.cli import PASSED, add_step
from checker.course import FOLDER, ROOT, Fault, Puzzle, has_solutions, puzzle, reference
from checker.desk.progress import changed
from checker.desk.screen import WIDTH, command
from checker.desk.state import StepState, changing


def request(target: Puzzle, how: str = "") -> list[str]:
    """Take the next rung of the ladder; the lines to show, the newest hint last.

    ``how`` is how to ask for one more, by default the command.
    """
    ladders = {hole.name: hole.hints for hole in hinted(target)}
    with changing() as state:
        step = state.steps[target.step]
        if step.passed and not changed(target, step):
            passes = f"{target.step} passes: no more hints."
            reference = f"The reference: {command(f'solution {target.step}')}"
            return [passes, *([reference] if has_solutions() else [])]
        name = hole_in_trouble(target, step)
        given = min(step.hints.get(name, 0) + 1, len(ladders[name]))
        step.hints[name] = given
        mistake = "" if changed(target, step) else step.mistake
    lines = [f"{target.step} {target.name} · {name}"]
    if mistake:
        lines += ["Your last check found a mistake:", f"    {mistake}"]
    rungs = [f"{n}.  {rung}" for n, rung in enumerate(ladders[name][:given], 1)]
    more = how or command(f"hint {target.step}")
    return [*lines, *rungs, _rest(target, given, len(ladders[name]), more)]


def _rest(target: Puzzle, given: int, count: int, how: str) -> str:
    if given < count:
        return f"Hint {given} of {count}; one more: {how}"
    if not has_solutions():
        return f"This was the last of {count} hints."
    spoil = command(f"solution {target.step} --spoil")
    return f"This was the last of {count} hints; the solution: {spoil}"


def hinted(target: Puzzle) -> list[holes.Hole]:
    """The holes of a puzzle with their hints. Raises Fault where there are none."""
    path = ROOT / "hints" / f"{target.name}.toml"
    try:
        found = holes.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Fault(f"the hints of {target.file} cannot be read: {error}") from error
    if not found:
        raise Fault(f"{path} has no hints")
    return found


def hole_in_trouble(target: Puzzle, step: StepState) -> str:
    """The name of the hole to help with; the last one where none can be told."""
    names = [hole.name for hole in hinted(target)]
    open_holes = untouched(target)
    if step.status in ("failed", "error") and not changed(target, step):
        near = [name for name in names if name in _near(target, step)]
        if near:
            ladders = {hole.name: len(hole.hints) for hole in hinted(target)}
            left = [n for n in near if step.hints.get(n, 0) < ladders[n]]
            first = [n for n in near if n in open_holes]
            return [*first, *left, near[-1]][0]
    return open_holes[0] if open_holes else names[-1]


def untouched(target: Puzzle) -> list[str]:
    """The holes of the learner's file whose lines of code are still the puzzle's."""
    try:
        text = (FOLDER / target.file).read_text(encoding="utf-8")
        regions = {region.name: region for region in holes.find(text)}
    except (OSError, ValueError):
        return []
    return [
        hole.name
        for hole in hinted(target)
        if hole.name in regions and _code(hole) == regions[hole.name].code
    ]


def _code(hole: holes.Hole) -> tuple[str, ...]:
    stripped = (line.strip() for line in hole.code.splitlines())
    return tuple(line for line in stripped if line and not line.startswith("#"))


def _near(target: Puzzle, step: StepState) -> set[str]:
    """The holes in the function that the failing check is about, or at its line."""
    where = {check.name: check.where for check in target.table.checks}.get(step.check)
    if where:
        text = reference(target.name).text
        first, last = _extent(ast.parse(text), where.split("."))
        inside = [r.name for r in holes.find(text) if first <= r.line <= last]
        if inside:
            return set(inside)
    return _at_line(target, step.line)


def _extent(tree: ast.AST, path: list[str]) -> tuple[int, int]:
    """First and last line of ``Class.method``; (0, 0) if there is none."""
    for node in ast.iter_child_nodes(tree):
        named = isinstance(node, ast.ClassDef | ast.FunctionDef)
        if named and node.name == path[0]:  # type: ignore[attr-defined]
            if len(path) > 1:
                return _extent(node, path[1:])
            return node.lineno, node.end_lineno or 0  # type: ignore[attr-defined]
    return 0, 0


def _at_line(target: Puzzle, line: int) -> set[str]:
    """The hole of the learner's file that a line is in, or the last one before it."""
    try:
        text = (FOLDER / target.file).read_text(encoding="utf-8")
        before = [r.name for r in holes.find(text) if r.line - 1 <= line]
    except (OSError, ValueError):
        return set()
    return set(before[-1:])


def print_hints(lines: list[str], console: Console) -> None:
    """Print the lines of ``request``, wrapped under their numbers."""
    for number, line in enumerate(lines):
        deeper = "    " if line[:1].isdigit() or line.startswith(" ") else ""
        for row in textwrap.wrap(line, WIDTH, subsequent_indent=deeper):
            style = "bold" if number == 0 else "default"
            console.print(Text(row, style=style), soft_wrap=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_step(parser, parts=False)


def run(arguments: argparse.Namespace) -> int:
    """Show the hints given so far and one more."""
    print_hints(request(puzzle(arguments.step)), Console(highlight=False))
    return PASSED
