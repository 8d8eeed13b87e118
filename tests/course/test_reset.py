"""``reset`` and ``solution``: start again without loss, see the reference in time."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from learner import Course, Screen, needs_tmux

from checker import holes
from checker.course import ROOT, puzzles


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return Course(tmp_path / "course")


@pytest.fixture
def screen(course: Course) -> Iterator[Screen]:
    with Screen(course.root) as made:
        yield made


def test_the_untouched_puzzle_comes_back_and_backups_are_kept(course: Course) -> None:
    """Twice: the puzzle as rendered, each of the learner's files beside it."""
    path = course.puzzle("mlp")
    for number, text in enumerate(("mine = 1\n", "mine = 2\n")):
        path.write_text(text)
        done = course.checker("reset", "s04", "--yes")
        assert done.returncode == 0, done.stderr
        assert path.read_text() == holes.puzzle("mlp")
        backup = path.with_name("mlp.py.bak" + ("2" if number else ""))
        assert backup.read_text() == text and backup.name in done.stdout
    assert path.with_name("mlp.py.bak").read_text() == "mine = 1\n"
    done = course.checker("reset", "s04", "--yes")
    assert "untouched already" in done.stdout
    assert len(list(path.parent.glob("mlp.py.bak*"))) == 2


def test_all_puts_every_puzzle_back(course: Course) -> None:
    """A file that is gone, or the whole folder, comes back as well."""
    shutil.rmtree(course.root / "puzzles")
    assert course.checker("reset", "all", "--yes").returncode == 0
    for puzzle in puzzles():
        assert course.puzzle(puzzle.name).read_text() == holes.puzzle(puzzle.name)


def test_it_needs_neither_git_nor_a_network(course: Course) -> None:
    """No repository, nothing on the path, nobody to ask: the same result."""
    course.puzzle("mlp").write_text("mine\n")
    env = {"PATH": "/nonexistent", "HTTPS_PROXY": "http://127.0.0.1:9"}
    assert course.checker("reset", "s04", "--yes", env=env).returncode == 0
    assert course.puzzle("mlp").read_text() == holes.puzzle("mlp")


def test_without_a_terminal_it_wants_to_be_told(course: Course) -> None:
    """Nobody to ask and no --yes: a sentence, exit status 2, nothing changed."""
    course.puzzle("mlp").write_text("mine\n")
    done = course.checker("reset", "s04")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--yes" in done.stderr
    assert course.puzzle("mlp").read_text() == "mine\n"


@pytest.mark.max
def test_a_step_that_was_reset_is_pending(course: Course) -> None:
    """It is no longer listed as passed; the hints that were used stay counted."""
    course.checker("hint", "s01")
    course.solve("config")
    course.checker("s01")
    course.checker("reset", "s01", "--yes")
    step = course.state()["steps"]["s01"]
    assert not step["passed"] and sum(step["hints"].values()) == 1


def test_undo_puts_the_last_version_back(course: Course) -> None:
    """And once more puts the other one back: nothing is ever lost."""
    course.puzzle("mlp").write_text("mine\n")
    assert "no backup" in course.checker("reset", "s04", "--undo").stdout
    course.checker("reset", "s04", "--yes")
    done = course.checker("reset", "s04", "--undo")
    assert done.returncode == 0 and "puzzles/mlp.py.bak again" in done.stdout
    assert course.puzzle("mlp").read_text() == "mine\n"
    course.checker("reset", "s04", "--undo")
    assert course.puzzle("mlp").read_text() == holes.puzzle("mlp")


@needs_tmux
def test_it_asks_first(course: Course, screen: Screen) -> None:
    """Enter alone changes nothing; y resets."""
    course.puzzle("mlp").write_text("mine\n")
    command = f"{sys.executable} -m checker reset s04"
    screen.type(command)
    screen.wait(r"Reset puzzles/mlp\.py\? .* \[y/N\]")
    screen.press("Enter")
    screen.wait("nothing was changed")
    assert course.puzzle("mlp").read_text() == "mine\n"
    screen.type(command)
    screen.wait(r"Reset[\s\S]*Reset .* \[y/N\]")
    screen.type("y")
    screen.wait("your version is in puzzles/mlp.py.bak")
    assert course.puzzle("mlp").read_text() == holes.puzzle("mlp")


@pytest.mark.max
def test_the_solution_waits_until_the_step_passes(course: Course) -> None:
    """Before: the way to a hint. With --spoil: a diff. After: equal, or a diff."""
    done = course.checker("solution", "s01")
    assert done.returncode == 1 and "hint s01" in done.stdout
    spoilt = course.checker("solution", "s01", "--spoil")
    assert spoilt.returncode == 0
    assert "+from dataclasses import dataclass" in spoilt.stdout.splitlines()
    course.solve("config")
    done = course.checker("solution", "s01")
    assert done.returncode == 0 and "equals the reference" in done.stdout
    mine = course.solution("config").replace(
        "from dataclasses import dataclass", "import dataclasses"
    ).replace("@dataclass", "@dataclasses.dataclass")  # fmt: skip
    course.puzzle("config").write_text(mine)
    done = course.checker("solution", "s01")
    assert done.returncode == 0, done.stdout
    assert "-import dataclasses" in done.stdout.splitlines()


def test_a_copy_without_solutions_shows_none(course: Course) -> None:
    """What an instructor has handed out without solutions does not print them."""
    shutil.rmtree(course.root / "solutions")
    done = course.checker("solution", "s01", "--spoil")
    assert done.returncode == 1 and "without its solutions" in done.stdout


@pytest.mark.parametrize(
    "left", [".progress.json", "puzzles/mlp.py.bak", "puzzles/mlp.py.bak2"]
)
def test_what_a_learner_leaves_stays_out_of_git(left: str) -> None:
    """The backups and the progress of whoever tries the course are ignored."""
    command = ["git", "check-ignore", "--quiet", "--no-index", left]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
