"""Find submissions, and copy out of each the puzzle files that are graded.

An upload is a folder, an archive, or files that share a prefix in their names. One rule
holds for all: of the regular files with a puzzle's name, the one in a folder
``puzzles/`` comes first, then the least deep, then the first of the alphabet. They are
copied before anything is graded, and what is not graded is said.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from checker.classroom.archives import (
    FILE,
    FOLDER,
    LARGEST,
    MEMBERS,
    SUFFIXES,
    Member,
    Unreadable,
    is_archive,
    kind,
    loose,
    opened,
)
from checker.classroom.ignored import ALL, SHOWN, Ignored, Notes
from checker.classroom.loose import MOODLE, is_loose, named, together
from checker.classroom.safe import one_line
from checker.classroom.writing import disk
from checker.course import every, puzzles

NEVER = {"solutions", "tests", "checker", "__macosx", "site-packages", "node_modules"}
"""Folders whose files are never graded, as those of hidden ones: the course's own, and
what comes along with packages."""
LITTER = {"__macosx", ".ds_store", "thumbs.db", "desktop.ini"}
"""What systems leave in folders."""
TRIES = 5
"""How many files of a puzzle are tried, where the first ones cannot be read."""
NESTED = 5
"""How many archives in a folder without puzzle files are looked into."""
TOO_LARGE = f"is larger than {LARGEST // 2**20} MB"
NO_UPLOAD = f"is no puzzle file, no folder and no archive ({', '.join(SUFFIXES)})"


@dataclass(frozen=True)
class Submission:
    """What somebody handed in.

    Attributes:
        name: the folder's, the archive's, or what the files' names begin with.
        path: the folder or archive; for loose files the folder that they are in.
        files: the loose files that belong together.
    """

    name: str
    path: Path
    files: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Found:
    """What of a submission is graded.

    Attributes:
        folder: holds the puzzle files, side by side.
        sources: for each of them its path in the upload.
        ignored: what was not graded or could not be read, the most important first.
    """

    folder: Path
    sources: dict[str, str]
    ignored: tuple[Ignored, ...] = ()

    @property
    def reason(self) -> str:
        """Why there is nothing to grade; empty where there is."""
        if self.sources:
            return ""
        faults = [str(each) for each in self.ignored if each.is_fault]
        names = f"{puzzles()[0].file} … {puzzles()[-1].file}"
        return "; ".join(faults[:3]) or f"no puzzle file is in it ({names})"

    def missing(self, file: str) -> str:
        """Why a puzzle file is not there."""
        own = [str(each) for each in self.ignored if each.file == file]
        own = own or [str(each) for each in self.ignored if each.file == ALL]
        return "; ".join([f"there is no {file}", *own[:3]])


@dataclass(frozen=True)
class Candidate:
    """A member that could be graded as a puzzle; the lowest rank is."""

    member: Member
    path: str
    rank: tuple[bool, bool, int, str]


@dataclass
class Contents:
    """A submission's members, sorted: those to choose from by puzzle and path, and
    archives."""

    candidates: dict[str, dict[str, Candidate]] = field(default_factory=dict)
    archives: list[str] = field(default_factory=list)

    def add(self, file: str, candidate: Candidate, notes: Notes) -> None:
        """The last of equal paths counts, as when an archive is unpacked."""
        others = self.candidates.setdefault(file, {})
        if candidate.path in others:
            notes.elsewhere(candidate.path, "the last of this name")
        others[candidate.path] = candidate


def find(
    paths: list[Path], leave_out: Collection[Path] = (), *, single: bool = False
) -> list[Submission]:
    """The submissions at the paths, in order; with ``single`` each path is one.

    Of a folder that is not itself a submission every child is an upload, whatever it
    is. Raises ValueError for a path that is missing, and for an empty folder alone.
    """
    uploads: list[Path] = []
    for path in paths:
        here = _resolved(path)
        if single or not os.path.isdir(here) or _is_submission(here):
            uploads.append(here)
            continue
        inside = _children(here, leave_out)
        if not inside and len(paths) == 1:
            raise ValueError(f"{one_line(str(path))} holds no submission: it is empty")
        uploads += inside or [here]
    return _told_apart([_submission(name, files) for name, files in together(uploads)])


def copied(submission: Submission, into: Path) -> Found:
    """Copy the puzzle files of a submission into a folder that exists.

    Returns whatever was handed in. Raises Fault where ``into`` cannot be written.
    """
    notes = Notes()
    with ExitStack() as stack:
        members = _members(submission, notes, stack)
        contents = _sorted_out(members, notes, prefixed=bool(submission.files))
        sources = _copied(contents, into, notes)
    archives = contents.archives
    if not sources and submission.path.is_dir():
        archives = archives[NESTED:]
        sources = _from_archives(submission, contents.archives[:NESTED], into, notes)
    for path in archives:
        notes.fault(path, "is an archive in the submission, and is not unpacked")
    ignored = notes.listed()
    faults = any(each.is_fault for each in ignored)
    if not sources and not faults and (submission.files or not ignored):
        ignored = (_nothing(submission),)
    return Found(into, sources, ignored)


def digest(folder: Path) -> str:
    """A hash of the puzzle files in a folder."""
    found = hashlib.sha256()
    for puzzle in every():
        path = folder / puzzle.file
        if path.is_file():
            found.update(puzzle.file.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def _resolved(path: Path) -> Path:
    """The path behind links: what the instructor names is theirs."""
    try:
        return path.resolve(strict=True)
    except FileNotFoundError:
        raise ValueError(f"there is no {one_line(str(path))}") from None
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", "") or "its links go round in a circle"
        raise ValueError(f"{one_line(str(path))} cannot be read: {why}") from error


def _is_submission(folder: Path) -> bool:
    """Whether puzzle files are in a folder, or in ``puzzles/`` there."""
    files = [puzzle.file for puzzle in every()]
    places = (folder, folder / "puzzles")
    return any(os.path.isfile(place / file) for place in places for file in files)


def _children(folder: Path, leave_out: Collection[Path]) -> list[Path]:
    """A folder's uploads: what is in it, without what systems leave there."""
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        sentence = f"{one_line(str(folder))} cannot be read: {error.strerror}"
        raise ValueError(sentence) from error
    return [
        child
        for child in found
        if not child.name.startswith(".")
        and not _is_litter(child.name)
        and child not in leave_out
    ]


def _is_litter(name: str) -> bool:
    return name.casefold() in LITTER or name.startswith("._")


def _submission(name: str, files: list[Path]) -> Submission:
    first = files[0]
    if is_loose(first):
        return Submission(_plain(name), first.parent, tuple(files))
    if not os.path.isdir(first):
        name = re.sub(rf"({'|'.join(map(re.escape, SUFFIXES))})$", "", name, flags=re.I)
    return Submission(_plain(name), first)


def _plain(name: str) -> str:
    return one_line(name.removesuffix(MOODLE)) or "submission"


def _told_apart(found: list[Submission]) -> list[Submission]:
    """Equal names get their suffix, then their parent's in front, then a number."""
    names = [each.name for each in found]
    for longer in (_with_suffix, _with_parent):
        often = Counter(names)
        pairs = zip(found, names, strict=True)
        names = [longer(each) if often[name] > 1 else name for each, name in pairs]
    taken: set[str] = set()
    result = []
    for each, name in zip(found, names, strict=True):
        number, base = 1, name
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name)
        result.append(replace(each, name=name))
    return result


def _with_suffix(submission: Submission) -> str:
    return submission.name if submission.files else _plain(submission.path.name)


def _with_parent(submission: Submission) -> str:
    above = submission.path if submission.files else submission.path.parent
    return f"{one_line(above.name)}-{_with_suffix(submission)}"


def _members(
    submission: Submission, notes: Notes, stack: ExitStack, label: str = ""
) -> Iterator[Member]:
    """What was handed in, while ``stack`` is open; what stands against it is noted."""
    path, label = submission.path, label or submission.path.name
    try:
        if submission.files:
            return iter([loose(file) for file in submission.files])
        found = kind(path)
        if found in (FILE, FOLDER):
            members = stack.enter_context(opened(path, _may_enter))
            return _limited(members, label, notes)
        notes.fault(label, _refused(found), ALL)
    except Unreadable as error:
        notes.fault(label, str(error), ALL)
    except OSError as error:
        notes.fault(label, f"cannot be read: {error.strerror}", ALL)
    return iter(())


def _limited(members: Iterable[Member], label: str, notes: Notes) -> Iterator[Member]:
    try:
        for number, member in enumerate(members):
            if number == MEMBERS:
                reason = f"has more than {MEMBERS:,} members: the rest is not read"
                notes.fault(label, reason, ALL)
                return
            yield member
    except Unreadable as error:
        notes.fault(label, str(error), ALL)


def _may_enter(path: str) -> bool:
    return not _never(_parts(path))


def _parts(path: str) -> list[str]:
    """Folders and name; Windows writes ``\\`` between them, into archives too."""
    parts = path.replace("\\", "/").split("/")
    return [part for part in parts if part not in ("", ".")]


def _never(folders: list[str]) -> str:
    """The folder on the way that is never graded, if there is one."""
    for number, name in enumerate(folders, 1):
        if name.startswith(".") or name.casefold() in NEVER:
            return "/".join(folders[:number])
    return ""


def _sorted_out(
    members: Iterable[Member], notes: Notes, *, prefixed: bool = False
) -> Contents:
    """Members by what becomes of them. With ``prefixed``, names may have a prefix."""
    contents = Contents()
    for member in members:
        parts = _parts(member.path)
        path = "/".join(parts)
        file = "" if member.kind == FOLDER else _graded_as(path, prefixed)
        if outside := _outside(member.path):
            notes.fault(member.path, outside, file)
        elif never := _never(parts if member.kind == FOLDER else parts[:-1]):
            notes.never(never)
        elif fault := _fault(member, file):
            notes.fault(path, fault, file)
        elif file:
            contents.add(file, Candidate(member, path, _rank(parts, file)), notes)
        elif member.kind == FILE and is_archive(path):
            contents.archives.append(path)
        elif member.kind == FILE and parts[-1:] and not _is_litter(parts[-1]):
            notes.other(path)
    return contents


def _graded_as(path: str, prefixed: bool) -> str:
    """The puzzle file that a path is by its name; empty if it is none."""
    name = named(path.rpartition("/")[2])
    return name.file if name and (prefixed or not name.prefix) else ""


def _outside(path: str) -> str:
    """Why a path is refused that leads out of the submission."""
    plain = path.replace("\\", "/")
    if plain.startswith("/") or re.match("[A-Za-z]:", plain):
        return "is refused: its path is absolute"
    outside = ".." in plain.split("/")
    return "is refused: its path leads out of the submission" if outside else ""


def _fault(member: Member, file: str) -> str:
    """Why a member is refused or cannot be read; ``file`` is the puzzle it would be."""
    if member.kind not in (FILE, FOLDER):
        return member.fault or _refused(member.kind)
    if file and not member.fault and member.size > LARGEST:
        return TOO_LARGE
    return member.fault if file or member.kind == FOLDER else ""


def _refused(found: str) -> str:
    more = ", and links are not followed" if found == "link" else ""
    return f"is a {found}{more}"


def _rank(parts: list[str], file: str) -> tuple[bool, bool, int, str]:
    in_puzzles = [folder.casefold() for folder in parts[-2:-1]] == ["puzzles"]
    return parts[-1] != file, not in_puzzles, len(parts), "/".join(parts)


def _copied(contents: Contents, into: Path, notes: Notes) -> dict[str, str]:
    """Copy for each puzzle the first candidate that can be read."""
    sources: dict[str, str] = {}
    for puzzle in every():
        candidates = contents.candidates.get(puzzle.file, {})
        rest = sorted(candidates.values(), key=lambda each: each.rank)
        for _ in range(TRIES):
            if not rest or puzzle.file in sources:
                break
            first = rest.pop(0)
            if _copy(first, into / puzzle.file, notes):
                sources[puzzle.file] = one_line(first.path, SHOWN)
        for each in rest:
            notes.elsewhere(each.path, sources.get(puzzle.file, ""))
    return sources


def _copy(candidate: Candidate, target: Path, notes: Notes) -> bool:
    """Whether a member could be read, and was copied."""
    try:
        data = candidate.member.read()
    except Unreadable as error:
        notes.fault(candidate.path, str(error), target.name)
        return False
    if len(data) > LARGEST:
        notes.fault(candidate.path, TOO_LARGE, target.name)
        return False
    with disk(target):
        target.write_bytes(data)
    return True


def _from_archives(
    submission: Submission, archives: list[str], into: Path, notes: Notes
) -> dict[str, str]:
    """From the first archive of a folder that has puzzle files."""
    sources: dict[str, str] = {}
    for path in archives:
        if sources:
            notes.elsewhere(path, "another archive")
            continue
        inner = Submission(submission.name, submission.path / path)
        with ExitStack() as stack:
            members = _members(inner, notes, stack, path)
            below = (replace(each, path=f"{path}/{each.path}") for each in members)
            sources = _copied(_sorted_out(below, notes), into, notes)
    return sources


def _nothing(submission: Submission) -> Ignored:
    """What to say of a submission in which there is nothing at all."""
    if submission.files:
        name, reason = submission.files[0].name, NO_UPLOAD
    else:
        name, reason = submission.path.name, "is empty"
    return Ignored(one_line(name, SHOWN), reason, is_fault=True)
