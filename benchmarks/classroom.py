"""Grade a class of 200, of whom 20 mean harm and 10 hand in broken archives.

    uv run benchmarks/classroom.py
    uv run --group cluster benchmarks/classroom.py --cluster tcp://127.0.0.1:8786

Prints the seconds for a submission, and what is left in the course, in the folder for
temporary files and among the processes: nothing should be. ``--kill PID`` ends a
cluster's worker after ``--after`` seconds; ``--reports FILE`` keeps the grades, and
``--same FILE`` compares them with those of another run.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from checker.course import puzzle, puzzles  # noqa: E402  the course is found first
from tests.course import attacks  # noqa: E402
from tests.course.submission_files import submissions  # noqa: E402

SEED = "20261130"


def make_class(folder: Path, size: int) -> None:
    """A tenth of them mean harm, a twentieth are broken archives; of ten files in each
    of the others, three are wrong."""
    choose = random.Random(0)
    harmful, broken = size // 10, size // 20
    for number in range(size - broken):
        own = folder / f"student-{number:03}"
        own.mkdir(parents=True)
        for each in puzzles():
            shutil.copy(ROOT / "solutions" / each.file, own)
        if number < harmful:
            other = folder / f"student-{size - broken - 1:03}" / "layernorm.py"
            mean_harm(own, number / harmful, other, attacking=bool(number % 2))
        else:
            for file in choose.sample(submissions("wrong"), 3):
                (own / puzzle(file.step).file).write_bytes(file.source)
    whole = shutil.make_archive(str(folder / "archive"), "zip", ROOT / "solutions")
    data = Path(whole).read_bytes()
    os.remove(whole)
    for number in range(broken):
        part = data[: len(data) * (number + 1) // (broken + 1)]
        (folder / f"broken-{number:02}.zip").write_bytes(part)


def mean_harm(own: Path, part: float, other: Path, *, attacking: bool) -> None:
    """An attack on the checker and on somebody else's file, or a file that harms a
    careless checker: the one at this part, 0 to 1, of all there are."""
    if attacking:
        name = attacks.names()[int(part * len(attacks.names()))]
        source = attacks.attack(name, port=9, other=other)
        (own / "layernorm.py").write_text(source, encoding="utf-8")
        return
    found = submissions("hostile")
    file = found[int(part * len(found))]
    (own / puzzle(file.step).file).write_bytes(file.source)


def grade(folder: Path, out: Path, *more: str) -> float:
    """Seconds. Raises CalledProcessError where it does not end with 0."""
    began = time.monotonic()
    words = ("--format", "json", "--data-seed", SEED, "-o", str(out), *more)
    command = [sys.executable, "-m", "checker", "grade", str(folder), *words]
    subprocess.run(command, cwd=ROOT, check=True)
    return time.monotonic() - began


def grades(out: Path) -> dict[str, Any]:
    """Points and verdicts by submission; the files that are graded as well."""
    found = json.loads(out.read_text(encoding="utf-8"))["submissions"]
    return {
        each["submission"]: [
            each["score"],
            each["files"],
            *((step["step"], step["status"], step["score"]) for step in each["steps"]),
        ]
        for each in found
    }


def left() -> dict[str, set[str]]:
    """What a run could leave behind."""
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--ignored=no"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    processes = subprocess.run(
        ["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True
    ).stdout
    workers = [each for each in processes.splitlines() if "checker.worker" in each]
    return {
        "course": set(changed.splitlines()),
        "temporary files": set(os.listdir(tempfile.gettempdir())),
        "processes": set(workers),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, default=200)
    parser.add_argument("--cluster", metavar="ADDRESS")
    parser.add_argument("--jobs", default=str(os.cpu_count()))
    parser.add_argument("--kill", type=int, metavar="PID")
    parser.add_argument("--after", type=float, default=120.0, metavar="SECONDS")
    parser.add_argument("--reports", type=Path, metavar="FILE")
    parser.add_argument("--same", type=Path, metavar="FILE")
    args = parser.parse_args()
    on = ("--cluster", args.cluster) if args.cluster else ("--jobs", args.jobs)
    with tempfile.TemporaryDirectory() as scratch:
        folder, out = Path(scratch) / "class", Path(scratch) / "grades.json"
        make_class(folder, args.size)
        before = left()
        if args.kill:
            threading.Timer(args.after, os.killpg, (args.kill, signal.SIGKILL)).start()
        seconds = grade(folder, out, *on)
        found = grades(out)
        after = left()
        if args.reports:
            shutil.copy(out, args.reports)
    new = {where: after[where] - before[where] for where in before}
    print(f"{len(found)} of {args.size} have a grade")
    print(f"{seconds:.0f} s, {seconds / args.size:.2f} s for each")
    print("left:", {where: sorted(what) for where, what in new.items() if what} or "-")
    different = []
    if args.same:
        others = grades(args.same)
        different = [each for each in found if found[each] != others.get(each)]
        print(f"{len(different)} grades differ from {args.same}: {different[:5]}")
    return int(len(found) != args.size or any(new.values()) or bool(different))


if __name__ == "__main__":
    sys.exit(main())
