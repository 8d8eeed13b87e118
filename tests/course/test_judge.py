"""From the answers of a worker to the lines of a report, by an invented table."""

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from checker.course import puzzles
from checker.desk.screen import as_json, dump
from checker.link import wire
from checker.link.process import LOAD, Answers, key
from checker.table import Check, Mistake, Table
from checker.verdict import judge
from checker.verdict.compare import same
from checker.verdict.explain import Place
from checker.verdict.judge import Judge
from checker.verdict.report import Line, Report, status_of
from tests.course.invented import answers, any_message, anything, error, not_loaded

PRODUCT = Mistake("product", "The numbers are multiplied.", gives=lambda: 2)
SQUARED = Mistake(
    "squared", "The sum is squared.", gives=lambda: 25, probe="adds", given=(2, 3)
)
NOTHING = Mistake("nothing", "Nothing comes back.", refused=r"is None: is a `return`")

ADDS = Check(
    "adds two numbers",
    "adds",
    given=(1, 2),
    expect=lambda: 3,
    mistakes=(PRODUCT, SQUARED, NOTHING),
    where="Sum.add",
)
SWAPS = Check(
    "adds them either way",
    "swaps",
    accept=lambda got: None if got[0] == got[1] else f"{got[0]} and {got[1]} differ",
    needs=(ADDS.name,),
)
ROUNDS = Check(
    "rounds the mean",
    "rounds",
    expect=lambda: 1.5,
    needs=(SWAPS.name,),
    passed="the mean is {got}",
    failed="the mean is wrong, got {got}",
)
AGAIN = replace(ADDS, name="adds again", mistakes=(), where="")
TABLE = Table(checks=(ADDS, SWAPS, ROUNDS, AGAIN))
FILE = "puzzles/adder.py"

RIGHT = (("value", 3), ("value", [4, 4]), ("value", 1.5))
WRONG = ("value", 9)


def judged(*results: tuple[str, Any] | None, **more: Any) -> Judge:
    return Judge(TABLE, FILE, answers(TABLE, *results, **more))


def lines(*results: tuple[str, Any] | None, **more: Any) -> dict[str, Line]:
    """The lines by their names, after naming what the answers show."""
    made = judged(*results, **more)
    made.name_mistakes()
    return {line.name: line for line in made.lines()}


def statuses(*results: tuple[str, Any] | None, **more: Any) -> list[str]:
    return [line.status for line in lines(*results, **more).values()]


# Passed and failed


def test_all_is_right() -> None:
    """A line for each check, no more; the sentence for what passed shows the value."""
    found = lines(*RIGHT)
    assert {line.status for line in found.values()} == {"passed"}
    assert [line.sentence for line in found.values()] == [
        "adds two numbers",
        "adds them either way",
        "the mean is 1.5",
        "adds again",
    ]
    assert not any(line.detail or line.mistake or line.place for line in found.values())


def test_a_wrong_answer() -> None:
    """What was got and wanted, the place to look at, no mistake but a known one."""
    places = {"Sum.add": (7, "return a - b")}
    made = judged(WRONG, *RIGHT[1:], places=places)
    assert made.name_mistakes() == [["adds", [2, 3]]]
    line = made.lines()[0]
    assert (line.status, line.detail) == ("failed", ("got 9, want 3",))
    assert line.mistake is None
    assert line.place == Place(FILE, 7)
    assert made.lines()[3].place is None


def test_a_property() -> None:
    """What ``accept`` says is the detail."""
    line = lines(RIGHT[0], ("value", [4, 5]), RIGHT[2])[SWAPS.name]
    assert (line.status, line.detail) == ("failed", ("4 and 5 differ",))


@pytest.mark.parametrize("value", [None, 3, [], "", {"a": 1}, np.zeros((0, 4))])
def test_a_property_of_something_else(value: object) -> None:
    """An answer without the form that it looks at has no such property."""
    line = lines(RIGHT[0], ("value", value), RIGHT[2])[SWAPS.name]
    assert line.status == "failed" and line.detail[0].startswith("got ")


def test_a_sentence_with_the_value_says_it_all() -> None:
    """It comes in the place of the name and of the detail."""
    line = lines(*RIGHT[:2], ("value", 1e-05))[ROUNDS.name]
    assert line.sentence == "the mean is wrong, got 1e-05"
    assert line.detail == () and line.name == ROUNDS.name


def test_a_value_with_braces_is_shown_as_it_is() -> None:
    """What the learner's code answers is no template."""
    line = lines(*RIGHT[:2], ("value", "{x} {got} {"))[ROUNDS.name]
    assert line.sentence == "the mean is wrong, got '{x} {got} {'"


def test_without_a_value_no_sentence_shows_one() -> None:
    """An exception is no value None."""
    line = lines(*RIGHT[:2], ("error", error()))[ROUNDS.name]
    assert line.sentence == ROUNDS.name and line.status == "error"


# Blocked


def test_what_needs_a_check_waits_for_it() -> None:
    """It says for which; what it answered does not matter, nor who waits for it."""
    found = lines(WRONG, *RIGHT[1:])
    assert statuses(WRONG, *RIGHT[1:]) == [
        "failed", "blocked", "blocked", "failed",
    ]  # fmt: skip
    assert found[SWAPS.name].needs == ADDS.name
    assert found[ROUNDS.name].needs == SWAPS.name
    assert not found[SWAPS.name].detail


# Exceptions and holes


def test_an_exception() -> None:
    """In words, with the line where it was raised and the shapes there."""
    frames = [["puzzles/adder.py", 3, "f", "x"], [FILE, 9, "add", "a + b"]]
    raised = error("TypeError", "no", frames=frames, shapes={"a": "[2]", "b": "[3]"})
    line = lines(("error", raised), *RIGHT[1:])[ADDS.name]
    assert line.status == "error" and line.mistake is None
    assert line.place == Place(FILE, 9, "a + b")
    assert line.detail[-1] == "shapes there: a [2], b [3]"


def test_an_exception_is_no_mistake() -> None:
    """Not even where its message says what a refusal of ours would say."""
    said = "the result is None: is a `return` missing?"
    line = lines(("error", error(message=said)), *RIGHT[1:])[ADDS.name]
    assert line.mistake is None
    line = lines(("error", error("Unusable", said, unusable=True)), *RIGHT[1:])[
        ADDS.name
    ]
    assert line.mistake is NOTHING and said in line.detail


def test_an_open_hole() -> None:
    """Todo, not an error, and nothing is diagnosed."""
    hole = ("error", error("NotImplementedError", "add", todo=True))
    made = judged(hole, *RIGHT[1:])
    assert made.name_mistakes() == []
    assert [line.status for line in made.lines()] == [
        "todo", "blocked", "blocked", "todo",
    ]  # fmt: skip


def test_a_file_that_cannot_be_loaded() -> None:
    """One line says why, all checks wait; nothing is diagnosed."""
    made = Judge(TABLE, FILE, not_loaded(error("ImportError", "cannot import name")))
    assert made.name_mistakes() == []
    first, *rest = made.lines()
    assert (first.name, first.status) == ("adder.py can be imported", "error")
    assert "cannot import name" in first.detail[0]
    assert [line.status for line in rest] == ["blocked"] * 4
    assert {line.needs for line in rest} == {"the file to load"}


def test_a_hole_at_the_top_of_a_file() -> None:
    """The file cannot be loaded, because a hole is open."""
    hole = error("NotImplementedError", "a hole", todo=True)
    found = Judge(TABLE, FILE, not_loaded(hole)).lines()
    assert found[0].status == "todo" and status_of(found) == "todo"


# Stopped


def test_a_file_that_is_stopped_in_a_check() -> None:
    """That check has the error, the later ones wait for it."""
    found = lines(*RIGHT[:2], None, stopped="did not finish", during="rounds")
    assert found[ROUNDS.name].detail == ("adder.py did not finish",)
    assert statuses(*RIGHT[:2], None, stopped="x") == [
        "passed", "passed", "error", "passed",
    ]  # fmt: skip


def test_checks_that_share_a_probe_are_stopped_together() -> None:
    """The first has the error, the others wait."""
    found = list(lines(None, None, None, stopped="did not finish").values())
    assert [line.status for line in found] == ["error", *["blocked"] * 3]
    assert found[3].needs == ADDS.name
    assert found[0].detail == ("adder.py did not finish",)


def test_a_file_that_is_stopped_while_it_loads() -> None:
    """The line of loading says so."""
    stopped = Answers(stopped="was ended by SIGKILL", during=LOAD)
    first, *rest = Judge(TABLE, FILE, stopped).lines()
    assert first.detail == ("adder.py was ended by SIGKILL",)
    assert first.status == "error" and {line.status for line in rest} == {"blocked"}


def test_a_file_that_ends_after_its_last_answer_does_not_pass() -> None:
    """What it did to everything else was never told."""
    found = judged(*RIGHT, stopped="ended the process", during="adds").lines()
    assert [line.status for line in found] == [*["passed"] * 4, "error"]
    assert found[4].detail == ("adder.py ended the process",)
    assert status_of(found) == "error"


def test_a_stop_is_told_where_its_check_waits_for_another() -> None:
    """The check that hung needs one that failed: the file was stopped all the same."""
    found = judged(WRONG, None, None, stopped="did not finish").lines()
    assert [line.status for line in found[:2]] == ["failed", "blocked"]
    assert found[-1].detail == ("adder.py did not finish",)
    assert status_of(found) == "error"


def test_an_answer_that_is_missing() -> None:
    """A worker that was done without it: an error, never a pass."""
    found = lines(*RIGHT[:2], None)
    assert found[ROUNDS.name].detail == ("adder.py gave no answer",)
    assert found[ROUNDS.name].status == "error"


def test_violations() -> None:
    """A line for each, after the checks; the step does not pass."""
    found = judged(*RIGHT, violations=["replaces len", "replaces Tensor"]).lines()
    assert [line.detail for line in found[4:]] == [
        ("adder.py replaces len",),
        ("adder.py replaces Tensor",),
    ]
    assert status_of(found) == "error"


# One diagnosis


def test_a_mistake_that_its_answer_shows() -> None:
    """No probe is asked besides."""
    made = judged(("value", 2), *RIGHT[1:])
    assert made.name_mistakes() == []
    assert made.lines()[0].mistake is PRODUCT


def test_a_mistake_that_its_own_probe_shows() -> None:
    """The probes of what is not named yet are asked once, then it is named."""
    made = judged(WRONG, *RIGHT[1:])
    asked = made.name_mistakes()
    assert made.lines()[0].mistake is None
    made.name_more({key(asked[0]): ("value", 25)})
    assert made.lines()[0].mistake is SQUARED


def test_own_probes_take_no_name_away() -> None:
    """What the answer has shown stays."""
    made = judged(("value", 2), *RIGHT[1:])
    made.name_mistakes()
    made.name_more({key(["adds", [2, 3]]): ("value", 25)})
    assert made.lines()[0].mistake is PRODUCT


class Counted:
    """A mistake's answer, or an expected one, that knows how often it was computed."""

    def __init__(self, value: object) -> None:
        self.value, self.count = value, 0

    def __call__(self) -> object:
        self.count += 1
        return self.value


def test_each_answer_is_compared_once() -> None:
    """However often lines are written and mistakes named."""
    expected, given = Counted(3), Counted(9)
    mistake = Mistake("nine", "It is nine.", gives=given)
    check = replace(ADDS, expect=expected, mistakes=(mistake,))
    table = Table(checks=(check,))
    made = Judge(table, FILE, answers(table, WRONG))
    for _ in range(3):
        made.name_mistakes()
        made.name_more({})
        made.lines()
    assert (expected.count, given.count) == (1, 1)


def test_what_waits_or_passes_is_not_diagnosed() -> None:
    """Only checks that failed by themselves cost time and probes."""
    given = Counted(9)
    mistake = Mistake("nine", "It is nine.", gives=given, probe="more")
    table = Table(
        checks=(ADDS, *(replace(c, mistakes=(mistake,)) for c in (SWAPS, ROUNDS)))
    )
    for results in ((WRONG, WRONG, WRONG), (RIGHT[0], ("value", [1, 1]), RIGHT[2])):
        made = Judge(table, FILE, answers(table, *results))
        assert ["more", []] not in made.name_mistakes()
    assert given.count == 0


def test_all_checks_share_one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is up nothing more is computed, in whichever check."""
    monkeypatch.setattr(judge, "BUDGET", -1.0)
    given = Counted(9)
    checks = tuple(
        replace(ADDS, name=name, mistakes=(Mistake(name, "x", gives=given),))
        for name in ("a", "b")
    )
    table = Table(checks=checks)
    made = Judge(table, FILE, answers(table, WRONG))
    made.name_mistakes()
    assert given.count == 0 and not made.mistakes


# The report


def report(*results: tuple[str, Any] | None, **more: Any) -> Report:
    made = judged(*results, **more)
    made.name_mistakes()
    found = tuple(made.lines())
    return Report(puzzles()[0], FILE, status_of(list(found)), found)


HOLE = ("error", error("NotImplementedError", "add", todo=True))


@pytest.mark.parametrize(
    ("results", "status", "trouble", "passed"),
    [
        (RIGHT, "passed", None, 4),
        ((WRONG, *RIGHT[1:]), "failed", ADDS.name, 0),
        ((*RIGHT[:2], HOLE), "todo", ROUNDS.name, 3),
        ((HOLE, *RIGHT[1:]), "todo", ADDS.name, 0),
        ((RIGHT[0], WRONG, HOLE), "failed", SWAPS.name, 2),
        ((*RIGHT[:2], ("error", error())), "error", ROUNDS.name, 3),
    ],
)
def test_the_status_of_a_step(
    results: tuple[Any, ...], status: str, trouble: str | None, passed: int
) -> None:
    """An error outweighs a failure, a failure an open hole; the trouble is the first
    line that needs work."""
    found = report(*results)
    assert (found.status, found.passed) == (status, passed)
    assert (found.trouble.name if found.trouble else None) == trouble
    assert not found.fault


def test_nothing_and_what_waits_alone_does_not_pass() -> None:
    """A report without a line that passed has not passed."""
    waiting = Line("a", "blocked", "a", needs="b")
    assert status_of([]) == status_of([waiting]) == "failed"
    found = Report(puzzles()[0], FILE, "failed", (waiting,))
    assert found.trouble is waiting


# Anything may come


def keys() -> list[str]:
    return [key([check.probe, list(check.given)]) for check in TABLE.checks[:3]]


def fuzzed(choose: random.Random) -> Answers:
    """The answers after messages that are odd, and after results that are."""
    awaited: list[tuple[object, str]] = [(LOAD, LOAD), *enumerate(keys())]
    found = Answers()
    if choose.random() < 0.8:
        found.take({"begin": LOAD}, awaited)
        found.take({"at": LOAD, "value": {"Sum.add": anything(choose)}}, awaited)
        for at in range(choose.randrange(4)):
            found.take({"begin": at}, awaited)
            found.take({"at": at, **_answer(choose)}, awaited)
    for _ in range(choose.randrange(4)):
        found.take(wire.decode(wire.encode(any_message(choose))), awaited)
    found.stopped = choose.choice(("", "did not finish")) if found.during else "x"
    return found


def _answer(choose: random.Random) -> dict[str, Any]:
    answer = any_message(choose)
    if choose.random() < 0.3 and isinstance(answer, dict) and "error" in answer:
        return {"error": answer["error"]}
    return {"value": choose.choice((anything(choose), 3, [4, 4], 1.5))}


def test_whatever_a_worker_says_there_is_a_report() -> None:
    """A thousand conversations: a line for each check, JSON that can be written, and
    a pass only where every answer is right."""
    choose = random.Random(8)
    seen: set[str] = set()
    for _ in range(1000):
        found = fuzzed(choose)
        made = Judge(TABLE, FILE, found)
        asked = made.name_mistakes()
        made.name_more({key(probe): ("value", anything(choose)) for probe in asked})
        written = made.lines()
        status = status_of(written)
        assert {check.name for check in TABLE.checks} <= {line.name for line in written}
        whole = Report(puzzles()[0], FILE, status, tuple(written))
        dump(as_json(whole)).encode()
        right = all(
            same(found.results.get(asked), ("value", value), 1e-4)
            for asked, value in ((keys()[0], 3), (keys()[2], 1.5))
        )
        assert status != "passed" or (right and not found.stopped)
        seen.add(status)
    assert {"failed", "error"} <= seen


def test_a_probe_with_a_fault_of_its_own() -> None:
    """The checker's own NameError is the checker's fault, not the learner's error."""
    place = "tests/s04_mlp/probes.py:7"
    found = error("NameError", "name 'loud' is not defined", fault=place)
    line = lines(("error", found), *RIGHT[1:])[ADDS.name]
    assert line.fault and line.mistake is None
    assert place in line.detail[0] and "loud" in line.detail[0]
