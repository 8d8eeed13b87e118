"""The command line: steps and commands, their arguments, exit statuses.

``python -m checker STEP`` checks, ``python -m checker COMMAND`` does the rest. The
first word decides: a name in ``COMMANDS`` is that command's, all else is a check
(``--dir x s05`` as well as ``s05 --dir x``). A command is a module with
``add_arguments(parser)`` and ``run(arguments) -> int``; it is imported only when it is
called, because a check wants to start its worker first.
"""

import argparse
import difflib
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from checker.course import FOLDER, Fault, beyond, every, has_solutions, select

if TYPE_CHECKING:
    from checker.desk.screen import Printer
    from checker.verdict.examiner import Examiner
    from checker.verdict.report import Report

PASSED, NOT_YET, USAGE, FAULT = range(4)
"""Exit statuses: all is well · not yet · the command line is wrong · the environment
or the checker itself is at fault."""

PARTS = {"all": "the ten puzzles", "beyond": "the puzzles beyond the ten"}
"""What stands for several steps."""


@dataclass(frozen=True)
class Command:
    """A row of the list: the name, its module in ``checker``, what it does."""

    name: str
    module: str
    does: str


LEARNING = (
    Command("watch", "desk.watch", "check the current puzzle at each save"),
    Command("list", "desk.progress", "the ten puzzles and how far you are"),
    Command("hint", "desk.hint", "the next hint for a step"),
    Command("reset", "desk.reset", "start a puzzle again; a backup is kept"),
    Command("solution", "desk.solution", "the reference beside yours, once you pass"),
    Command("finale", "desk.finale", "your own GPT-2 writes, once all ten pass"),
    Command("doctor", "desk.doctor", "can the course run here?"),
)
TEACHING = (
    Command("grade", "classroom.grade", "grade submissions"),
    Command(
        "gradescope-zip", "classroom.gradescope.build", "build Gradescope's autograder"
    ),
    Command("handout", "classroom.handout", "copy the course without its solutions"),
)
COMMANDS = {command.name: command for command in (*LEARNING, *TEACHING)}
WHOLE_COURSE = ("solution", "gradescope-zip", "handout")
"""Commands that need ``solutions/``, which a handed out copy has not."""


class UsageError(Exception):
    """The command line is wrong; the message is the sentence to show."""


class Parser(argparse.ArgumentParser):
    """Argparse with the contract's exit status and sentences without a preamble."""

    def error(self, message: str) -> NoReturn:
        print(f"{message}\n{self.format_usage()}".rstrip(), file=sys.stderr)
        self.exit(USAGE)


def step_argument(*, parts: bool = False) -> Callable[[str], str]:
    """Argparse's ``type`` of a step; ``parts`` allows "all" and "beyond". Unknown: a
    UsageError."""

    def step(text: str) -> str:
        known = [*(puzzle.step for puzzle in every()), *(PARTS if parts else ())]
        if text in known:
            return text
        raise UsageError(f"there is no step {text!r}{_nearest(text, known)}")

    return step


def add_step(parser: argparse.ArgumentParser, *, parts: bool) -> None:
    """The argument STEP."""
    shown = f"{steps()}" + (f", {' or '.join(PARTS)}" if parts else "")
    parser.add_argument(
        "step", metavar="STEP", type=step_argument(parts=parts), help=shown
    )


def steps() -> str:
    """The first and the last step, as a text."""
    return f"{every()[0].step} … {every()[-1].step}"


def unknown(word: str) -> UsageError:
    """What to say when the first word is neither a step nor a command."""
    known = [*(puzzle.step for puzzle in every()), *PARTS, *COMMANDS]
    return UsageError(f"there is no step or command {word!r}{_nearest(word, known)}")


def _nearest(word: str, known: list[str]) -> str:
    """The nearest name as the end of a sentence; a puzzle's name is its step's."""
    number = re.fullmatch(r"s?0*(\d{1,2})", word.lower())
    if number and (step := f"s{int(number[1]):02}") in known:
        return f"; did you mean {step}?"
    names = {puzzle.name: puzzle.step for puzzle in every() if puzzle.step in known}
    spelt = {**{name: name for name in known}, **names}
    near = difflib.get_close_matches(word.lower(), spelt, n=1, cutoff=0.5)
    if not near:
        return "; `python -m checker` lists them all"
    return f"; did you mean {spelt[near[0]]}?"


def overview() -> str:
    """What there is, for people who call ``python -m checker`` alone."""
    checks = (
        Command(steps(), "", "check one puzzle"),
        Command("all", "", "check the ten, one line each"),
        *(Command("beyond", "", "check those after the ten") for _ in beyond()[:1]),
    )
    groups = (("Check", checks), ("Learn", LEARNING), ("Teach", TEACHING))
    lines = ["python -m checker COMMAND"]
    for title, commands in groups:
        there = [c for c in commands if has_solutions() or c.name not in WHOLE_COURSE]
        lines += ["", title, *(f"  {c.name:<16}{c.does}" for c in there)]
    last = "`python -m checker COMMAND --help` says more, `… s01 --help` about checks."
    return "\n".join([*lines, "", last])


def check_parser() -> Parser:
    made = Parser(prog="python -m checker", description="Check the puzzles.")
    add_step(made, parts=True)
    made.add_argument(
        "--dir",
        type=Path,
        default=FOLDER,
        metavar="DIR",
        help="the folder that holds the files to check (puzzles)",
    )
    made.add_argument("--json", action="store_true", help="one JSON object on stdout")
    made.add_argument(
        "--no-compile",
        dest="compile",
        action="store_false",
        help="leave out the last line, the run compiled by MAX itself",
    )
    return made


def check(arguments: argparse.Namespace) -> int:
    """Check a step or all. The worker starts first: it imports MAX while we import."""
    if not arguments.dir.is_dir():
        raise UsageError(f"there is no folder {arguments.dir}")
    from checker.link.process import Limits, WorkerProcess

    worker = WorkerProcess(Limits())
    from checker.verdict.examiner import Examiner

    with Examiner(arguments.dir, announce=_announce, worker=worker) as examiner:
        from checker.desk import screen

        if arguments.json:
            reports = list(_checked(examiner, arguments))
            screen.print_json(reports, every=arguments.step in PARTS)
        else:
            with screen.Printer(every=arguments.step in PARTS) as printer:
                reports = list(_checked(examiner, arguments, printer))
    if any(each.fault for each in reports):
        return FAULT
    return PASSED if all(each.status == "passed" for each in reports) else NOT_YET


def _checked(
    examiner: "Examiner",
    arguments: argparse.Namespace,
    printer: "Printer | None" = None,
) -> Iterator["Report"]:
    """The reports, each shown before MAX compiles what passed."""
    from checker.desk.progress import remember

    for puzzle in select(arguments.step):
        report = examiner.check(puzzle)
        remember(report, arguments.dir)
        if printer:
            printer.verdict(report)
        if arguments.compile:
            before, report = report, examiner.last_word(report)
            if printer and report is not before:
                printer.last_word(report)
        if printer:
            printer.end(report)
        yield report


def _announce(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def command(called: Command, argv: list[str]) -> int:
    """Run a command of the list in its own module."""
    module = importlib.import_module(f"checker.{called.module}")
    name = f"python -m checker {called.name}"
    made = Parser(prog=name, description=(module.__doc__ or "").split("\n")[0])
    module.add_arguments(made)
    return int(module.run(made.parse_args(argv)))


def dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(overview())
        return PASSED if argv else USAGE
    if argv[0] in COMMANDS:
        return command(COMMANDS[argv[0]], argv[1:])
    try:
        arguments = check_parser().parse_args(argv)
    except UsageError:
        if argv[0].startswith("-"):
            raise
        raise unknown(argv[0]) from None
    return check(arguments)


def main(argv: list[str] | None = None) -> int:
    try:
        return dispatch(sys.argv[1:] if argv is None else argv)
    except UsageError as error:
        print(error, file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return NOT_YET
    except BrokenPipeError:  # `… | head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOT_YET
    except Fault as error:
        print(f"! {error}", file=sys.stderr)
        return FAULT
