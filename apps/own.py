"""Whose files a program runs on: the learner's where they pass, else the reference.

The checker remembers which file passed (`.progress.json`), so that nothing is checked
again when a program starts.
"""

import importlib.abc
import importlib.machinery
import sys
from types import ModuleType

from checker.course import FOLDER, Puzzle, Source, every, reference, shown
from checker.desk.progress import changed
from checker.desk.state import load


def use_own_files() -> str:
    """Make the puzzles importable by their names, and say in a sentence whose they are.

    Raises Fault where a reference is needed and missing.
    """
    state = load().steps
    own = [
        puzzle
        for puzzle in every()
        if state[puzzle.step].passed and not changed(puzzle, state[puzzle.step])
    ]
    sources = {
        puzzle.name: _own(puzzle) if puzzle in own else reference(puzzle.name)
        for puzzle in every()
    }
    sys.meta_path.insert(0, Puzzles(sources))
    return _sentence(own, [puzzle for puzzle in every() if puzzle not in own])


def _own(puzzle: Puzzle) -> Source:
    path = FOLDER / puzzle.file
    return Source(str(path), path.read_text(encoding="utf-8-sig"))


def _sentence(own: list[Puzzle], others: list[Puzzle]) -> str:
    files = ", ".join(puzzle.file for puzzle in others)
    if not own:
        return "These are the reference's files; none of yours passes yet."
    if not others:
        return f"These are your own files, from {shown(FOLDER)}."
    return f"These are your own files, and the reference's where yours wait: {files}."


class Puzzles(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the puzzles by name, from these sources."""

    def __init__(self, sources: dict[str, Source]) -> None:
        self.sources = sources

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        source = self.sources.get(name)
        if source is None:
            return None
        spec = importlib.machinery.ModuleSpec(name, self, origin=source.path)
        spec.has_location = True
        return spec

    def exec_module(self, module: ModuleType) -> None:
        source = self.sources[module.__name__]
        exec(compile(source.text, source.path, "exec"), module.__dict__)
