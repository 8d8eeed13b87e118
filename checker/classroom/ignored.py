"""What of a submission was not graded, and why, in sentences.

``Notes`` collects them while a submission is read. The important ones come first: what
could not be read, then puzzle files that another one was preferred to, then the rest.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath

from checker.classroom.safe import one_line

SHOWN = 200
"""Characters of a path in a report."""
ALL = "*"
"""Instead of a file: all of the submission may be missing for this reason."""


@dataclass(frozen=True)
class Ignored:
    """A path in the upload and the end of a sentence about it.

    Attributes:
        path: what was ignored.
        reason: a verb and more.
        file: the puzzle file that is missing for this reason, if any; or ALL.
        is_fault: whether it could not be read, or is refused.
    """

    path: str
    reason: str
    file: str = ""
    is_fault: bool = False

    def __str__(self) -> str:
        return f"{self.path} {self.reason}"


class Notes:
    """Collects what is ignored. Each method takes a path as the upload has it."""

    def __init__(self) -> None:
        self._faults: list[Ignored] = []
        self._elsewhere: list[Ignored] = []
        self._never: list[Ignored] = []
        self._python: list[Ignored] = []
        self._others: dict[str, list[str]] = {}

    def fault(self, path: str, reason: str, file: str = "") -> None:
        """It could not be read, or is refused; see ``Ignored`` about ``file``."""
        self._faults.append(Ignored(path, reason, file, is_fault=True))

    def elsewhere(self, path: str, chosen: str) -> None:
        """Another file of the same puzzle was graded, or none could be."""
        reason = f"was not graded: {chosen} was" if chosen else "was not tried"
        self._elsewhere.append(Ignored(path, reason))

    def never(self, folder: str) -> None:
        self._never.append(Ignored(f"{folder}/", "is a folder that is never graded"))

    def other(self, path: str) -> None:
        """A file that is not one of the graded puzzles."""
        if path.lower().endswith(".py"):
            self._python.append(Ignored(path, "is not one of the graded puzzles"))
        else:
            folder = str(PurePosixPath(path).parent)
            self._others.setdefault(folder, []).append(path)

    def listed(self) -> tuple[Ignored, ...]:
        """All of it, each once; files that are not Python by folder."""
        groups = [_group(*group) for group in self._others.items()]
        ordered = [self._faults, self._elsewhere, self._never, self._python, groups]
        found = (each for group in ordered for each in group)
        return tuple(dict.fromkeys(map(_shown, found)))


def _group(folder: str, paths: list[str]) -> Ignored:
    if len(paths) == 1:
        return Ignored(paths[0], "is not one of the graded puzzles")
    suffixes = Counter(PurePosixPath(path).suffix for path in paths)
    usual = ", ".join(suffix or "no suffix" for suffix, _ in suffixes.most_common(3))
    return Ignored(f"{folder}/", f"has {len(paths)} files that are not Python: {usual}")


def _shown(note: Ignored) -> Ignored:
    path, reason = one_line(note.path, SHOWN), one_line(note.reason, 2 * SHOWN)
    return Ignored(path, reason, note.file, note.is_fault)
