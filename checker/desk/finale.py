"""The end of the course: your own GPT-2 writes, once all the steps pass.

``python -m checker.desk.finale FILE`` runs ``main`` of the last puzzle on the bundled
model, in a process of its own, interpreted, so that nobody waits for a compiler now.
"""

import argparse
import importlib
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from checker.cli import NOT_YET, PASSED
from checker.course import FOLDER, ROOT, beyond, puzzles
from checker.desk.progress import changed
from checker.desk.screen import command
from checker.desk.state import load
from checker.link.sandbox import environment

ARGUMENTS = ("--model", "models/austen", "--max-new-tokens", "40")
PATIENCE = 180.0
"""Seconds."""


def write_closing_lines(folder: Path, say: Callable[[str], None]) -> None:
    """Run the last puzzle and pass on what it prints, line by line."""
    file = folder / puzzles()[-1].file
    process = subprocess.Popen(
        [sys.executable, "-P", "-u", "-m", "checker.desk.finale", str(file)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        env=environment(),
        text=True,
        errors="replace",
    )
    patience = threading.Timer(PATIENCE, process.kill)
    patience.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            say("".join(c for c in line if c.isprintable()))
        if process.wait():
            say(f"(it ended early, with exit status {process.returncode})")
    finally:
        patience.cancel()
        process.kill()
        process.wait()


def next_steps() -> list[str]:
    """What there is to do with a finished GPT-2."""
    return [
        f"{command('my-demo')} compiles it with MAX and takes the real GPT-2's weights "
        "(550 MB) where the hub can be reached.",
        f"{command('my-demo --model models/austen --seed 7')} writes another text.",
        *(f"{command(each.step)} is the first step beyond." for each in beyond()[:1]),
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(arguments: argparse.Namespace) -> int:
    """Let the learner's model write, or say which step does not pass yet."""
    steps = load().steps
    for puzzle in puzzles():
        if not steps[puzzle.step].passed or changed(puzzle, steps[puzzle.step]):
            said = f"{puzzle.step} did not pass when it was last checked."
            print(f"{said} Next: {command(puzzle.step)}")
            return NOT_YET
    print("All ten steps pass. This is what your own GPT-2 writes:\n", flush=True)
    write_closing_lines(FOLDER, lambda line: print(line, flush=True))
    print("", *next_steps(), sep="\n")
    return PASSED


def main(file: str) -> int:
    """In the process: MAX's graphs are interpreted, then the puzzle is itself."""
    from checker.worker.main import prepare

    prepare()
    path = Path(file)
    sys.path.insert(0, str(path.parent))
    return int(importlib.import_module(path.stem).main(list(ARGUMENTS)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
