"""Where the learner is: a small JSON file in the course's root, readable by people.

``.progress.json`` is written atomically and under a lock, so several commands may run
at once. One that cannot be read is set aside, never deleted and never an error; where
the folder cannot be written, the course works without remembering.
"""

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from checker.course import ROOT, every

FILE = ".progress.json"
PATIENCE = 2.0
"""Seconds."""


@dataclass
class StepState:
    """What is known of one step.

    Attributes:
        passed: when it passed last (ISO 8601, UTC); empty while it is pending.
        seconds: spent on it in ``watch``.
        hints: how many of each hole's hints were given, by the hole's name.
        checked: the SHA-256 of the file that was checked last; empty before.
        status: of that check, as in the report.
        check: the name of the first check in trouble, if any.
        line: the line of the file to look at for it, 0 if none is known.
        mistake: the sentence of the mistake that was named, if any.
    """

    passed: str = ""
    seconds: float = 0.0
    hints: dict[str, int] = field(default_factory=dict)
    checked: str = ""
    status: str = ""
    check: str = ""
    line: int = 0
    mistake: str = ""


@dataclass
class State:
    """The whole file; ``current`` is the step last watched, ``steps`` has them all."""

    current: str = ""
    steps: dict[str, StepState] = field(default_factory=dict)


def load(root: Path = ROOT) -> State:
    """What the file says; a fresh state where there is none or it cannot be used."""
    path = root / FILE
    try:
        return _state(json.loads(path.read_text(encoding="utf-8")))
    except OSError:
        return _state({})
    except (ValueError, TypeError, AttributeError):
        _set_aside(path)
        return _state({})


@contextlib.contextmanager
def changing(root: Path = ROOT) -> Iterator[State]:
    """The state to change; it is written when the block ends, while others wait."""
    with _locked(root):
        state = load(root)
        yield state
        _write(root / FILE, state)


def _state(found: Any) -> State:
    """Raises ValueError, TypeError or AttributeError for another shape than ours."""
    given = found.get("steps", {})
    steps = {p.step: _step(given.get(p.step, {})) for p in every()}
    current = found.get("current", "")
    return State(current if current in steps else "", steps)


def _step(found: Any) -> StepState:
    """Fields of a newer version are left out, missing ones have their defaults."""
    step = StepState()
    for one in fields(StepState):
        default = getattr(step, one.name)
        value = found.get(one.name, default)
        if type(default) is float and isinstance(value, int):
            value = float(value)
        if type(value) is not type(default):
            raise TypeError(one.name)
        setattr(step, one.name, value)
    if not all(isinstance(given, int) for given in step.hints.values()):
        raise TypeError("hints")
    return step


def _write(path: Path, state: State) -> None:
    """All of it or nothing: a file beside it takes its place."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    text = json.dumps(asdict(state), indent=1, ensure_ascii=False) + "\n"
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        print(f"progress is not kept: {path}: {error.strerror}", file=sys.stderr)


def _set_aside(path: Path) -> None:
    number = 1
    while (aside := path.with_name(f"{path.name}.broken-{number}")).exists():
        number += 1
    with contextlib.suppress(OSError):
        os.replace(path, aside)
    print(
        f"{path.name} could not be read: it is now {aside.name}, and progress "
        "starts afresh",
        file=sys.stderr,
    )


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold the folder's lock: it needs no file of its own and ends with the process.

    Writing takes milliseconds. Whoever still waits after ``PATIENCE`` goes on without:
    a program must not hang for its notes.
    """
    descriptor = os.open(root, os.O_RDONLY)
    deadline = time.monotonic() + PATIENCE
    try:
        while not _lock(descriptor) and time.monotonic() < deadline:
            time.sleep(0.005)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Whether the lock is held now, or there are none (some network drives)."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
