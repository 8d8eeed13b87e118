"""The marker ``max`` stays true: ``conftest.py`` fails a test that needs it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from checker.course import ROOT
from tests.course.conftest import starts_max

HERE = Path(__file__).parent
STEP = '["-m", "checker", "s04"]'
"""Arguments of a program that does nothing, and looks like one that checks."""

TESTS = f"""
import importlib, subprocess, sys
import pytest

def run(*words):
    subprocess.run([sys.executable, "-c", "pass", *words], check=True)

@pytest.fixture(scope="module")
def checked():
    run(*{STEP})

def test_needs_nothing(): run("-m", "checker", "list")
def test_has_imported(): import max
def test_has_imported_again(): import max.inside
def test_has_checked(): run(*{STEP})
def test_uses_what_was_checked(checked): pass
def test_has_started_a_worker(): run("-m", "checker.worker.main", "3")
@pytest.mark.max
def test_says_so(): import max; run(*{STEP})
@pytest.mark.max
def test_fails_by_itself(): run(*{STEP}); assert False
"""
FAILING = {"has_imported", "has_imported_again", "has_checked", "fails_by_itself",
           "uses_what_was_checked", "has_started_a_worker"}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of its own, with this conftest and an empty MAX."""
    shutil.copy(HERE / "conftest.py", tmp_path)
    (tmp_path / "max").mkdir()
    for name in ("__init__", "inside"):
        (tmp_path / "max" / f"{name}.py").touch()
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = max: starts MAX\n")
    (tmp_path / "test_some.py").write_text(TESTS)
    return tmp_path


def run(folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    path = f"{folder}:{ROOT}"
    done = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": path}, capture_output=True, text=True
    )
    return done.stdout + done.stderr


def test_a_test_that_starts_max_unmarked_fails(folder: Path) -> None:
    """It is said which one and how; one that is marked may."""
    said = run(folder)
    assert set(re.findall(r"^FAILED \S+::test_(\w+)", said, re.M)) == FAILING
    assert "needs the marker max: import max" in said
    assert re.search(r"needs the marker max: .* -m checker s04\n", said)


def test_quick_tests_do_not_import_a_file_that_is_marked(folder: Path) -> None:
    """A file that imports MAX at its top is marked as a whole, or nothing runs."""
    other = folder / "test_other.py"
    top = "import max\nimport pytest\n"
    test = "\ndef test_other(): pass\n"
    other.write_text(top + "\npytestmark = pytest.mark.max\n" + test)
    assert "2 deselected" in run(folder, "-m", "not max")  # those of test_some.py
    other.write_text(top + test)
    said = run(folder, "-m", "not max")
    assert "imports MAX at its top" in said and "passed" not in said


@pytest.mark.parametrize(
    ("words", "starts"),
    [
        ("python -m checker s04", True),
        ("python -m checker all --json", True),
        ("python -m checker --dir x s04", True),
        ("python -m checker s04 --help", False),
        ("python -m checker s77", False),
        ("python -m checker list", False),
        ("python -m checker hint s04", False),
        ("python -m checker reset s04 --yes", False),
        ("python -m checker solution s04", True),
        ("python -m checker solution s04 --spoil", False),
        ("python -m checker solution mlp", False),
        ("python -m checker watch", True),
        ("python -m checker watch s04 --poll", True),
        ("python -m checker watch 4", False),
        ("python -m checker doctor", True),
        ("tmux send-keys -l /bin/python -m checker watch", True),
        ("python -m checker.worker.main 3", True),
        ("python hugging-face-model.py", False),
        ("python solutions/demo.py", True),
        ("python solutions/config.py", False),
        ("python", False),
    ],
)
def test_commands_that_start_max(words: str, starts: bool) -> None:
    """Those that check, those that run a program which imports MAX; no others."""
    assert starts_max(words.split(), ROOT) is starts


@pytest.mark.parametrize(
    ("code", "starts"),
    [
        ("from max.driver import CPU", True),
        ("import sys; import max", True),
        ("if 1:\n    from max import nn", True),
        ("import maximum", False),
        ("max(1, 2)", False),
        ("from checker.interpreter import install", True),
        ("import checker.cli", False),
    ],
)
def test_code_that_starts_max(code: str, starts: bool) -> None:
    """After ``-c``."""
    assert starts_max(["python", "-c", code], ROOT) is starts
