"""Loose files in one folder: which puzzle each is, and which belong together.

A learning platform puts whose a file is before its name: ``ada_attention.py``,
``lovelaceada_4711_90210_attention.py`` (Canvas), ``Ada Lovelace_4711_assignsubmission_
file_attention.py`` (Moodle). A browser adds a number: ``attention (1).py``.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from checker.classroom.archives import FILE, is_archive, kind
from checker.course import every

LONGEST = 255
"""Characters of a file's name that can be a puzzle's."""
COPY = r"(?P<copy>\s*\(\d+\)|[-_]\d+|(?: -)? copy(?: \d+)?)"
SEPARATORS = " _.-"
MOODLE = "_assignsubmission_file"
CANVAS = re.compile(r"(.+_\d+)_\d{5,}")
"""NAME_USER_FILE: the last number differs between the files of one user."""


@dataclass(frozen=True)
class Named:
    """A file's name taken apart: whose, which puzzle, which copy."""

    prefix: str
    file: str
    copy: str


@cache
def _pattern() -> re.Pattern[str]:
    names = "|".join(puzzle.name for puzzle in every())
    whose = rf"(?:(?P<prefix>.+?)[\s{SEPARATORS}]+)?"
    return re.compile(rf"{whose}(?P<name>{names}){COPY}?\.py", re.I | re.S)


def named(name: str) -> Named | None:
    """The puzzle that a file's name says; None where it says none."""
    found = _pattern().fullmatch(name) if len(name) <= LONGEST else None
    if found is None:
        return None
    file = f"{found['name'].lower()}.py"
    return Named(found["prefix"] or "", file, found["copy"] or "")


def together(uploads: list[Path]) -> list[tuple[str, list[Path]]]:
    """The uploads of each submission and its name, in the order of the first ones.

    A folder, an archive and a file that is no puzzle are submissions by themselves. A
    file that is no puzzle and begins like a group of loose ones belongs to it.
    """
    owners = _owners([upload for upload in uploads if is_loose(upload)])
    groups: dict[tuple[Path, str, bool], list[Path]] = {}
    for upload in dict.fromkeys(uploads):
        owner = owners.get(upload, "") or _nearest(upload, owners)
        key = (upload.parent, owner or upload.name, bool(owner))
        groups.setdefault(key, []).append(upload)
    return [(name, files) for (_, name, _), files in groups.items()]


def is_loose(path: Path) -> bool:
    """Whether this is a regular file and no archive."""
    try:
        return kind(path) == FILE and not is_archive(path.name)
    except OSError:
        return False


def _owners(files: list[Path]) -> dict[Path, str]:
    """Whose each puzzle file is. Canvas' number of a file is left out, unless two files
    would then be one submission's for the same puzzle."""
    short: dict[tuple[Path, str], list[str]] = {}
    for path in files:
        if (name := named(path.name)) is not None:
            short.setdefault((path.parent, _short(name.prefix)), []).append(name.file)
    owners = {}
    for path in files:
        if (name := named(path.name)) is not None:
            owner = _short(name.prefix)
            same = short[path.parent, owner]
            if len(set(same)) < len(same):
                owner = name.prefix
            owner = owner.removesuffix(MOODLE)
            owners[path] = owner or f"{path.parent.name}{name.copy}"
    return owners


def _short(prefix: str) -> str:
    found = CANVAS.fullmatch(prefix)
    return found[1] if found else prefix


def _nearest(upload: Path, owners: dict[Path, str]) -> str:
    """The longest owner whose name this file's begins with."""
    if not is_loose(upload):
        return ""
    near = {owner for path, owner in owners.items() if path.parent == upload.parent}
    begins = [owner for owner in near if re.match(_beginning(owner), upload.name)]
    return max(begins, key=len, default="")


def _beginning(owner: str) -> str:
    return rf"{re.escape(owner)}[{SEPARATORS}]"
