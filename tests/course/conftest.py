"""Keeps the marker ``max`` true, so that ``pytest -m "not max"`` needs no MAX.

A test without the marker fails where it imports MAX, starts a worker, or runs a command
that does one of them.
"""

import builtins
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checker.cli import COMMANDS, PARTS
from checker.course import every

WHOLE_FILE = "\npytestmark = pytest.mark.max\n"
STEPS = {*PARTS, *(puzzle.step for puzzle in every())}
STARTING = {"doctor", "finale", "grade"}
"""Commands that start MAX, as ``watch`` and ``solution`` do with a step."""

CODE = re.compile(
    r"(^|;)\s*(from|import) max\b|\bchecker\.(worker\.main|interpreter)\b",
    re.MULTILINE,
)
"""What starts MAX in a program: after ``-c``, after ``-m``, or in a file."""
COMMAND = re.compile(r"-m checker (.*)", re.DOTALL)

started: list[str] = []
"""How the test that is running has started MAX."""
KNOWN = pytest.StashKey[bool]()
"""Whether an earlier test had imported MAX."""


def starts_max(words: list[str], folder: Path) -> bool:
    """Whether a command run in ``folder`` starts MAX, itself or in a worker."""
    files = [folder / word for word in words if word.endswith((".py", "_autograder"))]
    programs = [file.read_text("utf-8") for file in files if file.is_file()]
    if any(CODE.search(text) for text in (*words, *programs)):
        return True
    found = COMMAND.search(" ".join([*words, *programs]))
    return bool(found) and checks(found[1].split())


def checks(words: list[str]) -> bool:
    """Whether ``python -m checker`` with these words starts a worker."""
    if not words or {"-h", "--help"} & set(words):
        return False
    if words[0] in ("watch", "solution") and "--spoil" not in words:
        return all(word in STEPS or word.startswith("-") for word in words[1:])
    return words[0] in STARTING if words[0] in COMMANDS else bool(STEPS & set(words))


open_process, import_module = subprocess.Popen.__init__, builtins.__import__


def opening(self: Any, args: Any, *more: Any, **options: Any) -> None:
    one = isinstance(args, str | bytes | os.PathLike)
    words = list(map(os.fsdecode, [args] if one else args))
    if starts_max(words, Path(options.get("cwd") or ".")):
        started.append(" ".join(words))
    open_process(self, args, *more, **options)


def importing(name: str, *more: Any, **options: Any) -> Any:
    if name == "max" or name.startswith("max."):
        started.append(f"import {name}")
    return import_module(name, *more, **options)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """While a test and its fixtures run, processes and imports are noted."""
    started.clear()
    item.stash[KNOWN] = "max" in sys.modules
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", opening)
        patch.setattr(builtins, "__import__", importing)
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    yield
    if "max" in sys.modules and not item.stash[KNOWN]:
        started.append("import max")
    if started and item.get_closest_marker("max") is None:
        pytest.fail(f"needs the marker max: {started[0]}", pytrace=False)


def _is_quick(config: pytest.Config) -> bool:
    return bool(config.option.markexpr == "not max")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """``-m "not max"`` does not even import a file that is marked as a whole."""
    if _is_quick(config) and collection_path.suffix == ".py":
        return WHOLE_FILE in collection_path.read_text(encoding="utf-8") or None
    return None


def pytest_collection_finish(session: pytest.Session) -> None:
    if _is_quick(session.config) and "max" in sys.modules:
        raise pytest.UsageError(
            "a file without `pytestmark = pytest.mark.max` imports MAX at its top"
        )
