"""Copy the course without its solutions, to hand out to a class.

    python -m checker handout ../handout

The checks of the copy work as here: the oracle is in the tables, and the reference that
stands in for earlier steps goes along sealed (``seal.py``).
"""

import argparse
import shutil
import sys
from pathlib import Path

from checker import seal
from checker.cli import PASSED, UsageError
from checker.course import ROOT

KEPT = (
    "AGENTS.md", "LICENSE", "README.md", "checker", "constraints.txt", "docs/images",
    "hints", "hugging-face-model.py", "models", "pixi.lock", "pixi.toml", "puzzles",
    "pyproject.toml", "requirements.txt", "tests", "uv.lock",
)  # fmt: skip
"""What a learner needs: no solutions, instructors' pages, benchmarks, history."""

LEFT_OUT = shutil.ignore_patterns(
    "__pycache__", "*.bak*", "corpus", "course", "train.py", "curve.*"
)
"""Also the project's own tests: their submissions hold right answers."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="a new folder")


def run(arguments: argparse.Namespace) -> int:
    folder = arguments.folder
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists already: name a folder that does not")
    if not (ROOT / "solutions").is_dir():
        raise UsageError("this copy of the course is a handout itself")
    copy_course(folder)
    print(f"{folder} is the course without its solutions", file=sys.stderr)
    return PASSED


def copy_course(folder: Path) -> None:
    """Write the handout into ``folder``: untouched puzzles, the reference sealed."""
    from checker import holes
    from checker.course import puzzles

    folder.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=LEFT_OUT, dirs_exist_ok=True)
        elif source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    for puzzle in puzzles():
        text = holes.puzzle(puzzle.name)
        (folder / "puzzles" / puzzle.file).write_text(text, encoding="utf-8")
    (folder / "checker" / seal.SEALED.name).write_bytes(seal.seal())
