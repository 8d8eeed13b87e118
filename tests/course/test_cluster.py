"""Grading on a cluster: the same grades, and a lost machine costs none of them.

Needs the dependency group ``cluster``; ``.ci/run`` has a step of its own for it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checker.course import ROOT, puzzles
from tests.course.submission_files import submissions

pytest.importorskip("distributed", reason="Dask is not installed")
pytestmark = pytest.mark.max

CLASS = 6
SEED = "20251130"


def dask(*words: str) -> subprocess.Popen[str]:
    """A process of Dask, in the course's folder as docs/instructors.md has it."""
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stderr is not None:
        process.stderr.close()


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    file = tmp_path / "scheduler.json"
    words = ("--scheduler-file", str(file), "--port", "0", "--no-dashboard")
    process = dask("scheduler", "--host", "127.0.0.1", *words)
    try:
        until = time.monotonic() + 60
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.1)
        yield json.loads(file.read_text())["address"]
    finally:
        end(process)


def machine(address: str, folder: Path) -> subprocess.Popen[str]:
    words = ("--nthreads", "1", "--local-directory", str(folder), "--no-dashboard")
    return dask("worker", address, "--no-nanny", *words)


@pytest.fixture
def handed_in(tmp_path: Path) -> Path:
    """A class: two steps each, right or wrong, and an archive that is broken."""
    folder = tmp_path / "class"
    wrong = [each for each in submissions("wrong") if each.step in ("s02", "s04")]
    for number in range(CLASS):
        own = folder / f"student-{number}"
        own.mkdir(parents=True)
        for name in ("causal", "mlp"):
            shutil.copy(ROOT / "solutions" / f"{name}.py", own)
        file = wrong[7 * number]
        name = next(each.file for each in puzzles() if each.step == file.step)
        (own / name).write_bytes(file.source)
    (folder / "broken.zip").write_bytes(b"PK\x03\x04 and nothing else")
    return folder


def grades(folder: Path, *words: str) -> dict[str, Any]:
    """The reports by name, without the seconds."""
    done = subprocess.run(
        [sys.executable, "-m", "checker", "grade", str(folder), "--format", "json",
         "--data-seed", SEED, "-o", str(folder.parent / "out.json"), *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((folder.parent / "out.json").read_text())["submissions"]
    for grade in found:
        for each in (grade, *grade["steps"]):
            each.pop("seconds")
    return {grade["submission"]: grade for grade in found}


def test_a_cluster_gives_the_same_grades(
    scheduler: str, handed_in: Path, tmp_path: Path
) -> None:
    """With two machines, one of which is killed at work."""
    alone = grades(handed_in, "--jobs", "2")
    machines = [machine(scheduler, tmp_path / name) for name in ("one", "two")]
    killer = subprocess.Popen(
        [sys.executable, "-c", "import os, signal, sys, time\ntime.sleep(12)\n"
         "os.killpg(int(sys.argv[1]), signal.SIGKILL)", str(machines[0].pid)]
    )  # fmt: skip
    try:
        time.sleep(3)
        together = grades(handed_in, "--cluster", scheduler)
        assert killer.wait(timeout=60) == 0 and machines[0].wait(timeout=30) < 0
    finally:
        killer.kill()
        killer.wait()
        for process in machines:
            end(process)
    assert together == alone
    assert len(alone) == CLASS + 1 and alone["broken"]["score"] == 0


def test_a_cluster_that_is_not_there(handed_in: Path) -> None:
    """A sentence, and the exit status of a wrong command line."""
    done = subprocess.run(
        [sys.executable, "-m", "checker", "grade", str(handed_in),
         "--cluster", "tcp://127.0.0.1:9"],
        cwd=handed_in.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2 and "there is no scheduler at" in done.stderr
    assert "Traceback" not in done.stderr
