"""Comparing what was got with what is right, and the words for a difference."""

import random
from typing import Any

import numpy as np
import pytest

from checker.verdict.compare import brief, difference, same
from tests.course.invented import anything

TOLERANCE = 1e-4
NAN, INF = float("nan"), float("inf")


def f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


EQUAL = [
    (None, None),
    (True, True),
    (7, 7),
    (7, np.int64(7)),
    ("a  b", "a  b"),
    (1.0, 1.00009),
    (1.0, np.float64(1.0)),
    (1000.0, 1000.09),
    (0.0, 0.00009),
    (NAN, NAN),
    (-INF, -INF),
    ([], []),
    ([1, "a", None], (1, "a", None)),
    ([f32(1), f32(2)], [f32(1), f32(2)]),
    ({"a": 1, "more": 2}, {"a": 1}),
    (f32(1, 1000, NAN, INF, -INF), f32(1.00009, 1000.09, NAN, INF, -INF)),
    (np.array([50256, -1]), np.array([50256, -1])),
    (np.array(["a"]), np.array(["a"])),
    (np.array(3, np.float32), np.array(3, np.float32)),
    (np.zeros((0, 4)), np.zeros((0, 4))),
]


@pytest.mark.parametrize(("got", "want"), EQUAL)
def test_equal(got: object, want: object) -> None:
    """Floats are equal within the tolerance, infinities and NaN to themselves, all
    else if it is the same; a dictionary may have more than is wanted."""
    assert same(got, want, TOLERANCE)
    assert difference(got, want, TOLERANCE) is None


DIFFERENT = [
    # one value
    (None, 0, "got None, want 0"),
    (3, 4, "got 3, want 4"),
    ("a  b", "a b", "got 'a  b', want 'a b'"),
    (1.5, 1.6, "got 1.5, want 1.6"),
    (0.5, INF, "got 0.5, want inf"),
    (INF, -INF, "got inf, want -inf"),
    (NAN, 0.5, "got nan, want 0.5"),
    (1e308, -1e308, "got 1e+308, want -1e+308"),
    ([], {"a": 1}, "got []"),
    # told apart: by digits, by types
    (1.00021, 1.0, "got 1.00021, want 1"),
    (1, 1.0, "got 1 (int), want 1 (float)"),
    (True, 1, "got True, want 1"),
    ("7", 7, "got '7', want 7"),
    # lists and dictionaries
    ([1, 2], [1, 3], "got [1, 2], want [1, 3]"),
    ([1], [1, 2], "got [1], want [1, 2]"),
    (5, [5], "got 5, want [5]"),
    (["a", "b"], ["a", "c"], "got 'b', want 'c' (number 2 of 2)"),
    ([1.0], [2.0], "got 1, want 2"),
    ([f32(1, 2)], [1, 2], "got [array([1., 2.], dtype=float32)], want [1, 2]"),
    ({}, {"a": 1}, "a: nothing, want 1"),
    ({"a": [28]}, {"a": [12]}, "a: got [28], want [12]"),
    ({"a": f32(1, 2)}, {"a": f32(1, 3)},
     "a: got [1] = 2, want 3; 1 of 2 values differ"),
    # arrays: no array, shape, dtype, values
    ([1.0, 2.0], f32(1, 2), "got [1.0, 2.0], want an array [2]"),
    (f32(1, 2), f32(1, 2, 3), "got shape [2], want [3]"),
    (f32(1, 2), np.array([1, 2]), "got dtype float32, want int64"),
    (f32(1, 2), np.array([1.0, 2.0]), "got dtype float32, want float64"),
    (f32(1, 2, 3), f32(1, 0, 0), "got [1] = 2, want 0; 2 of 3 values differ"),
    (f32(0.11801), f32(0.11851), "got [0] = 0.118, want 0.1185"),
    (f32(1.2341), f32(1.2344), "got [0] = 1.2341, want 1.2344"),
    (f32(0, NAN), f32(0, 0), "got [1] = nan, want 0; 1 of 2 values differ"),
    (f32(0, INF), f32(0, -INF), "got [1] = inf, want -inf; 1 of 2 values differ"),
    (f32(3e38), f32(-3e38), "got [0] = 3e+38, want -3e+38"),
    (np.array(3.0), np.array(4.0), "got 3, want 4"),
    (np.array([[0, 1], [2, 3]]), np.array([[0, 1], [9, 3]]),
     "got [1, 0] = 2, want 9; 1 of 4 values differ"),
    # ids of tokens are whole numbers: near is not equal
    (np.array([50256]), np.array([50257]), "got [0] = 50256, want 50257"),
    (np.array([True]), np.array([False]), "got [0] = True, want False"),
]  # fmt: skip


@pytest.mark.parametrize(("got", "want", "said"), DIFFERENT)
def test_different(got: object, want: object, said: str) -> None:
    """The words show what differs: where, the two values, how many do."""
    assert not same(got, want, TOLERANCE)
    assert difference(got, want, TOLERANCE) == said


@pytest.mark.parametrize("tolerance", [0.0, 1e-6, 1e-3])
def test_tolerance_is_relative_and_absolute(tolerance: float) -> None:
    """A value may be off by the tolerance times one more than its size."""
    for want in (0.0, 1.0, -250.0):
        room = tolerance * (1 + abs(want))
        assert same(np.array([want + 0.99 * room]), np.array([want]), tolerance)
        assert not same(
            np.array([want + 1.01 * room + 1e-9]), np.array([want]), tolerance
        )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.1 + 0.2, "0.3"),
        (1e-05, "1e-05"),
        (np.float32(0.25), "0.25"),
        (np.int64(3), "3"),
        ("line\nline \x1b[2J", r"'line\nline \x1b[2J'"),
        (np.zeros((2, 5)), "an array [2, 5] of float64"),
        (np.array([[1, 2], [3, 4]]), "[[1, 2], [3, 4]]"),
        ("x" * 200, "'" + "x" * 98 + "…"),
    ],
)
def test_a_value_is_shown_on_one_line(value: object, shown: str) -> None:
    """Short, without control characters; a large array as its shape and dtype."""
    assert brief(value) == shown


def test_whatever_is_compared_nothing_raises() -> None:
    """Any two values are either equal or get one line of words, and both functions
    agree on which."""
    choose = random.Random(1)
    values = [anything(choose) for _ in range(70)]
    lines = 0
    for got in values:
        for want in values:
            said = difference(got, want, TOLERANCE)
            assert same(got, want, TOLERANCE) is (said is None)
            if said is not None:
                assert said and said.isprintable()
                lines += 1
    assert lines > 4000


def test_a_value_equals_itself() -> None:
    """Reflexive, for every value that travels."""
    choose = random.Random(2)
    for _ in range(300):
        value: Any = anything(choose)
        assert same(value, value, 0.0), value
