"""Reset a puzzle: the original in its place, your version kept beside it.

The puzzle is rendered from the reference and the hints, so it needs neither git nor a
network.
"""

import argparse
import os
import sys
from pathlib import Path

from checker import holes
from checker.cli import NOT_YET, PARTS, PASSED, USAGE, add_step
from checker.course import FOLDER, ROOT, Fault, Puzzle, reference, select, shown
from checker.desk.state import StepState, changing


def untouched(target: Puzzle) -> str:
    """The text of the puzzle as it was handed out."""
    try:
        hints = (ROOT / "hints" / f"{target.name}.toml").read_text(encoding="utf-8")
        return holes.render(reference(target.name).text, hints)
    except (OSError, ValueError) as error:
        raise Fault(f"{target.file} cannot be restored: {error}") from error


def reset(target: Puzzle, folder: Path = FOLDER) -> str:
    """Put the untouched puzzle in place; says in a sentence what was done."""
    text, path = untouched(target), folder / target.file
    if path.is_file() and path.read_bytes() == text.encode():
        return f"{shown(path)} is untouched already"
    try:
        folder.mkdir(exist_ok=True)
        kept = keep(path) if path.exists() else None
        _replace(path, text.encode())
    except OSError as error:
        raise Fault(f"{shown(path)} cannot be written: {error.strerror}") from error
    _forget(target)
    backup = f"; your version is in {shown(kept)}" if kept else ""
    return f"{shown(path)} has been reset{backup}"


def undo(target: Puzzle, folder: Path = FOLDER) -> str:
    """Put the newest backup back in place; says in a sentence what was done."""
    path = folder / target.file
    backups = [p for p in folder.glob(f"{path.name}.bak*") if _number(p) > 0]
    if not backups:
        return f"there is no backup of {shown(path)}"
    newest = max(backups, key=_number)
    try:
        text = newest.read_bytes()
        kept = keep(path) if path.exists() else None
        _replace(path, text)
        newest.unlink()
    except OSError as error:
        raise Fault(f"{shown(path)} cannot be written: {error.strerror}") from error
    also = f"; what was there is in {shown(kept)}" if kept else ""
    return f"{shown(path)} is your version from {shown(newest)} again{also}"


def _number(backup: Path) -> int:
    """1 for .bak, 2 for .bak2 and so on; 0 for what is no backup of ours."""
    digits = backup.suffix.removeprefix(".bak") or "1"
    return int(digits) if digits.isdecimal() else 0


def keep(path: Path) -> Path:
    """Give a file a second name that none has yet: .bak, .bak2, …; the first stays."""
    number = 1
    while True:
        beside = path.with_name(f"{path.name}.bak{number if number > 1 else ''}")
        try:
            with beside.open("xb") as backup:
                backup.write(path.read_bytes())
            return beside
        except FileExistsError:
            number += 1


def _replace(path: Path, text: bytes) -> None:
    """At once: whoever watches the file never sees half of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    beside.write_bytes(text)
    os.replace(beside, path)


def _forget(target: Puzzle) -> None:
    """The step is pending again; time and hints stay, for they were spent."""
    with changing() as state:
        old = state.steps[target.step]
        state.steps[target.step] = StepState(seconds=old.seconds, hints=old.hints)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_step(parser, parts=True)
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")
    undone = "put the version back that the last reset kept"
    parser.add_argument("--undo", action="store_true", help=undone)


def run(arguments: argparse.Namespace) -> int:
    """Ask, then reset. Without a terminal to ask on, ``--yes`` is needed."""
    if arguments.undo:
        for target in select(arguments.step):
            print(undo(target))
        return PASSED
    if not arguments.yes:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            print("without a terminal to ask on, reset needs --yes", file=sys.stderr)
            return USAGE
        if not _confirmed(arguments.step):
            print("nothing was changed")
            return NOT_YET
    for target in select(arguments.step):
        print(reset(target))
    return PASSED


def _confirmed(step: str) -> bool:
    what = PARTS.get(step) or shown(FOLDER / select(step)[0].file)
    try:
        answer = input(f"Reset {what}? A backup is kept. [y/N] ")
    except EOFError:
        return False
    return answer.strip().lower() in ("y", "yes")
