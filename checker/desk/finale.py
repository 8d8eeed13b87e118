"""The end of the course: the learner's own GPT-2 writes, in a process of its own.

``python -m checker.desk.finale FILE`` runs ``main`` of the last puzzle on the bundled
model, interpreted, so that nobody waits for a compiler now.
"""

import importlib
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from checker.course import ROOT, puzzles
from checker.link.process import environment

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


def main(file: str) -> int:
    """In the process: MAX's graphs are interpreted, then the puzzle is itself."""
    from checker.worker.main import prepare

    prepare()
    path = Path(file)
    sys.path.insert(0, str(path.parent))
    return int(importlib.import_module(path.stem).main(list(ARGUMENTS)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
