"""Say what was found: the screen for people, one JSON object for programs."""

import json
import os
import socket
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.style import Style
from rich.text import Text

from checker.course import Puzzle, part, puzzles
from checker.verdict.explain import Place
from checker.verdict.report import Line, Report

MARKS = {"passed": "✓", "failed": "✗", "error": "✗", "todo": "○", "blocked": "–"}
FAULT = "!"
COLOURS = {"✓": "green", "✗": "red", "○": "yellow", "–": "dim", "!": "magenta"}
WIDTH = 80


def mark(line: Line) -> str:
    return FAULT if line.fault else MARKS[line.status]


SCRIPTS = {"my-demo": "puzzles/demo.py"}
"""Tasks that are no command of the checker."""


def command(words: str) -> str:
    """How the person who runs this runs it: through pixi, uv, or Python itself."""
    if "PIXI_PROJECT_NAME" in os.environ:
        return f"pixi run {words}"
    prefix = "uv run " if "UV_RUN_RECURSION_DEPTH" in os.environ else ""
    task, _, rest = words.partition(" ")
    called = SCRIPTS.get(task, f"-m checker {task}")
    return f"{prefix}python {called} {rest}".rstrip()


class Printer:
    """Prints the reports of a check as they come, the last line the next command.

    With ``every`` it prints one row per step, and in the end how many pass.
    """

    def __init__(self, *, every: bool) -> None:
        self.every = every
        self.console = Console(highlight=False)
        self.reports: list[Report] = []

    def __enter__(self) -> "Printer":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if self.every and kind is None:
            self.console.print(total(self.reports))

    def verdict(self, report: Report) -> None:
        show = print_row if self.every else print_findings
        show(report, self.console)

    def last_word(self, report: Report) -> None:
        """The line of what MAX compiled, below the verdict."""
        print_line(report.lines[-1], self.console)

    def end(self, report: Report) -> None:
        self.reports.append(report)
        if not self.every:
            self.console.print(Text(f"{count(report)}. Next: {command(_next(report))}"))


def print_findings(report: Report, console: Console) -> None:
    """A report without its last line. An exception is said once, and what waits is
    one line for each check that is waited for."""
    console.print(Text(title(report), style="bold"), soft_wrap=True)
    for line in _each_exception_once(report.lines):
        if line.status != "blocked":
            print_line(line, console)
    for sentence in waiting(report):
        console.print(Text(f"{MARKS['blocked']} {sentence}", style="dim"))
    for note in report.notes:
        console.print(Text(note, style="dim"))
    if report.printed:
        console.print(Text(f"What {report.puzzle.file} printed:", style="dim"))
        for printed in report.printed:
            console.print(Text(f"  | {printed}", style="dim"), soft_wrap=True)


def _each_exception_once(lines: Iterable[Line]) -> Iterator[Line]:
    """The lines; one that ends in an exception seen above is its sentence alone."""
    details: set[tuple[str, ...]] = set()
    messages: set[str] = set()
    for line in lines:
        message = line.mistake.message if line.mistake else ""
        if line.status in ("error", "todo") and line.detail in details:
            mistake = None if message in messages else line.mistake
            line = replace(line, detail=(), place=None, mistake=mistake)
        details.add(line.detail)
        messages.add(message)
        yield line


def waiting(report: Report) -> list[str]:
    """What the blocked checks wait for, as sentences."""
    lines = {line.name: line for line in report.lines}
    causes: Counter[str] = Counter()
    for line in report.lines:
        if line.status == "blocked":
            cause = line.needs
            while cause in lines and lines[cause].status == "blocked":
                cause = lines[cause].needs
            causes[cause] += 1
    return [
        f"{number} more {'check waits' if number == 1 else 'checks wait'} for: "
        f"{_short(cause)}"
        for cause, number in causes.items()
    ]


def print_row(report: Report, console: Console) -> None:
    """One line of ``all``: the step, what happened, its first trouble."""
    worst = report.trouble
    symbol = mark(worst) if worst else MARKS["passed"]
    row = Text(f"{symbol} ", style=COLOURS[symbol])
    row.append(f"{report.puzzle.step} {report.puzzle.name:<10}", style="default")
    row.append(f" {report.passed:>2} of {len(report.lines)}", style="default")
    row.append(f"  {report.seconds:5.1f} s", style="dim")
    if report.stand_ins:
        row.append(f"  with the reference {_files(report.stand_ins)}", style="dim")
    if worst is not None:
        row.append(f"\n    {worst.sentence}", style="default")
        row.append("".join(f"\n    {d}" for d in worst.detail[:1]), style="default")
        if worst.mistake and not worst.mistake.quiet:
            row.append(f"\n    {worst.mistake.message}", style="default")
    console.print(row, soft_wrap=True)


def print_json(reports: list[Report], *, every: bool) -> None:
    """One object on stdout and nothing else."""
    found = [as_json(each) for each in reports]
    print(dump({"steps": found} if every else found[0]))


def as_json(report: Report) -> dict[str, Any]:
    """The object of the contract."""
    return {
        "step": report.puzzle.step,
        "puzzle": report.puzzle.name,
        "file": report.file,
        "status": report.status,
        "seconds": round(report.seconds, 3),
        "stand_ins": list(report.stand_ins),
        "checks": [
            {
                "name": line.name,
                "status": line.status,
                "detail": "\n".join(
                    map(str, [*line.detail, *filter(None, [line.place])])
                ),
                "mistake": line.mistake
                and {"id": line.mistake.id, "message": line.mistake.message},
            }
            for line in report.lines
        ],
    }


def dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)


def title(report: Report) -> str:
    words = f"{report.puzzle.step} {report.puzzle.name} · {report.file}"
    if report.stand_ins:
        words += f", with the reference {_files(report.stand_ins)}"
    return words


def link(place: Place) -> Text:
    """``file:line``, and the line of code there; a terminal lets one click it."""
    address = (
        f"file://{socket.gethostname()}{quote(os.fsencode(Path(place.path).resolve()))}"
    )
    text = Text(str(place), style=Style(link=address))
    room = WIDTH - 6 - len(text)  # indented by four, two between
    if not place.code or "\n" in place.code or room <= 20:
        return text
    code = place.code if len(place.code) <= room else f"{place.code[: room - 1]}…"
    return text.append(f"  {code}", "dim")


def bar(done: int, total: int) -> Text:
    """How far: one block for each of ``total``."""
    blocks = Text("█" * done, style="green").append("░" * (total - done), style="dim")
    return blocks.append(f" {done} of {total}", style="default")


def _files(names: tuple[str, ...]) -> str:
    return ", ".join(f"{name}.py" for name in names)


def print_line(line: Line, console: Console) -> None:
    """A check's line; below it what was got and wanted, its meaning, where to look."""
    symbol = mark(line)
    text = Text(f"{symbol} ", style=COLOURS[symbol]).append(line.sentence, "default")
    console.print(text, soft_wrap=not console.file.isatty())
    mistake = line.mistake
    meaning = [mistake.message] if mistake and not mistake.quiet else []
    for sentence in [*line.detail, *meaning]:
        for row in textwrap.wrap(sentence, WIDTH - 4, break_long_words=False) or [""]:
            console.print(Text(f"    {row}"), soft_wrap=True)
    if line.place:
        console.print(Text("    ").append_text(link(line.place)), soft_wrap=True)
        for row in line.place.code.splitlines() if "\n" in line.place.code else ():
            shown = f"      | {row}"[:WIDTH]
            console.print(Text(shown, style="dim"), soft_wrap=True)


def _short(name: str) -> str:
    """Enough of a check's name to find it above."""
    return textwrap.shorten(name.partition(":")[0], 50, placeholder="…")


def count(report: Report) -> str:
    return f"{report.passed} of {len(report.lines)}"


def _next(report: Report) -> str:
    if report.status != "passed":
        return report.puzzle.step
    later = after(report.puzzle)
    if later is not None:
        return later.step
    return "finale" if report.puzzle in puzzles() else "list"


def after(puzzle: Puzzle) -> Puzzle | None:
    """The next puzzle of the ten, or of those beyond them; None after the last."""
    ordered = part(puzzle)
    place = ordered.index(puzzle) + 1
    return ordered[place] if place < len(ordered) else None


def total(reports: list[Report]) -> Text:
    """The last line of ``all``."""
    passed = sum(report.status == "passed" for report in reports)
    line = f"{passed} of {len(reports)} puzzles pass"
    first = next((r for r in reports if r.status != "passed"), None)
    last = "finale" if reports[0].puzzle in puzzles() else "list"
    line += f". Next: {command(first.puzzle.step if first else last)}"
    return Text(line, style="bold")
