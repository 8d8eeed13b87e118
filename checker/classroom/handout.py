"""Copy the course without its solutions, to hand out to a class.

    python -m checker handout ../handout

The checks of the copy work as here: the oracle is in the tables, and the reference that
replaces earlier steps is included in a sealed file (``seal.py``).

The README and its like name only what the copy has: what lies between the comments
``only in the whole course`` and ``in every copy`` is left out of them.
"""

import argparse
import contextlib
import os
import re
import shutil
import sys
from pathlib import Path

from checker import seal
from checker.classroom.safe import one_line
from checker.classroom.writing import disk
from checker.cli import PASSED, UsageError
from checker.course import ROOT

KEPT = (
    ".devcontainer", ".gitignore", "AGENTS.md", "LICENSE", "README.md", "apps",
    "checker", "constraints.txt", "docs/images", "docs/pytorch-to-max.md", "hints",
    "hugging-face-model.py", "models", "pixi.lock", "pixi.toml", "puzzles",
    "pyproject.toml", "requirements.txt", "tests", "uv.lock",
)  # fmt: skip
"""What a learner needs: no solutions, instructors' pages, benchmarks, history."""

NAMING = (
    "AGENTS.md", "README.md", "models/README.md",
    "pixi.toml", "pyproject.toml", "uv.lock",
)  # fmt: skip
"""Of these, the files that name others."""

WHOLE_ONLY = re.compile(
    r"(#|<!--) only in the whole course( -->)?\n?.*?(#|<!--) in every copy( -->)?\n?",
    re.DOTALL,
)
GROUPS = 'default-groups = ["test"]', "default-groups = []"
"""What uv installs unasked, in pyproject.toml and uv.lock: here and in a handout."""

LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "*.bak*", "corpus", "course", "train.py", "curve.*"
)
"""Also the project's own tests: their submissions hold right answers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new folder")


def run(arguments: argparse.Namespace) -> int:
    folder = arguments.folder
    if os.path.lexists(folder) and not _is_empty(folder):
        said = one_line(str(folder))
        raise UsageError(f"{said} exists already: name a folder that does not")
    if not (ROOT / "solutions").is_dir():
        raise UsageError("this copy of the course is a handout itself")
    write(folder)
    said = one_line(str(folder))
    print(f"{said} is the course without its solutions", file=sys.stderr)
    return PASSED


def write(folder: Path) -> None:
    """Copy the course, or leave no trace. Raises Fault where the disk refuses."""
    made = not folder.exists()
    try:
        with disk(folder):
            copy_course(folder)
    except BaseException:
        for child in folder.iterdir() if folder.is_dir() else ():
            _remove(child)
        if made:
            _remove(folder)
        raise


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def copy_course(folder: Path) -> None:
    """Write the handout into ``folder``: untouched puzzles, the reference sealed."""
    from checker import holes
    from checker.course import every

    folder.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=LEFT_OUT, dirs_exist_ok=True)
        elif source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for name in NAMING:
        _trim(folder / name)
    for puzzle in every():
        text = holes.puzzle(puzzle.name)
        (folder / "puzzles" / puzzle.file).write_text(text, encoding="utf-8")
    (folder / "checker" / seal.SEALED.name).write_bytes(seal.seal())


def _is_empty(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return not any(folder.iterdir())
    return False


def _trim(path: Path) -> None:
    """Leave out of a text of the copy what only the whole course has."""
    text = path.read_text(encoding="utf-8")
    trimmed = WHOLE_ONLY.sub("", text).replace(*GROUPS)
    if trimmed != text:
        path.write_text(trimmed, encoding="utf-8")
