"""The list of commands, and what every command needs: exit statuses and arguments.

A command is a module of ``checker`` with ``add_arguments(parser)`` and
``run(arguments) -> int``. Its row stands in ``COMMANDS``; the module is imported only
when the command is called, because a check wants to start its worker first.
"""

import argparse
import difflib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from checker.table import puzzles

PASSED, NOT_YET, USAGE, FAULT = range(4)
"""Exit statuses: all is well · not yet · the command line is wrong · the environment
or the checker itself is at fault."""

ALL = "all"


@dataclass(frozen=True)
class Command:
    """A row of the list: the name, the module of ``checker``, what it does."""

    name: str
    module: str
    does: str


LEARNING = (
    Command("watch", "watch", "check the current puzzle at each save"),
    Command("list", "progress", "the ten puzzles and how far you are"),
    Command("hint", "hint", "the next hint for a step"),
    Command("reset", "reset", "start a puzzle again; a backup is kept"),
    Command("solution", "solution", "the reference beside your lines, once you pass"),
    Command("doctor", "doctor", "can the course run here?"),
)
TEACHING = (
    Command("grade", "grade", "grade submissions"),
    Command("gradescope-zip", "gradescope", "build the Gradescope autograder"),
    Command("handout", "handout", "copy the course without its solutions"),
)
COMMANDS = {command.name: command for command in (*LEARNING, *TEACHING)}


class UsageError(Exception):
    """The command line is wrong; the message is the sentence to show."""


class Parser(argparse.ArgumentParser):
    """Argparse with the contract's exit status and sentences without a preamble."""

    def error(self, message: str) -> NoReturn:
        print(f"{message}\n{self.format_usage()}".rstrip(), file=sys.stderr)
        self.exit(USAGE)


def step_argument(*, every: bool = False) -> Callable[[str], str]:
    """Argparse's ``type`` of a step; ``every`` allows "all". Unknown: a UsageError."""

    def step(text: str) -> str:
        known = [*(puzzle.step for puzzle in puzzles()), *([ALL] if every else [])]
        if text in known:
            return text
        raise UsageError(f"there is no step {text!r}{_nearest(text, known)}")

    return step


def add_step(parser: argparse.ArgumentParser, *, every: bool) -> None:
    """The argument STEP."""
    steps = [puzzle.step for puzzle in puzzles()]
    shown = f"{steps[0]} … {steps[-1]}" + (f", or {ALL}" if every else "")
    parser.add_argument(
        "step", metavar="STEP", type=step_argument(every=every), help=shown
    )


def unknown(word: str) -> UsageError:
    """What to say when the first word is neither a step nor a command."""
    known = [*(puzzle.step for puzzle in puzzles()), ALL, *COMMANDS]
    return UsageError(f"there is no step or command {word!r}{_nearest(word, known)}")


def _nearest(word: str, known: list[str]) -> str:
    """The nearest name as the end of a sentence; a puzzle's name is its step's."""
    number = re.fullmatch(r"s?0*(\d{1,2})", word.lower())
    if number and (step := f"s{int(number[1]):02}") in known:
        return f"; did you mean {step}?"
    names = {puzzle.name: puzzle.step for puzzle in puzzles() if puzzle.step in known}
    spelt = {**{name: name for name in known}, **names}
    near = difflib.get_close_matches(word.lower(), spelt, n=1, cutoff=0.5)
    if not near:
        return "; `python -m checker` lists them all"
    return f"; did you mean {spelt[near[0]]}?"
