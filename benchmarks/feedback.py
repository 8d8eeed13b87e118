"""How long a learner waits: every step, wrong and right, beside the bare import of MAX.

    uv run benchmarks/feedback.py               # about eight minutes; --rounds 5

All rows are measured in turn, round after round, as processes started by the command
line with an empty MAX cache; the medians are compared with a process that does nothing
but ``import max.nn.module_v3``. Measure on a quiet machine.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from checker.course import Puzzle, puzzles  # noqa: E402  the course is found first
from checker.verdict.examiner import Examiner  # noqa: E402
from tests.course.submission_files import Submission, submissions  # noqa: E402

MEGABYTE = 2**20


def run(*command: str, home: Path) -> float:
    """Seconds of a process, with an empty home and therefore an empty MAX cache."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "HOME": str(home), "XDG_DATA_HOME": str(home / "data")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return time.perf_counter() - began


UNEXPLAINED = "-"
"""The name of a wrong file whose answer no mistake gives."""


def wrong_folder(puzzle: Puzzle, file: Submission, into: Path) -> Path:
    """The solutions, with this step's file replaced by a wrong one."""
    folder = into / file.id
    shutil.copytree(ROOT / "solutions", folder, dirs_exist_ok=True)
    (folder / puzzle.file).write_bytes(file.source)
    return folder


def wrong_files(puzzle: Puzzle) -> dict[str, Submission]:
    """One whose mistake is named, and one whose answer nothing explains."""
    files = [each for each in submissions("wrong") if each.step == puzzle.step]
    *_, unexplained = (each for each in files if each.named == UNEXPLAINED)
    named = next(each for each in reversed(files) if each.named != unexplained.named)
    return {"named": named, "unexplained": unexplained}


def warm(puzzle: Puzzle, folder: Path) -> float:
    """Seconds from a save to the verdict, as in `watch` after an earlier check."""
    with Examiner(folder) as examiner:
        examiner.renew(puzzle)
        while not examiner.is_renewed:
            time.sleep(0.05)
        began = time.perf_counter()
        examiner.check(puzzle)
        return time.perf_counter() - began


def largest_worker() -> float:
    """Megabytes resident at the end of all ten steps in one worker."""
    with Examiner(ROOT / "solutions") as examiner:
        for puzzle in puzzles():
            examiner.check(puzzle)
        assert examiner._worker is not None
        pid = examiner._worker.process.pid
        return float(psutil.Process(pid).memory_info().rss) / MEGABYTE


def rows(folders: Path, home: Path) -> dict[str, Callable[[], float]]:
    """What is measured in each round, by its label."""

    def check(step: str, folder: str) -> Callable[[], float]:
        words = ("-m", "checker", step, "--dir", folder, "--no-compile")
        return lambda: run(*words, home=home)

    found = {"bare import": lambda: run("-c", "import max.nn.module_v3", home=home)}
    for puzzle in puzzles():
        found[f"{puzzle.step} right"] = check(puzzle.step, "solutions")
        for label, file in wrong_files(puzzle).items():
            folder = wrong_folder(puzzle, file, folders)
            found[f"{puzzle.step} {label}"] = check(puzzle.step, str(folder))
            found[f"{puzzle.step} {label}, warm"] = partial(warm, puzzle, folder)
    found["all, right"] = check("all", "solutions")
    return found


def measure(rounds: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch, "home")
        measured = rows(Path(scratch, "folders"), home)
        found: dict[str, list[float]] = {name: [] for name in measured}
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for name, row in measured.items():
                found[name].append(row())
        by_max = run("-m", "checker", "s02", "--dir", "solutions", home=home)
        return found | {"s02 right, compiled by MAX": [by_max]}


def show(found: dict[str, list[float]]) -> None:
    bare = statistics.median(found["bare import"])
    print(f"{'':28} x bare import   seconds (median of {len(found['bare import'])})")
    for name, seconds in found.items():
        median = statistics.median(seconds)
        note = "" if len(seconds) > 1 else "  once"
        print(f"{name:28} {median / bare:13.2f}   {median:7.2f}{note}")
    print(f"{'worker after all ten':28} {largest_worker():13.0f}   MB resident")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    show(measure(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
