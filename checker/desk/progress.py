"""The puzzles and how far you are: what is remembered of checks, and ``list``."""

import argparse
import hashlib
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from checker.cli import PASSED
from checker.course import FOLDER, Puzzle, beyond, every, part, puzzles
from checker.desk.screen import bar, command
from checker.desk.state import State, StepState, changing, load
from checker.verdict.report import Report


def remember(report: Report, folder: Path) -> None:
    """Keep a check's outcome, if it was of the learner's own folder.

    A step that fails again is pending again. A fault of the checker changes nothing.
    """
    if report.fault or folder.resolve() != FOLDER.resolve():
        return
    with changing() as state:
        step = state.steps[report.puzzle.step]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        step.passed = (step.passed or now) if report.status == "passed" else ""
        step.checked = digest(folder / report.puzzle.file)
        step.status = report.status
        step.check, step.line, step.mistake = _trouble(report)


def _trouble(report: Report) -> tuple[str, int, str]:
    """The first line in trouble: its name, where to look, the mistake's sentence."""
    line = report.trouble
    if line is None:
        return "", 0, ""
    own = line.place is not None and Path(line.place.path).name == report.puzzle.file
    sentence = line.mistake.message if line.mistake else ""
    return line.name, line.place.line if own and line.place else 0, sentence


def digest(path: Path) -> str:
    """SHA-256 of a file in hexadecimal; empty where there is none."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def changed(puzzle: Puzzle, step: StepState) -> bool:
    """Whether the file is another than the one that was checked last."""
    return bool(step.checked) and step.checked != digest(FOLDER / puzzle.file)


def pending(state: State, start: Puzzle | None = None) -> Puzzle | None:
    """The first step that has not passed; with ``start``, among the ten or those beyond
    them, whichever it belongs to, from there on and then from the first."""
    ordered = part(start) if start else every()
    at = ordered.index(start) if start else 0
    turned = (*ordered[at:], *ordered[:at])
    return next((p for p in turned if not state.steps[p.step].passed), None)


def resume(state: State) -> Puzzle:
    """Where to go on: the step last watched or the next one that has not passed."""
    last = next((p for p in every() if p.step == state.current), None)
    return pending(state, last) or pending(state) or last or every()[-1]


def spend(puzzle: Puzzle, seconds: float) -> None:
    """Add time that was spent on a step."""
    with changing() as state:
        step = state.steps[puzzle.step]
        step.seconds = round(step.seconds + seconds, 1)


def rows(state: State, current: Puzzle | None = None) -> list[Text]:
    """The table of ``list``: a line for each step, and one between the two parts."""
    made = [Text(f"  {'step':<6}{'puzzle':<12}{'time':>8}{'hints':>7}", style="dim")]
    for puzzle in every():
        if puzzle in beyond()[:1]:
            made.append(Text("  beyond the ten", style="dim"))
        step = state.steps[puzzle.step]
        symbol, colour, note = _standing(puzzle, step)
        row = Text(f"{symbol} ", style=colour)
        row.append(f"{puzzle.step:<6}{puzzle.name:<12}", style="default")
        hints = sum(step.hints.values()) or ""
        row.append(f"{duration(step.seconds):>8}{hints:>7}  ", style="default")
        row.append(note, style="dim")
        row.append(" ← here" if puzzle == current else "", style="bold")
        row.rstrip()
        made.append(row)
    return made


def _standing(puzzle: Puzzle, step: StepState) -> tuple[str, str, str]:
    """Mark, colour and note of a step."""
    since = "; the file has changed since" if changed(puzzle, step) else ""
    if step.passed:
        return "✓", "green", f"passed{since}"
    if not step.checked:
        return "○", "yellow", "not checked yet"
    if step.status == "todo":
        return "○", "yellow", f"a hole is open{since}"
    return "✗", "red", f"not yet{since}"


def duration(seconds: float) -> str:
    """Time as people say it; nothing below half a minute."""
    minutes = round(seconds / 60)
    if not minutes:
        return ""
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02}"


def show_rows(console: Console, state: State, current: Puzzle | None = None) -> None:
    for row in rows(state, current):
        console.print(row, soft_wrap=True)


def passed(state: State, among: tuple[Puzzle, ...]) -> int:
    return sum(bool(state.steps[puzzle.step].passed) for puzzle in among)


def how_far(state: State, *, plain: bool = False) -> Text:
    """A bar for the ten, "10 of 10", and how many beyond them; in words if plain."""
    done, total = passed(state, puzzles()), len(puzzles())
    line = Text(f"{done} of {total} steps pass") if plain else bar(done, total)
    if beyond() and (done == total or passed(state, beyond())):
        line.append(f" · beyond {passed(state, beyond())} of {len(beyond())}")
    return line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: the list is always the whole."""


def run(arguments: argparse.Namespace) -> int:
    """Show the list. Nothing is checked: it is what the last checks said."""
    state = load()
    console = Console(highlight=False)
    show_rows(console, state)
    console.print(how_far(state))
    upcoming = pending(state)
    if upcoming is not None:
        console.print(f"Next: {command('watch')} or {command(upcoming.step)}")
    return PASSED
