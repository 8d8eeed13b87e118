"""The tables of checks keep their own rules, so that a mistake named is a mistake made.

Everything here is NumPy: neither MAX nor a learner's file is needed.
"""

import ast
import importlib
import itertools
import re
import time
from collections.abc import Iterator
from functools import cache, reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from checker.course import ROOT, Puzzle, every, puzzles, reference
from checker.table import Check, Mistake
from checker.verdict.compare import same
from checker.verdict.diagnose import diagnose, holds
from checker.worker.files import places
from tests.course.submission_files import submissions

TOLERANCES = 10  # how far a mistake is from what is right and from other mistakes

ROWS = [
    pytest.param(puzzle, check, id=f"{puzzle.step}-{check.name}")
    for puzzle in every()
    for check in puzzle.table.checks
]
STEPS = pytest.mark.parametrize("puzzle", every(), ids=lambda puzzle: puzzle.step)


@cache
def computed(check: Check) -> list[tuple[Mistake, Any]]:
    """The mistakes that give an answer of their own, and that answer."""
    with np.errstate(all="ignore"):
        return [(m, m.gives()) for m in check.known if m.gives is not None]


def sentences(puzzle: Puzzle) -> Iterator[str]:
    """All that a learner can read in a step's report, but for numbers."""
    for check in puzzle.table.checks:
        yield from (check.name, check.passed, check.failed)
        yield from (mistake.message for mistake in check.known)


@pytest.mark.parametrize(("puzzle", "check"), ROWS)
def test_a_mistake_is_far_from_what_is_right(puzzle: Puzzle, check: Check) -> None:
    """What a mistake gives is ten tolerances or more from what the check expects."""
    if check.expect is None:
        return
    want, far = check.expect(), TOLERANCES * check.tolerance
    near = [
        mistake.id
        for mistake, gives in computed(check)
        if not mistake.probe and same(gives, want, far)
    ]
    assert not near, f"within ten tolerances ({far:g}) of what is right"


@pytest.mark.parametrize(("puzzle", "check"), ROWS)
def test_a_mistake_is_far_from_its_siblings(puzzle: Puzzle, check: Check) -> None:
    """Two mistakes that answer the same probe give answers ten tolerances apart."""
    far = TOLERANCES * check.tolerance
    near = [
        f"{one.id} = {other.id}"
        for (one, a), (other, b) in itertools.combinations(computed(check), 2)
        if one.id != other.id
        and (one.probe, one.given) == (other.probe, other.given)
        and same(a, b, far)
    ]
    assert not near, f"within ten tolerances ({far:g}) of each other"


@pytest.mark.parametrize(("puzzle", "check"), ROWS)
def test_what_is_right_is_no_mistake(puzzle: Puzzle, check: Check) -> None:
    """No judgement takes the right answer for a mistake."""
    if check.expect is None:
        return
    want = check.expect()
    mistaken = [
        mistake.id
        for mistake in check.known
        if mistake.proves and not mistake.probe and holds(mistake.proves, want)
    ]
    assert not mistaken


# Garbage: nothing is said about the cause of an answer that no mistake gives.

MODES = ("values", "large", "shape", "rank", "not a number")
EXCEPTIONS = (
    ("ValueError", "something else entirely"),
    ("TypeError", "f() takes 1 positional argument but 2 were given"),
    ("AttributeError", "'Thing' object has no attribute 'other'"),
    ("NameError", "name 'thing' is not defined"),
    ("RuntimeError", ""),
)
RANDOM = np.random.default_rng(5)


def scrambled(value: Any, mode: str) -> Any:
    """Garbage of the form of a value."""
    if isinstance(value, np.ndarray):
        return _scrambled_array(value, mode)
    if isinstance(value, dict):
        return {name: scrambled(each, mode) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [scrambled(each, mode) for each in value]
    if isinstance(value, bool):
        return "garbage"
    if isinstance(value, int):
        return 987_654 + int(RANDOM.integers(9))
    return 1234.5678 if isinstance(value, float) else "zq garbage xyw"


def _scrambled_array(value: np.ndarray, mode: str) -> np.ndarray:
    shape = value.shape
    if mode == "shape":
        shape = tuple(size + 1 for size in shape)
    elif mode == "rank":
        shape = (1, *shape)
    if value.dtype.kind != "f":
        return RANDOM.integers(0, 50, shape).astype(value.dtype)
    if mode == "not a number":
        return np.full(shape, np.nan, value.dtype)
    scale = 100 if mode == "large" else 1
    return (scale * RANDOM.standard_normal(shape)).astype(value.dtype)


def forms(check: Check) -> Iterator[Any]:
    """Answers of the forms that a check could get."""
    if check.expect:
        yield check.expect()
    yield from [gives for _, gives in computed(check)][:3]
    pieces = ("together", "apart", "before", "after")
    yield dict.fromkeys(pieces, np.zeros((2, 5, 12), np.float32))
    yield from (np.zeros((2, 5, 12), np.float32), [1, 2], "text", {})


def gives(mistake: Mistake, otherwise: Any) -> Any:
    """An answer of the form that a mistake's own probe gives."""
    return mistake.gives() if mistake.gives else otherwise


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("puzzle", "check"), ROWS)
def test_garbage_is_not_named(puzzle: Puzzle, check: Check, mode: str) -> None:
    """Random numbers, other shapes and NaN are no mistake of anybody's."""
    for form in forms(check):
        if isinstance(form, bool):
            continue
        garbage = ("value", scrambled(form, mode))
        own = {
            mistake: (
                "value",
                scrambled(mistake.gives() if mistake.gives else form, mode),
            )
            for mistake in check.known
            if mistake.probe
        }
        named = diagnose(check, garbage, own, time.thread_time() + 60)
        assert named is None, (named.id, garbage)


@pytest.mark.parametrize(("puzzle", "check"), ROWS)
def test_an_exception_is_not_named(puzzle: Puzzle, check: Check) -> None:
    """An exception is explained, if at all; what it comes from is not known."""
    for kind, message in EXCEPTIONS:
        for refused in (False, True):
            error = {"type": kind, "message": message, "unusable": refused}
            named = diagnose(check, ("error", error), {}, time.thread_time() + 60)
            assert named is None, named and named.id


@STEPS
def test_every_mistake_is_computed_or_shown(puzzle: Puzzle) -> None:
    """An id that is not computed is shown by a learner's file, of any step: what
    several steps share needs one file."""
    shown = {each.named for each in submissions("wrong")}
    blind = {
        mistake.id
        for check in puzzle.table.checks
        for mistake in check.known
        if mistake.gives is None
    }
    assert not blind - shown


@STEPS
def test_one_id_is_one_mistake(puzzle: Puzzle) -> None:
    """Within a step the same id comes with the same message."""
    messages: dict[str, set[str]] = {}
    for check in puzzle.table.checks:
        for mistake in check.known:
            messages.setdefault(mistake.id, set()).add(mistake.message)
    assert not {name for name, told in messages.items() if len(told) > 1}


@STEPS
def test_a_mistake_can_be_found(puzzle: Puzzle) -> None:
    """Every mistake says how it is known."""
    for check in puzzle.table.checks:
        for mistake in check.known:
            assert mistake.gives or mistake.proves or mistake.refused, mistake.id


@STEPS
def test_probes_exist(puzzle: Puzzle) -> None:
    """Every probe that a table names is in the step's probes.py."""
    probes = importlib.import_module(f"{puzzle.package}.probes")
    table = puzzle.table
    for check in (*table.checks, *filter(None, [table.compiled])):
        asked = [check.probe, *(m.probe for m in check.known if m.probe)]
        for name in asked:
            assert callable(reduce(getattr, name.split("."), probes)), name


@STEPS
def test_a_check_needs_earlier_checks(puzzle: Puzzle) -> None:
    """What a check needs stands before it, under the very same sentence."""
    earlier: set[str] = set()
    for check in puzzle.table.checks:
        assert set(check.needs) <= earlier, check.name
        assert check.name not in earlier, f"two checks are called {check.name}"
        earlier.add(check.name)


@STEPS
def test_the_place_to_look_at_exists(puzzle: Puzzle) -> None:
    """`where` names a function or class of the reference solution."""
    known = places(reference(puzzle.name).text)
    named = {check.where for check in puzzle.table.checks} - {""}
    assert named <= set(known)


@STEPS
def test_sentences_are_plain(puzzle: Puzzle) -> None:
    """No exclamation marks, nothing that is "simply" so, and messages end."""
    for sentence in sentences(puzzle):
        assert "!" not in sentence.replace("'!'", ""), sentence  # '!' is a token
        assert not re.search(r"\b(simply|just|obviously|easy)\b", sentence), sentence
    for check in puzzle.table.checks:
        for mistake in check.known:
            assert mistake.message.endswith((".", "?")), mistake.message
            assert not re.search(r"\s", mistake.id), mistake.id


def imports(path: Path) -> set[str]:
    """The modules that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    return found


def course_file(module: str) -> Path | None:
    path = ROOT / Path(*module.split("."))
    files = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in files if file.is_file()), None)


@STEPS
def test_probes_reach_no_oracle(puzzle: Puzzle) -> None:
    """Nothing that a worker imports leads to a table or to the formulas."""
    todo, seen = [f"{puzzle.package}.probes", "checker.worker.main"], set()
    while todo:
        module = todo.pop()
        if module in seen or (file := course_file(module)) is None:
            continue
        seen.add(module)
        todo += imports(file)
    oracles = (".table", ".formulas", ".rows", ".bpe")
    assert not {m for m in seen if m.startswith("tests.") and m.endswith(oracles)}


def test_there_are_ten_tables_and_at_least_110_mistakes() -> None:
    """Ten steps, and 110 mistakes that are told apart."""
    known = {
        mistake.id
        for puzzle in puzzles()
        for check in puzzle.table.checks
        for mistake in check.known
    }
    assert len(puzzles()) == 10
    assert len(known) >= 110


def test_no_function_is_long() -> None:
    """No function of the checker or of the tables has more than 40 lines."""
    folders = (
        "checker",
        *(f"tests/{p.step}_{p.name}" for p in every()),
        "tests/support",
    )
    long = [
        f"{path.name}: {node.name}"
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= 40
    ]
    assert not long
