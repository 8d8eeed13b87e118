"""The tables of checks keep their own rules, so that a mistake named is a mistake made.

Everything here is NumPy: neither MAX nor a learner's file is needed.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from checker.check import reference
from checker.compare import same
from checker.table import Check, Mistake, Puzzle, puzzles
from checker.worker.main import definitions

TOLERANCES = 10  # how far a mistake is from what is right and from other mistakes

ROWS = [
    pytest.param(puzzle, check, id=f"{puzzle.step}-{check.name}")
    for puzzle in puzzles()
    for check in puzzle.table.checks
]


def computed(check: Check) -> list[tuple[Mistake, Any]]:
    """The mistakes that give an answer of their own, and that answer."""
    with np.errstate(all="ignore"):
        return [(m, m.gives()) for m in check.mistakes if m.gives is not None]


def sentences(puzzle: Puzzle) -> Iterator[str]:
    """All that a learner can read in a step's report, but for numbers."""
    for check in puzzle.table.checks:
        yield from (check.name, check.passed, check.failed)
        yield from (mistake.message for mistake in check.mistakes)


@pytest.mark.parametrize(("puzzle", "check"), ROWS)
def test_a_mistake_is_far_from_what_is_right(puzzle: Puzzle, check: Check) -> None:
    """What a mistake gives is ten tolerances or more from what the check expects."""
    if check.expect is None:
        return
    want, far = check.expect(), TOLERANCES * check.tolerance
    near = [
        mistake.id
        for mistake, gives in computed(check)
        if mistake.probe is None and same(gives, want, far)
    ]
    assert not near


@pytest.mark.parametrize(("puzzle", "check"), ROWS)
def test_a_mistake_is_far_from_its_siblings(puzzle: Puzzle, check: Check) -> None:
    """Two mistakes that answer the same probe give answers ten tolerances apart."""
    far = TOLERANCES * check.tolerance
    near = [
        f"{one.id} = {other.id}"
        for (one, a), (other, b) in itertools.combinations(computed(check), 2)
        if one.id != other.id and one.probe is other.probe and same(a, b, far)
    ]
    assert not near


@pytest.mark.parametrize(("puzzle", "check"), ROWS)
def test_what_is_right_is_recognised_as_no_mistake(
    puzzle: Puzzle, check: Check
) -> None:
    """No mistake that judges an answer by itself takes the right one for its own."""
    if check.expect is None:
        return
    want = check.expect()
    mistaken = [
        mistake.id
        for mistake in check.mistakes
        if mistake.recognise and mistake.probe is None and mistake.recognise(want)
    ]
    assert not mistaken


@pytest.mark.parametrize("puzzle", puzzles(), ids=lambda puzzle: puzzle.step)
def test_a_mistake_can_be_found(puzzle: Puzzle) -> None:
    """Every mistake says how it is known: what it gives, a judgement or an error."""
    blind = [
        mistake.id
        for check in puzzle.table.checks
        for mistake in check.mistakes
        if not (mistake.gives or mistake.recognise or mistake.raises)
    ]
    assert not blind


@pytest.mark.parametrize("puzzle", puzzles(), ids=lambda puzzle: puzzle.step)
def test_a_check_needs_earlier_checks(puzzle: Puzzle) -> None:
    """What a check needs stands before it, under the very same sentence."""
    earlier: set[str] = set()
    for check in puzzle.table.checks:
        assert set(check.needs) <= earlier, check.name
        assert check.name not in earlier, f"two checks are called {check.name}"
        earlier.add(check.name)


@pytest.mark.parametrize("puzzle", puzzles(), ids=lambda puzzle: puzzle.step)
def test_the_place_to_look_at_exists(puzzle: Puzzle) -> None:
    """`where` names a function or class of the reference solution."""
    places = definitions(reference(puzzle.name).text)
    named = {check.where for check in puzzle.table.checks} - {""}
    assert named <= set(places)


@pytest.mark.parametrize("puzzle", puzzles(), ids=lambda puzzle: puzzle.step)
def test_sentences_are_plain(puzzle: Puzzle) -> None:
    """No exclamation marks, nothing that is "simply" so, and messages end."""
    for sentence in sentences(puzzle):
        assert "!" not in sentence.replace("'!'", ""), sentence  # '!' is a token
        assert not re.search(r"\b(simply|just|obviously|easy)\b", sentence), sentence
    for check in puzzle.table.checks:
        for mistake in check.mistakes:
            assert mistake.message.endswith((".", "?")), mistake.message
            assert not re.search(r"\s", mistake.id), mistake.id


def test_there_are_ten_tables_and_at_least_110_mistakes() -> None:
    """Ten steps, and 110 mistakes that are told apart."""
    known = {
        (puzzle.step, mistake.id)
        for puzzle in puzzles()
        for check in puzzle.table.checks
        for mistake in check.mistakes
    }
    assert len(puzzles()) == 10
    assert len({name for _, name in known}) >= 110
