"""How long a learner waits: every step, wrong and right, beside the bare import of MAX.

    uv run benchmarks/feedback.py               # about two minutes; --rounds 5

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
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from checker.verdict.examiner import Examiner  # noqa: E402  the course is found first
from checker.course import Puzzle, puzzles  # noqa: E402

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


def wrong_folder(puzzle: Puzzle, into: Path) -> Path:
    """The solutions, with this step's file replaced by a wrong one."""
    folder = into / puzzle.step
    shutil.copytree(ROOT / "solutions", folder, dirs_exist_ok=True)
    mistaken = sorted(WRONG.glob(f"{puzzle.step}-*.py"))[0]
    shutil.copy(mistaken, folder / puzzle.file)
    return folder


def warm(puzzle: Puzzle, folder: Path) -> float:
    """Seconds from a save to the verdict, with a worker imported and waiting."""
    with Examiner(folder) as examiner:
        examiner.start()
        assert examiner._worker is not None
        examiner._worker.wait_until_ready()
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


def measure(rounds: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as scratch:
        home, folders = Path(scratch, "home"), Path(scratch, "folders")
        checker = ("-m", "checker")
        rows: dict[str, Callable[[], float]] = {
            "bare import": lambda: run("-c", "import max.nn.module_v3", home=home)
        }
        for puzzle in puzzles():
            wrong = str(wrong_folder(puzzle, folders))
            for label, folder in (("wrong", wrong), ("right", "solutions")):
                rows[f"{puzzle.step} {label}"] = lambda s=puzzle.step, d=folder: run(  # type: ignore[misc]
                    *checker, s, "--dir", d, "--no-compile", home=home
                )
            rows[f"{puzzle.step} warm, wrong"] = lambda p=puzzle, d=wrong: warm(  # type: ignore[misc]
                p, Path(d)
            )
        rows["all, right"] = lambda: run(
            *checker, "all", "--dir", "solutions", "--no-compile", home=home
        )
        found: dict[str, list[float]] = {name: [] for name in rows}
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for name, row in rows.items():
                found[name].append(row())
        found["s02 right, compiled by MAX"] = [
            run(*checker, "s02", "--dir", "solutions", home=home)
        ]
        return found


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
