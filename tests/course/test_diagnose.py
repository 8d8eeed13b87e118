"""Naming a mistake: by its answer, by what only it has, and within a time."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from checker.table import Check, Mistake, Table
from checker.verdict import diagnose
from checker.verdict.diagnose import holds, own_probes, prepare
from tests.course.invented import anything, error

AGES = 60.0


def named(
    mistakes: tuple[Mistake, ...],
    result: tuple[str, Any] | None = None,
    *,
    own: dict[Mistake, tuple[str, Any]] | None = None,
    seconds: float = AGES,
    tolerance: float = 1e-4,
) -> str | None:
    """The id of the mistake that is named."""
    check = Check("adds", "adds", expect=int, mistakes=mistakes, tolerance=tolerance)
    until = diagnose.time.thread_time() + seconds
    found = diagnose.diagnose(check, result, own or {}, until)
    return found.id if found else None


def gives(name: str, value: object, **more: Any) -> Mistake:
    return Mistake(name, "The sum is off.", gives=lambda: value, **more)


def proves(name: str, judgement: Callable[[Any], bool], **more: Any) -> Mistake:
    return Mistake(name, "The sum is off.", proves=judgement, **more)


def refused(name: str, pattern: str, **more: Any) -> Mistake:
    return Mistake(name, "The sum is off.", refused=pattern, **more)


class Clock:
    """A clock that stands still but for what is told to take time."""

    def __init__(self) -> None:
        self.now = 0.0

    def thread_time(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """In the place of the module's own."""
    made = Clock()
    monkeypatch.setattr(diagnose, "time", made)
    return made


class Slow:
    """What a mistake gives, after a second, and how often it was computed."""

    def __init__(self, clock: Clock, value: object) -> None:
        self.clock, self.value, self.count = clock, value, 0

    def __call__(self) -> object:
        self.clock.now += 1.0
        self.count += 1
        return self.value


# Computed


def test_the_first_that_gives_the_answer_is_named() -> None:
    """In the order of the table; one that gives something else is not."""
    mistakes = (gives("off", 8), gives("one", 7), gives("other", 7))
    assert named(mistakes, ("value", 7)) == "one"
    assert named(mistakes[::-1], ("value", 7)) == "other"
    assert named(mistakes, ("value", 9)) is None


def test_answers_are_compared_within_the_checks_tolerance() -> None:
    """Near enough is the same answer, for arrays and for numbers."""
    mistakes = (gives("half", np.array([0.5])), gives("third", 1 / 3))
    assert named(mistakes, ("value", np.array([0.50009]))) == "half"
    assert named(mistakes, ("value", np.array([0.5009]))) is None
    assert named(mistakes, ("value", np.array([0.50009])), tolerance=0.0) is None
    assert named(mistakes, ("value", 0.33334)) == "third"


def test_what_gives_nothing_is_not_named_without_an_answer() -> None:
    """None is an answer like any other; no answer at all names nothing."""
    mistakes = (gives("nothing", None),)
    assert named(mistakes, ("value", None)) == "nothing"
    assert named(mistakes, None) is None


def test_a_division_by_zero_in_a_mistake_warns_nobody() -> None:
    """Warnings are errors here: this one is not given."""
    mistake = Mistake("zero", "x", gives=lambda: np.ones(2) / np.zeros(2))
    assert named((mistake,), ("value", np.array([np.inf, np.inf]))) == "zero"


def test_what_a_mistake_gives_is_computed_once(clock: Clock) -> None:
    """However many files are judged."""
    slow = Slow(clock, 7)
    mistake = Mistake("slow", "The sum is off.", gives=slow)
    for value in (7, 8, 7):
        named((mistake,), ("value", value))
    assert slow.count == 1


# Proven


def test_a_property_that_holds_names_its_mistake() -> None:
    """Of the first for which it does."""
    mistakes = (proves("even", lambda n: n % 2 == 0), proves("odd", lambda n: n % 2))
    assert named(mistakes, ("value", 4)) == "even"
    assert named(mistakes, ("value", 5)) == "odd"


def test_a_property_and_an_answer_of_one_mistake() -> None:
    """Either shows it."""
    mistake = Mistake("small", "x", gives=lambda: 100, proves=lambda n: n < 3)
    assert named((mistake,), ("value", 2)) == "small"
    assert named((mistake,), ("value", 100)) == "small"
    assert named((mistake,), ("value", 50)) is None


class Odd(Exception):
    """An exception that nobody has heard of."""


@pytest.mark.parametrize(
    "problem",
    [Odd, KeyError, StopIteration, OverflowError, RecursionError, AssertionError],
)
def test_a_judgement_that_raises_shows_nothing(problem: type[Exception]) -> None:
    """The answer has not the form that it looks at; the next mistake is asked."""

    def judge(_: object) -> bool:
        raise problem

    assert not holds(judge, 3)
    assert named((proves("raises", judge), gives("next", 3)), ("value", 3)) == "next"


def test_a_judgement_sees_any_answer() -> None:
    """Judgements of the usual kinds on 500 answers of any form: none raises."""
    choose = random.Random(5)
    judgements: tuple[Callable[[Any], object], ...] = (
        lambda got: np.isfinite(got["new"]).all(),
        lambda got: abs(got - 1) < 0.5,
        lambda got: float(got) > 3,
        lambda got: got[0][1] == 2,
        lambda got: got > 0,  # an array: neither true nor false
        lambda got: np.ones(10**6)[got],
        lambda got: next(each for each in got if each == 17),
    )
    for _ in range(500):
        value = anything(choose)
        for judgement in judgements:
            assert holds(judgement, value) in (True, False)


# What a probe refused


def test_a_refusal_is_named_by_what_our_probe_said() -> None:
    """The pattern is looked for in a refusal of ours, and nowhere else."""
    mistakes = (refused("none", r"is None: is a `return` missing"),)
    said = "the result is None: is a `return` missing?"
    assert named(mistakes, ("error", error(message=said, unusable=True))) == "none"
    assert named(mistakes, ("error", error(message=said))) is None  # the learner's own
    assert named(mistakes, ("value", said)) is None
    other = error(message="the result is a list", unusable=True)
    assert named(mistakes, ("error", other)) is None


def test_an_exception_is_no_answer() -> None:
    """What gives or proves something is not asked about an exception."""
    mistakes = (gives("same", error()), proves("always", lambda _: True))
    assert named(mistakes, ("error", error())) is None
    assert named(mistakes, ("error", error(unusable=True))) is None


# Own probes


def test_a_mistake_with_a_probe_is_named_by_its_own_answer() -> None:
    """The check's answer does not count for it, nor its own for the others."""
    own = gives("swapped", 7, probe="square", given=(3,))
    plain = gives("plain", 7)
    assert named((own,), ("value", 7)) is None
    assert named((own,), ("value", 1), own={own: ("value", 7)}) == "swapped"
    assert named((own, plain), ("value", 7), own={own: ("value", 8)}) == "plain"
    assert named((plain,), ("value", 1), own={own: ("value", 7)}) is None


def test_own_probes_may_prove_and_refuse() -> None:
    """All three ways work on a probe of the mistake's own."""
    proven = proves("proven", lambda n: n > 5, probe="square")
    unusable = refused("refused", "no such", probe="square")
    assert named((proven,), own={proven: ("value", 7)}) == "proven"
    answer = ("error", error(message="no such size", unusable=True))
    assert named((unusable,), own={unusable: answer}) == "refused"
    assert named((proven,), own={proven: answer}) is None


def test_own_probes_are_asked_once() -> None:
    """Each probe with its arguments, in order, over all checks that failed."""
    one = Check(
        "a",
        "p",
        expect=int,
        mistakes=(gives("a", 1), gives("b", 1, probe="q", given=(1,))),
    )
    two = Check(
        "b",
        "p",
        expect=int,
        mistakes=(
            gives("c", 1, probe="q", given=(2,)),
            gives("d", 1, probe="q", given=(1,)),
        ),
    )
    assert own_probes([one, two]) == [["q", [1]], ["q", [2]]]
    assert own_probes([]) == []


# Time


def test_nothing_is_computed_after_the_time_is_up() -> None:
    """What is known already is still compared; proofs, which are cheap, are asked."""
    known, unknown = gives("known", 7), gives("unknown", 8)
    assert named((known,), ("value", 7)) == "known"
    mistakes = (unknown, known, proves("proven", lambda n: n == 8))
    assert named(mistakes, ("value", 7), seconds=-1) == "known"
    assert named(mistakes, ("value", 8), seconds=-1) == "proven"
    assert named(mistakes, ("value", 8)) == "unknown"


def test_a_check_with_slow_mistakes_is_answered_in_time(clock: Clock) -> None:
    """Of ten that take a second each, in two and a half seconds three are begun."""
    slow = [Slow(clock, number) for number in range(10)]
    mistakes = tuple(Mistake(f"m{each.value}", "x", gives=each) for each in slow)
    assert named(mistakes, ("value", 99), seconds=2.5) is None
    assert [each.count for each in slow] == [1] * 3 + [0] * 7
    assert clock.now == 3.0
    assert named(mistakes, ("value", 2), seconds=-1) == "m2"
    assert named(mistakes, ("value", 3), seconds=-1) is None


def test_prepared_mistakes_cost_nothing_later(clock: Clock) -> None:
    """``prepare`` computes ahead, as far as its time goes; then all are known."""
    slow = [Slow(clock, number) for number in range(5)]
    mistakes = tuple(Mistake(f"m{each.value}", "x", gives=each) for each in slow)
    table = Table(checks=(Check("a", "p", expect=int, mistakes=mistakes),))
    for seconds, count in ((-1, 0), (1.5, 2), (AGES, 5), (AGES, 5)):
        prepare(table, seconds)
        assert sum(each.count for each in slow) == count
    assert named(mistakes, ("value", 4), seconds=-1) == "m4"
