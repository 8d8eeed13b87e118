"""Check the current puzzle at each save, in one terminal, with single keys."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from rich.console import Console
from rich.text import Text

from checker.cli import PASSED, USAGE, UsageError, step_argument
from checker.course import (
    FOLDER,
    Fault,
    Puzzle,
    beyond,
    puzzle,
    puzzles,
    shown,
    siblings,
)
from checker.desk import hint, progress, reset, screen
from checker.desk.finale import next_steps, write_closing_lines
from checker.desk.state import changing, load
from checker.desk.terminal import (
    Saves,
    Signature,
    Terminal,
    TerminalClosed,
    needs_polling,
    signature,
)
from checker.verdict.examiner import Examiner
from checker.verdict.explain import Place
from checker.verdict.report import Report

TICK = 0.5
"""Seconds between two looks at the files where no event tells of a save."""

GRACE = 0.2
"""Seconds a file may be gone while an editor puts another in its place."""

AWAY = 300.0
"""Seconds without a save or a key after which nobody is counted as working."""


class Watch(AbstractContextManager["Watch"]):
    """The loop: what is on the screen, what each key does."""

    def __init__(self, terminal: Terminal, start: Puzzle, options: argparse.Namespace):
        self.terminal = terminal
        self.puzzle = start
        self.compile: bool = options.compile
        plain = options.plain or os.environ.get("TERM") == "dumb"
        self.plain = plain
        self.console = Console(highlight=False, no_color=plain or None)
        self.examiner = Examiner(FOLDER, announce=self.say)
        self.verdict: Report | None = None
        self.seen: Signature = ()
        self.since = time.monotonic()
        self.ended = False
        self.finished = False

    def __enter__(self) -> "Watch":
        self.examiner.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.count_time()
        self.examiner.close()

    def run(self) -> None:
        """Until q. A save that came during a check is seen right after it."""
        self.go(self.puzzle)
        while not self.ended:
            typed = self.terminal.wait(TICK)
            self.examiner.settle()
            if self.changed():
                self.count_time()
                self.check()
            for key in typed:
                self.press(key)

    # What is checked

    def go(self, target: Puzzle) -> None:
        """Make a step the current one and check it."""
        self.puzzle, self.finished = target, False
        with changing() as state:
            state.current = target.step
        self.check()

    def files(self) -> list[Path]:
        """The files that the current step's verdict depends on."""
        used = (*siblings(self.puzzle.name), self.puzzle)
        return [FOLDER / each.file for each in used]

    def changed(self) -> bool:
        if signature(self.files()) == self.seen:
            return False
        if not self.files()[-1].exists():
            time.sleep(GRACE)
        return signature(self.files()) != self.seen

    def check(self, with_max: bool = False, note: str = "") -> None:
        """Check the current step; the screen shows that before it shows the verdict."""
        self.seen = signature(self.files())
        self.say(f"Checking {shown(self.files()[-1])} …")
        self.verdict = self.examine(self.puzzle)
        self.draw(note)
        if with_max or self.compile:
            self.compile_with_max()

    def compile_with_max(self) -> None:
        """MAX's own line, below a verdict that is on the screen already."""
        if self.passes and self.verdict is not None:
            self.verdict = self.examiner.last_word(self.verdict)
            self.draw("")

    def examine(self, target: Puzzle) -> Report | None:
        """A step's report, remembered; None if the checker is at fault."""
        try:
            found = self.examiner.check(target)
        except Fault as fault:
            self.say(f"! {fault}")
            return None
        finally:
            self.examiner.renew(self.puzzle)
        progress.remember(found, FOLDER)
        return found

    @property
    def passes(self) -> bool:
        return self.verdict is not None and self.verdict.status == "passed"

    # What is on the screen

    def say(self, sentence: str, style: str = "default") -> None:
        self.console.print(Text(sentence, style=style), soft_wrap=True)

    def draw(self, note: str) -> None:
        """The report, the place to go to, what else was done, how far, the keys."""
        if self.verdict is not None:
            if not self.plain:
                self.console.clear()
            screen.print_findings(self.verdict, self.console)
            if self.verdict.trouble is None or self.verdict.trouble.place is None:
                file = Place(self.verdict.file, 1)
                self.console.print(screen.link(file), soft_wrap=True)
            if not self.files()[-1].exists():
                self.say("Waiting for the file; press x to restore the original.")
        if note:
            self.say(note)
        self.show_prompt()

    def show_prompt(self) -> None:
        self.console.print(progress.how_far(load(), plain=self.plain))
        if self.passes:
            passes = f"{self.puzzle.step} passes."
            done = "The course is complete." if self.finished else passes
            going_on = self.going_on()
            then = f" Press n {going_on[0]}." if going_on else ""
            self.say(done + then, "green")
        keys = [f"{key} {words}" for key, (words, _) in self.keys().items()]
        self.say(" · ".join(keys), "dim")

    # What the keys do

    def going_on(self) -> tuple[str, Callable[[], None]] | None:
        """What n is for, and what it does; None while the step does not pass, and when
        all is done."""
        if not self.passes:
            return None
        state = load()
        if (upcoming := progress.pending(state, self.puzzle)) is not None:
            return "for the next step", lambda: self.go(upcoming)
        if self.puzzle in puzzles() and not self.finished:
            return "to finish the course", self.finish
        if (later := progress.pending(state)) is not None:
            where = "beyond the ten" if later in beyond() else f"for {later.step}"
            return f"to go on {where}", lambda: self.go(later)
        return None

    def keys(self) -> dict[str, tuple[str, Callable[[], None]]]:
        going_on = self.going_on()
        first = {"n": ("next", going_on[1])} if going_on else {}
        return first | {
            "h": ("hint", self.hint),
            "l": ("list", self.show_list),
            "a": ("check all", self.check_all),
            "x": ("reset", self.reset),
            "r": ("run again", self.again),
            "c": ("MAX", lambda: self.check(with_max=True)),
            "q": ("quit", self.quit),
        }

    def press(self, key: str) -> None:
        self.count_time()
        if key == "n" and not self.passes:
            self.say(f"{self.puzzle.step} does not pass yet; n goes on when it does.")
        elif key in self.keys():
            self.keys()[key][1]()

    def hint(self) -> None:
        """The hints in place of the report, so that both are never scrolled apart."""
        trouble = self.verdict.trouble if self.verdict else None
        if not self.plain:
            self.console.clear()
        if trouble is not None:
            screen.print_line(trouble, self.console)
        hint.print_hints(hint.request(self.puzzle, "press h"), self.console)
        self.show_prompt()

    def show_list(self) -> None:
        progress.show_rows(self.console, load(), self.puzzle)
        self.show_prompt()

    def check_all(self) -> None:
        self.every_step()
        self.show_prompt()

    def every_step(self) -> list[Report | None]:
        """All ten, a line each."""
        self.say(f"Checking all {len(puzzles())} …")
        found: list[Report | None] = []
        for each in puzzles():
            one = self.examine(each)
            found.append(one)
            if one is not None:
                screen.print_row(one, self.console)
            if each == self.puzzle:
                self.verdict = one
        return found

    def reset(self) -> None:
        file = shown(FOLDER / self.puzzle.file)
        self.say(f"Reset {file}? A backup is kept. [y/N]")
        while not (answer := self.terminal.wait(60)):
            continue
        if answer != "y":
            self.say("Nothing was changed.")
            return self.show_prompt()
        return self.check(note=f"{reset.reset(self.puzzle)}.")

    def again(self) -> None:
        """Afresh: what was known of the siblings is checked again as well."""
        self.examiner.renew(self.puzzle, forget=True)
        self.check()

    def quit(self) -> None:
        self.ended = True

    # The end of the course

    def finish(self) -> None:
        """All ten together once more; then the learner's own GPT-2 has the word."""
        found = self.every_step()
        missing = [
            each
            for each, one in zip(puzzles(), found, strict=True)
            if one is None or one.status != "passed"
        ]
        if missing:
            self.say(f"{missing[0].step} does not pass now: back to it.")
            return self.go(missing[0])
        self.say("All of it passes. Your own GPT-2 has the last word:\n", "bold")
        write_closing_lines(FOLDER, self.say)
        for line in ("", *next_steps()):
            self.say(line)
        self.finished = True
        return self.show_prompt()

    # Time

    def count_time(self) -> None:
        """Time since the last event is spent on the step, unless it passes already."""
        now = time.monotonic()
        passed, self.since = min(now - self.since, AWAY), now
        if not self.passes:
            progress.spend(self.puzzle, passed)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    here = "the step to begin with (where you were)"
    add("step", metavar="STEP", nargs="?", type=step_argument(), help=here)
    add("--compile", action="store_true", help="let MAX compile what passes as well")
    polling = "look for saves by polling: for drives whose changes tell of no events"
    add("--poll", action="store_true", help=polling)
    plain = "plain lines one after another, for screen readers"
    add("--plain", action="store_true", help=plain)


def run(arguments: argparse.Namespace) -> int:
    """Watch until q or Ctrl-C; both leave the terminal as it was."""
    start = puzzle(arguments.step) if arguments.step else progress.resume(load())
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        once = screen.command(start.step)
        print(f"watch needs a terminal; to check once: {once}", file=sys.stderr)
        return USAGE
    if not FOLDER.is_dir():
        raise UsageError(f"there is no folder {shown(FOLDER)}; reset makes it anew")
    poll = arguments.poll or needs_polling(FOLDER)
    try:
        with (
            Terminal() as terminal,
            Saves(FOLDER, poll, terminal.wake),
            Watch(terminal, start, arguments) as watch,
        ):
            watch.run()
    except TerminalClosed:
        return PASSED
    except KeyboardInterrupt:
        print()
    print(f"To go on where you are: {screen.command('watch')}")
    return PASSED
