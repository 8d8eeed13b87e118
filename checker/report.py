"""Say what was found: the screen for people, one JSON object for programs."""

import json
import os
import socket
import textwrap
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.style import Style
from rich.text import Text

from checker.check import Line, Report
from checker.table import Puzzle, puzzles

MARKS = {"passed": "✓", "failed": "✗", "error": "✗", "todo": "○", "blocked": "–"}
FAULT = "!"
COLOURS = {"✓": "green", "✗": "red", "○": "yellow", "–": "dim", "!": "magenta"}
WIDTH = 80


def mark(line: Line) -> str:
    return FAULT if line.fault else MARKS[line.status]


def command(words: str) -> str:
    """How the person who runs this runs it: through pixi, uv, or Python itself."""
    if "PIXI_PROJECT_NAME" in os.environ:
        return f"pixi run {words}"
    prefix = "uv run " if "UV_RUN_RECURSION_DEPTH" in os.environ else ""
    return f"{prefix}python -m checker {words}"


def show(report: Report, console: Console) -> None:
    """The report of one step, its last line the next command to run."""
    show_findings(report, console)
    console.print(Text(f"{count(report)}. Next: {command(_next(report))}"))


def show_findings(report: Report, console: Console) -> None:
    """The report without its last line."""
    console.print(Text(title(report), style="bold"), soft_wrap=True)
    for line in report.lines:
        _show_line(line, console)
    for note in report.notes:
        console.print(Text(note, style="dim"))
    if report.printed:
        console.print(Text(f"What {report.puzzle.file} printed:", style="dim"))
        for printed in report.printed:
            console.print(Text(f"  | {printed}", style="dim"), soft_wrap=True)


def show_row(report: Report, console: Console) -> None:
    """One line of ``all``: the step, what happened, its first trouble."""
    passed = sum(line.status == "passed" for line in report.lines)
    worst = next((line for line in report.lines if line.status != "passed"), None)
    symbol = "✓" if worst is None else mark(_first(report))
    row = Text(f"{symbol} ", style=COLOURS[symbol])
    row.append(f"{report.puzzle.step} {report.puzzle.name:<10}", style="default")
    row.append(f" {passed:>2} of {len(report.lines)}", style="default")
    row.append(f"  {report.seconds:5.1f} s", style="dim")
    if report.stand_ins:
        row.append(f"  with the reference {_files(report.stand_ins)}", style="dim")
    if worst is not None:
        first = _first(report)
        row.append(f"\n    {first.sentence}", style="default")
        row.append("".join(f"\n    {d}" for d in first.detail[:1]), style="default")
        if first.mistake and not first.mistake.quiet:
            row.append(f"\n    {first.mistake.message}", style="default")
    console.print(row, soft_wrap=True)


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
                "detail": "\n".join([*line.detail, *filter(None, [line.where])]),
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


def link(where: str) -> Text:
    """``file:line`` (line optional) that a terminal lets one click; plain elsewhere."""
    path = Path(where.rpartition(":")[0] or where).resolve()
    address = f"file://{socket.gethostname()}{quote(str(path))}"
    return Text(where, style=Style(link=address))


def bar(done: int, total: int) -> Text:
    """How far: one block for each of ``total``."""
    blocks = Text("█" * done, style="green").append("░" * (total - done), style="dim")
    return blocks.append(f" {done} of {total}", style="default")


def _files(names: tuple[str, ...]) -> str:
    return ", ".join(f"{name}.py" for name in names)


def _show_line(line: Line, console: Console) -> None:
    symbol = mark(line)
    text = Text(f"{symbol} ", style=COLOURS[symbol]).append(
        line.sentence, style="dim" if line.status == "blocked" else "default"
    )
    if line.needs:
        text.append(f" (needs: {_short(line.needs)})", style="dim")
    console.print(text, soft_wrap=not console.file.isatty())
    mistake = line.mistake
    meaning = [mistake.message] if mistake and not mistake.quiet else []
    for part in [*line.detail, *meaning]:
        for row in textwrap.wrap(part, WIDTH - 4, break_long_words=False) or [""]:
            console.print(Text(f"    {row}"), soft_wrap=True)
    if line.where:
        console.print(Text("    ").append_text(link(line.where)), soft_wrap=True)


def _short(name: str) -> str:
    """Enough of a check's name to find it above."""
    return textwrap.shorten(name.partition(":")[0], 40, placeholder="…")


def _first(report: Report) -> Line:
    """The first line in trouble: a fault or an error before an open hole."""
    return next(
        line for line in report.lines if line.status not in ("passed", "blocked")
    )


def count(report: Report) -> str:
    passed = sum(line.status == "passed" for line in report.lines)
    return f"{passed} of {len(report.lines)}"


def _next(report: Report) -> str:
    if report.status != "passed":
        return report.puzzle.step
    later = after(report.puzzle)
    return later.step if later else "my-demo" if _pixi() else "all"


def _pixi() -> bool:
    return "PIXI_PROJECT_NAME" in os.environ


def after(puzzle: Puzzle) -> Puzzle | None:
    """The next puzzle of the course; None after the last."""
    ordered = puzzles()
    place = ordered.index(puzzle) + 1
    return ordered[place] if place < len(ordered) else None


def total(reports: list[Report]) -> Text:
    """The last line of ``all``."""
    passed = sum(report.status == "passed" for report in reports)
    line = f"{passed} of {len(reports)} puzzles pass"
    first = next((r for r in reports if r.status != "passed"), None)
    if first is not None:
        line += f". Next: {command(first.puzzle.step)}"
    return Text(line, style="bold")
