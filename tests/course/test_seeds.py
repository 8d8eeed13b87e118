"""A class is graded on data of its own: whatever the seed, right files pass, and the
mistakes of a check differ from what is right and from each other."""

import itertools
import os
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from checker.course import ROOT, SEED, Puzzle, puzzles
from checker.verdict.compare import same
from checker.verdict.examiner import Examiner

pytestmark = pytest.mark.max

SEEDS = range(1, 51)
TOGETHER = 10
TOLERANCES = 3
"""How far apart mistakes are at least for every seed; for the usual data it is ten."""


def forget_data() -> None:
    """Tables and what they share draw their data when they are imported."""
    for name in [name for name in sys.modules if name.startswith("tests.s")]:
        del sys.modules[name]


@pytest.fixture
def drawing() -> Iterator[None]:
    """Puts the usual data back, and the modules that other tests hold."""
    kept = {n: m for n, m in sys.modules.items() if n.startswith("tests.s")}
    before = os.environ.get(SEED)
    yield
    forget_data()
    sys.modules.update(kept)
    os.environ.pop(SEED)
    if before is not None:
        os.environ[SEED] = before


def drawn(step: str) -> bool:
    """Whether a step's data is drawn; step 1 asks for GPT-2's own numbers, step 8 for
    texts."""
    return step not in ("s01", "s08", "s10")


def close_ones(puzzle: Puzzle) -> list[str]:
    """The pairs of a step's table that could be taken for each other."""
    found = []
    for check in puzzle.table.checks:
        far = TOLERANCES * check.tolerance
        with np.errstate(all="ignore"):
            given = [
                (m.id, (m.probe, m.given), m.gives())
                for m in check.known
                if m.gives is not None
            ]
        if check.expect is not None:
            given.append(("what is right", ("", ()), check.expect()))
        found += [
            f"{check.name}: {one} = {other}"
            for (one, asked, a), (other, also, b) in itertools.combinations(given, 2)
            if one != other and asked == also and same(a, b, far)
        ]
    return found


@pytest.mark.parametrize("first", SEEDS[::TOGETHER])
def test_every_seed_will_do(first: int, drawing: None) -> None:
    """The reference passes the steps whose data is drawn, and no mistake is
    taken for another."""
    steps = [puzzle for puzzle in puzzles() if drawn(puzzle.step)]
    close: dict[int, list[str]] = {}
    failed = []
    with Examiner(ROOT / "solutions") as examiner:
        for seed in range(first, first + TOGETHER):
            os.environ[SEED] = str(seed)
            forget_data()
            examiner._verdicts.clear()
            failed += [
                (seed, report.puzzle.step, report.trouble)
                for report in map(examiner.check, steps)
                if report.status != "passed"
            ]
            close[seed] = [pair for puzzle in steps for pair in close_ones(puzzle)]
    assert not failed
    assert not {seed: pairs for seed, pairs in close.items() if pairs}
