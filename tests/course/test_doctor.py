"""``doctor``: what it says where all is well, and where something is not."""

import hashlib
import http.server
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from learner import Course

from checker.course import ROOT
from checker.desk import doctor

pytestmark = pytest.mark.max

ELSEWHERE = "http://127.0.0.1:9"  # nobody answers there, at once


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return Course(tmp_path / "course")


@pytest.fixture
def hub() -> Iterator[str]:
    """A server that answers, as far as one knock goes."""
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), http.server.BaseHTTPRequestHandler
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_here_all_is_well(course: Course, tmp_path: Path, hub: str) -> None:
    """A line for each thing, no ✗, exit status 0, nothing on stderr."""
    env = {"HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "hf")}
    done = course.checker("doctor", env=env)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = done.stdout.splitlines()
    assert not any(line.startswith("✗") for line in lines)
    for words in (
        "✓ Python 3.", "✓ packages: modular 25.7", "✓ MAX 25.7", "names of MAX that",
        "default device is", "MAX's cache", "of memory free", "of disk free",
        f"{hub} answers in", "bundled model models/austen is intact",
        "puzzles/ can be written", "watch is notified of saves", "worker starts in",
    ):  # fmt: skip
        assert sum(words in line for line in lines) >= 1, words
    assert lines[-1] == "The course can run here."


def test_without_a_network_the_course_runs(course: Course, tmp_path: Path) -> None:
    """The hub is out of reach: a note, not a fault."""
    env = {"HF_ENDPOINT": ELSEWHERE, "HF_HOME": str(tmp_path / "hf")}
    done = course.checker("doctor", env=env)
    assert done.returncode == 0, done.stdout
    assert "cannot be reached" in done.stdout
    assert "the demo uses the bundled model" in done.stdout


def test_a_max_that_cannot_be_imported_is_a_fault(
    course: Course, tmp_path: Path
) -> None:
    """MAX is broken: exit status 3, what to do, and all other lines all the same."""
    broken = tmp_path / "broken" / "max"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('libmax is missing')\n")
    env = {"PYTHONPATH": str(broken.parent), "HF_ENDPOINT": ELSEWHERE}
    done = course.checker("doctor", env=env)
    assert done.returncode == 3
    assert "✗ MAX cannot be imported (ImportError: libmax is missing)" in done.stdout
    assert "install the course's packages" in done.stdout
    assert "✗ the worker did not start" in done.stdout
    assert "✓ puzzles/ can be written" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("The course cannot run yet")


def test_a_name_that_max_lacks_is_named(course: Course) -> None:
    """A release without a name of the course: the name, exit status 3."""
    path = course.root / "solutions" / "mlp.py"
    path.write_text(path.read_text() + "\n\ndef later():\n    return F.gelu_of_2030\n")
    done = course.checker("doctor", env={"HF_ENDPOINT": ELSEWHERE})
    assert done.returncode == 3
    assert "✗ MAX lacks max.experimental.functional.gelu_of_2030" in done.stdout


def test_a_damaged_model_is_found_by_its_checksum(course: Course) -> None:
    """One byte more in one file: its name, what to do, exit status 3."""
    folder = course.root / "models" / "austen"
    folder.unlink()
    shutil.copytree(ROOT / "models" / "austen", folder)
    with (folder / "config.json").open("a") as file:
        file.write(" ")
    (folder / "vocab.json").unlink()
    done = course.checker("doctor", env={"HF_ENDPOINT": ELSEWHERE})
    assert done.returncode == 3
    assert "(austen/config.json, austen/vocab.json)" in done.stdout


def test_a_missing_puzzle_is_noted(course: Course) -> None:
    """With the command that brings it back; the course runs without."""
    course.puzzle("mlp").unlink()
    done = course.checker("doctor", env={"HF_ENDPOINT": ELSEWHERE})
    assert done.returncode == 0, done.stdout
    assert "reset s04 --yes" in done.stdout


def test_names_are_those_imported_and_those_asked_of_them() -> None:
    """Aliases are followed; what is not MAX's is left out."""
    source = (
        "import numpy as np\n"
        "from max.experimental import functional as F\n"
        "from max.driver import CPU\n"
        "y = F.gelu(np.zeros(3)); CPU()\n"
    )
    assert doctor.names_in(source) == {
        "max.experimental.functional",
        "max.experimental.functional.gelu",
        "max.driver.CPU",
    }


def test_the_checksums_are_of_the_model_that_is_bundled() -> None:
    """Each file of models/austen has its line in models/austen.sha256, and no other."""
    lines = doctor.SUMS.read_text().splitlines()
    assert dict(reversed(line.split()) for line in lines) == {
        f"austen/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in doctor.MODEL.iterdir()
    }
