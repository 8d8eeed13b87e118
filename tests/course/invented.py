"""Invented values, tables, answers and reports, for tests that start no worker."""

import random
from typing import Any

import numpy as np

from checker.link.process import LOAD, Answers, key
from checker.table import Table

SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 7, 10**400, 0.0, 0.5, 1e308, -1e308,
    float("nan"), float("inf"), "", "a", "line\nline", "\x00", "\x1b[2J", "\ud800",
    "x" * 5000, "load", "nan",
)  # fmt: skip
SHAPES = ((), (1,), (3,), (2, 3), (0, 4), (2, 5, 12))
DTYPES = ("<f4", "<f8", "<i8", "|b1", "<U3", "<c8", "|V2")


def anything(choose: random.Random, depth: int = 3) -> Any:
    """A value such as one that comes from a worker: scalars, arrays, lists, dicts."""
    kind = choose.randrange(8 if depth else 5)
    if kind < 3:
        return choose.choice(SCALARS)
    if kind < 5:
        return any_array(choose)
    inside = [anything(choose, depth - 1) for _ in range(choose.randrange(4))]
    if kind == 5:
        return inside
    names = ("a", "b", "at", "value", "error", "type", "message", "shapes", "frames")
    return {choose.choice(names): each for each in inside}


def any_array(choose: random.Random) -> np.ndarray:
    """Any bits, in a few shapes and dtypes."""
    shape, dtype = choose.choice(SHAPES), np.dtype(choose.choice(DTYPES))
    if dtype.kind in "bU":
        return np.full(shape, choose.choice([0, 1])).astype(dtype)
    count = int(np.prod(shape)) * dtype.itemsize
    return np.frombuffer(choose.randbytes(count), dtype).reshape(shape)


def any_message(choose: random.Random) -> Any:
    """A message of a worker that is well formed in part, and odd in others."""
    kind = choose.randrange(8)
    at = choose.choice((LOAD, 0, 1, 2, None))
    if kind < 3:
        return {"begin": at if kind else anything(choose, 1)}
    if kind == 3:
        return {"at": at, "value": anything(choose)}
    if kind == 4:
        return {"at": at, "error": {name: anything(choose, 2) for name in error()}}
    if kind == 5:
        return {"at": LOAD, "value": {"f": anything(choose)}}
    if kind == 6:
        return {choose.choice(("note", "done", "ready")): anything(choose)}
    return anything(choose)


def error(
    kind: str = "ValueError", message: str = "odd", **more: Any
) -> dict[str, Any]:
    """An exception as ``Answers`` keeps it."""
    flags = {"unusable": False, "todo": False}
    blank: dict[str, Any] = {"name": "", "fault": "", "frames": [], "definition": []}
    facts: dict[str, Any] = {"shapes": {}, "facts": {}}
    return {"type": kind, "message": message, **flags, **blank, **facts, **more}


def answers(table: Table, *results: tuple[str, Any] | None, **more: Any) -> Answers:
    """What a worker answered to a table's probes, each once; None: nothing."""
    keys = dict.fromkeys(
        key([check.probe, list(check.given)]) for check in table.checks
    )
    found = {k: r for k, r in zip(keys, results, strict=True) if r is not None}
    return Answers(results=found, done=not more.get("stopped"), **more)


def not_loaded(problem: dict[str, Any]) -> Answers:
    """The answer of a worker that could not import the file."""
    return Answers(results={LOAD: ("error", problem)}, during=LOAD, done=True)
