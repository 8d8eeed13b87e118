"""Find submissions: folders or zips that hold any of the ten puzzle files.

Only the ten files are ever read out of a zip, each at most a megabyte, so that neither
a bomb nor a path like ``../../x`` in one can do anything.
"""

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from checker.course import puzzles

LARGEST = 2**20
DEPTH = 4
"""Folders below a submission in which its files are looked for."""


@dataclass(frozen=True)
class Submission:
    """What somebody handed in: ``name`` is the folder's or the zip's."""

    name: str
    path: Path


def find(paths: list[Path]) -> list[Submission]:
    """The submissions at the paths; a folder without puzzle files is searched.

    Raises ValueError for a path that does not exist or holds none.
    """
    found: list[Submission] = []
    for path in paths:
        if not path.exists():
            raise ValueError(f"there is no {path}")
        here = [_submission(path)] if _is_submission(path) else _inside(path)
        if not here:
            raise ValueError(
                f"{path} holds no submission: no folder or zip in it has a puzzle "
                f"file ({puzzles()[0].file} … {puzzles()[-1].file})"
            )
        found += here
    return _told_apart(found)


@contextmanager
def unpacked(submission: Submission) -> Iterator[Path]:
    """A folder with the submission's puzzle files side by side."""
    if submission.path.is_dir():
        yield _folder_of(submission.path) or submission.path
        return
    with tempfile.TemporaryDirectory(prefix="submission-") as scratch:
        for name, data in _members(submission.path).items():
            Path(scratch, name).write_bytes(data)
        yield Path(scratch)


def digest(folder: Path) -> str:
    """A hash of the puzzle files in a folder."""
    found = hashlib.sha256()
    for puzzle in puzzles():
        path = folder / puzzle.file
        if path.is_file():
            found.update(puzzle.file.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def _is_submission(path: Path) -> bool:
    if path.is_file():
        return path.suffix.lower() == ".zip"
    return any((path / puzzle.file).is_file() for puzzle in puzzles())


def _submission(path: Path) -> Submission:
    name = path.resolve().name
    return Submission(name.removesuffix(path.suffix) if path.is_file() else name, path)


def _inside(folder: Path) -> list[Submission]:
    """The folder's children, each a submission wherever in it the files are."""
    if not folder.is_dir():
        return []
    return [
        _submission(child)
        for child in sorted(folder.iterdir())
        if _is_submission(child) or (child.is_dir() and _folder_of(child))
    ]


def _folder_of(folder: Path, depth: int = DEPTH) -> Path | None:
    """The nearest folder at or below this one that holds a puzzle file."""
    if _is_submission(folder):
        return folder
    if depth == 0:
        return None
    children = (child for child in sorted(folder.iterdir()) if child.is_dir())
    below = (_folder_of(child, depth - 1) for child in children)
    return next((found for found in below if found), None)


def _members(path: Path) -> dict[str, bytes]:
    """The ten files of a zip, each where it stands least deep; {} for a broken zip."""
    wanted = {puzzle.file for puzzle in puzzles()}
    found: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(archive.infolist(), key=lambda m: m.filename.count("/"))
            for member in members:
                name = PurePosixPath(member.filename).name
                if name in wanted and name not in found and _sound(member):
                    found[name] = archive.read(member)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError):
        return found
    return found


def _sound(member: zipfile.ZipInfo) -> bool:
    return member.file_size <= LARGEST and "__MACOSX" not in member.filename


def _told_apart(found: list[Submission]) -> list[Submission]:
    """Equal names get their parent folder's in front, then a number."""
    names = [submission.name for submission in found]
    result: list[Submission] = []
    for submission in found:
        name = submission.name
        if names.count(name) > 1:
            name = f"{submission.path.resolve().parent.name}-{name}"
        taken = sum(other.name.startswith(name) for other in result)
        number = f"-{taken + 1}" if any(o.name == name for o in result) else ""
        result.append(Submission(name + number, submission.path))
    return result
