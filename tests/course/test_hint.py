"""``hint``: the ladder of each hole, the mistake first, never the solution's line."""

import re
from pathlib import Path

import pytest
from learner import Course

from checker import holes
from checker.course import Puzzle, puzzles, reference
from checker.desk import hint

MESSAGE = "Your last check found a mistake:"


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return Course(tmp_path / "course")


def given(course: Course, step: str) -> list[str]:
    done = course.checker("hint", step)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_one_more_at_each_request_up_to_the_last(course: Course) -> None:
    """The hints given so far and a new one; after the last the way to the solution."""
    ladder = hint.hinted(puzzles()[0])[0].hints
    for number in range(1, len(ladder) + 2):
        lines = given(course, "s01")
        shown = sum(bool(re.match(r"\d\.  ", line)) for line in lines)
        assert shown == min(number, len(ladder))
    ending = " ".join(lines[-2:])
    assert f"last of {len(ladder)} hints" in ending and "--spoil" in ending
    assert course.state()["steps"]["s01"]["hints"] == {
        hint.hinted(puzzles()[0])[0].name: len(ladder)
    }
    assert re.search(rf"s01 +config +{len(ladder)} ", course.checker("list").stdout)


def test_it_is_about_the_first_hole_that_is_open(course: Course) -> None:
    """A hole that is filled is left behind, before anything was checked."""
    names = [hole.name for hole in hint.hinted(puzzles()[4])]
    for number, name in enumerate(names):
        assert given(course, "s05")[0].endswith(name)
        course.fill("attention", name)
        assert number < len(names)


@pytest.mark.max
def test_the_ladder_starts_with_the_mistake_that_was_named(course: Course) -> None:
    """It is said before the hint, of that check's hole, until the file changes."""
    course.solve("attention")
    path = course.puzzle("attention")
    wrong = re.sub(
        r"math\.sqrt\(.*\)\n", "math.sqrt(self.embed_dim)\n", path.read_text()
    )
    path.write_text(wrong)
    assert course.checker("s05", "--no-compile").returncode == 1
    lines = given(course, "s05")
    assert lines[0].endswith("attend") and lines[1] == MESSAGE
    assert "sqrt(n_embd)" in lines[2]
    path.write_text(wrong + "\n")
    assert MESSAGE not in given(course, "s05")


@pytest.mark.max
def test_a_file_that_cannot_be_loaded_gets_the_hole_of_its_line(course: Course) -> None:
    """A syntax error in the third hole: the hints are the third hole's."""
    course.solve("attention")
    course.fill("attention", "attend", "        scores = = query\n")
    course.checker("s05", "--no-compile")
    assert given(course, "s05")[0].endswith("attend")


@pytest.mark.max
def test_without_its_marks_a_file_gets_hints_all_the_same(course: Course) -> None:
    """The learner took the marks out: the function of the failing check decides."""
    text = re.sub(r" *# (hole: .*|end)\n", "", course.solution("attention"))
    text = re.sub(r"math\.sqrt\(.*\)\n", "math.sqrt(self.embed_dim)\n", text)
    course.puzzle("attention").write_text(text)
    course.checker("s05", "--no-compile")
    assert given(course, "s05")[0].endswith("attend")


@pytest.mark.max
def test_a_step_that_passes_needs_none(course: Course) -> None:
    """Nothing is counted, and the way to the reference is shown."""
    course.solve("config")
    course.checker("s01")
    lines = given(course, "s01")
    assert "passes" in lines[0] and "solution s01" in lines[1]
    assert not course.state()["steps"]["s01"]["hints"]


def test_a_missing_file_gets_the_first_step_of_the_ladder(course: Course) -> None:
    """No file, no open hole to see: there is a hint, not a traceback."""
    course.puzzle("mlp").unlink()
    assert len(given(course, "s04")) >= 3


def test_hints_that_cannot_be_read_are_the_courses_fault(course: Course) -> None:
    """Exit status 3 and a sentence."""
    (course.root / "hints" / "mlp.toml").write_text("[[")
    done = course.checker("hint", "s04")
    assert done.returncode == 3 and "cannot be read" in done.stderr


@pytest.mark.parametrize("puzzle", puzzles(), ids=lambda puzzle: puzzle.step)
def test_every_hole_has_three_hints_and_none_is_the_solution(puzzle: Puzzle) -> None:
    """At least three rungs a hole, and no line of its solution in any of them."""
    hinted = {hole.name: hole for hole in hint.hinted(puzzle)}
    for region in holes.find(reference(puzzle.name).text):
        hole = hinted[region.name]
        assert len(hole.hints) >= 3
        told = "".join("".join(hole.hints).split())
        for line in region.code:
            code = "".join(line.partition("  #")[0].split())
            assert len(code) < 12 or code not in told, line
