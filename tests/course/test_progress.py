"""What is remembered of checks, ``list``, and the one list of commands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from learner import Course

from checker.cli import COMMANDS
from checker.course import ROOT, every, puzzles
from checker.desk import progress, state


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return Course(tmp_path / "course")


@pytest.mark.max
def test_a_step_that_passes_is_listed_and_one_that_fails_again_is_pending(
    course: Course,
) -> None:
    """✓ after a check that passed, a note once the file changes, ✗ when it fails."""
    untouched = course.puzzle("config").read_text()
    assert "✗ s01" not in course.checker("list").stdout
    course.solve("config")
    assert course.checker("s01").returncode == 0
    assert "✓ s01   config" in course.checker("list").stdout
    assert course.state()["steps"]["s01"]["passed"]
    course.puzzle("config").write_text(untouched)
    assert "passed; the file has changed since" in course.checker("list").stdout
    assert course.checker("s01").returncode == 1
    listed = course.checker("list").stdout
    assert "✗ s01   config" in listed and f"0 of {len(puzzles())}" in listed


@pytest.mark.max
def test_json_and_all_are_remembered_another_folder_is_not(course: Course) -> None:
    """``--json`` counts as a check; ``--dir solutions`` is not the learner's work."""
    course.checker("s01", "--dir", "solutions")
    assert not (course.root / ".progress.json").exists()
    course.solve("config")
    done = course.checker("s01", "--json")
    assert json.loads(done.stdout)["status"] == "passed"
    assert course.state()["steps"]["s01"]["status"] == "passed"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"steps": []}', '{"steps": {"s01": {"hints": 3}}}',
     '{"steps": {"s01": {"hints": {"a": "b"}}}}', '{"steps": {"s01": 1}}', "\x00"],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_set_aside(
    tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever is in it: a sentence, the file kept by another name, a fresh start."""
    for number in (1, 2):
        (tmp_path / state.FILE).write_text(text)
        found = state.load(tmp_path)
        assert not any(step.passed for step in found.steps.values())
        aside = tmp_path / f"{state.FILE}.broken-{number}"
        assert aside.read_text() == text
        assert aside.name in capsys.readouterr().err


def test_a_file_of_another_version_is_read(tmp_path: Path) -> None:
    """What is missing has its default, what is unknown is left out."""
    steps = {"s01": {"passed": "2026-01-01", "mood": "good"}, "s99": {}}
    (tmp_path / state.FILE).write_text(json.dumps({"steps": steps, "current": "s99"}))
    found = state.load(tmp_path)
    assert found.steps["s01"].passed and not found.current
    assert list(found.steps) == [puzzle.step for puzzle in every()]


def test_several_commands_at_once_lose_nothing(tmp_path: Path) -> None:
    """Four processes add to one number under the lock: the sum is right."""
    code = (
        "import sys, pathlib; from checker.desk import state\n"
        "for _ in range(25):\n"
        "    with state.changing(pathlib.Path(sys.argv[1])) as now:\n"
        "        now.steps['s01'].seconds += 1\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    started = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
    assert [process.wait(60) for process in started] == [0, 0, 0, 0]
    assert state.load(tmp_path).steps["s01"].seconds == 100
    assert [path.name for path in tmp_path.iterdir()] == [state.FILE]


def test_a_folder_that_cannot_be_written_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Progress is not kept, a sentence says so, and the command goes on."""

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(state.os, "replace", refuse)
    with state.changing(tmp_path) as now:
        now.current = "s01"
    assert "Read-only file system" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_pending_goes_on_from_a_step_and_round() -> None:
    """The next step after this one that has not passed; before it, if none is after."""
    ordered = puzzles()
    now = state.State(steps={p.step: state.StepState(passed="yes") for p in every()})
    assert progress.pending(now) is None
    now.steps[ordered[1].step].passed = ""
    assert progress.pending(now, ordered[-1]) == ordered[1]
    assert progress.resume(now) == ordered[1]
    now.current = ordered[1].step
    assert progress.resume(now) == ordered[1]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, ""), (29, ""), (60, "1 min"), (7260, "2 h 01")]
)
def test_time_is_said_as_people_say_it(seconds: float, said: str) -> None:
    """Minutes, then hours; nothing below half a minute."""
    assert progress.duration(seconds) == said


def test_alone_it_says_what_there_is(course: Course) -> None:
    """``python -m checker`` lists every command and ends with 2: one is needed."""
    done = course.checker()
    assert done.returncode == 2
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)
    assert course.checker("--help").returncode == 0


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["s5"], "s05"),
        (["attention"], "s05"),
        (["hintt"], "hint"),
        (["wach"], "watch"),
        (["hint", "s1"], "s01"),
        (["reset", "al"], "all"),
        (["solution", "mlp"], "s04"),
        (["watch", "5"], "s05"),
        (["--dir", "solutions", "s001"], "s01"),
    ],
)
def test_an_unknown_word_is_answered_with_the_nearest(
    course: Course, words: list[str], near: str
) -> None:
    """One sentence on stderr with the nearest name, exit status 2."""
    done = course.checker(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and f"did you mean {near}" in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_takes(course: Course, name: str) -> None:
    """``--help`` works for each row of the list."""
    done = course.checker(name, "--help")
    assert done.returncode == 0, done.stderr
    assert f"python -m checker {name}" in done.stdout
