"""The reference beside your lines, as a diff, after the step passes or --spoil."""

import argparse
import difflib
import sys

from rich.console import Console
from rich.text import Text

from checker.cli import NOT_YET, PASSED, add_step
from checker.course import FOLDER, Puzzle, has_solutions, puzzle, reference, shown
from checker.desk.progress import changed, remember
from checker.desk.screen import command
from checker.desk.state import load
from checker.verdict.examiner import Examiner, read
from checker.verdict.report import Line, Report

COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_step(parser, parts=False)
    parser.add_argument(
        "--spoil", action="store_true", help="show it before the step passes"
    )


def run(arguments: argparse.Namespace) -> int:
    """Show the diff, or say what is needed first."""
    target = puzzle(arguments.step)
    if not has_solutions():
        print("this copy of the course was handed out without its solutions")
        return NOT_YET
    if not arguments.spoil and not passes(target):
        print(
            f"{target.step} does not pass yet: `{command(f'hint {target.step}')}` "
            "helps, and --spoil shows the solution all the same"
        )
        return NOT_YET
    print_difference(target, Console(highlight=False))
    return PASSED


def passes(target: Puzzle) -> bool:
    """Whether the file as it is passes; it is checked if that is not known."""
    step = load().steps[target.step]
    if step.checked and not changed(target, step):
        return bool(step.passed)
    print(f"checking {target.step}…", file=sys.stderr, flush=True)
    with Examiner(FOLDER) as examiner:
        report: Report = examiner.check(target)
    remember(report, FOLDER)
    return report.status == "passed"


def print_difference(target: Puzzle, console: Console) -> None:
    """The diff from the learner's lines (-) to the reference's (+)."""
    mine, path = read(FOLDER / target.file), shown(FOLDER / target.file)
    theirs = reference(target.name)
    if isinstance(mine, Line):
        console.print(Text(mine.detail[0]))
        mine = ""
    if mine == theirs.text:
        console.print(Text(f"{path} equals the reference, line by line"))
        return
    console.print(Text("- yours   + the reference", style="bold"))
    for line in difflib.unified_diff(
        mine.splitlines(),
        theirs.text.splitlines(),
        path,
        f"solutions/{target.file}",
        lineterm="",
    ):
        console.print(
            Text(line, style=COLOURS.get(line[:1], "default")), soft_wrap=True
        )
