"""Learners' files for the tests of the checkers: wrong, right and hostile ones.

``submissions/sNN/`` has a step's base files, right and whole, and ``wrong.txt``,
``right.txt`` and ``hostile.txt``: entries that change a few lines of a base::

    == stem | base | id that a report has to name | why it is wrong
     context
    -old line
    +new line
    @
    -another place

Only ``wrong.txt`` has the third field. The lines of a place, context and old ones,
occur once in the base. ``submissions/hostile/`` holds whole files that no base is like.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "submissions"
KINDS = ("wrong", "right", "hostile")


@dataclass(frozen=True)
class Submission:
    """A file that a learner could hand in.

    Attributes:
        step: ``s05``.
        stem: its name in lower case and dashes, one of a kind within step and kind.
        kind: wrong, right or hostile.
        source: the bytes of the file.
        why: what is special about it, in a sentence without a full stop.
        named: the id that a report on it has to name; empty unless it is wrong.
    """

    step: str
    stem: str
    kind: str
    source: bytes
    why: str
    named: str = ""

    @property
    def id(self) -> str:
        return f"{self.step}-{self.stem}"


def submissions(kind: str) -> list[Submission]:
    """All files of a kind, in the order of the steps."""
    found = list(_hostile_files()) if kind == "hostile" else []
    for folder in sorted(FOLDER.glob("s[0-9][0-9]")):
        if kind == "right":
            found += [
                Submission(folder.name, stem, kind, source.encode(), why)
                for stem, (why, source) in _bases(folder).items()
            ]
        found += _entries(folder, kind)
    return found


def find(kind: str, step: str, stem: str) -> Submission:
    """One file; KeyError where there is none."""
    for each in submissions(kind):
        if (each.step, each.stem) == (step, stem):
            return each
    raise KeyError(f"{step} {stem}")


@cache
def _bases(folder: Path) -> dict[str, tuple[str, str]]:
    """Stem -> what is special about a base, and its source."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        first, _, source = path.read_text(encoding="utf-8").partition("\n")
        found[path.stem] = first.removeprefix("# right: "), source
    return found


def _entries(folder: Path, kind: str) -> Iterator[Submission]:
    path = folder / f"{kind}.txt"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    stems: set[str] = set()
    for entry in re.split(r"^== ", text, flags=re.MULTILINE)[1:]:
        head, *lines = entry.removesuffix("\n").split("\n")
        count = 3 if kind == "wrong" else 2
        parts = [part.strip() for part in head.split("|", count)]
        place = f"{path}: {parts[0]}"
        if len(parts) <= count:
            raise ValueError(f"{place}: its first line has fewer than {count} bars")
        stem, base, *named, why = parts
        if base not in _bases(folder):
            raise ValueError(f"{place}: there is no base {base}.py")
        if stem in stems:
            raise ValueError(f"{place}: the name occurs twice")
        stems.add(stem)
        source = _changed(_bases(folder)[base][1], lines, place)
        yield Submission(folder.name, stem, kind, source.encode(), why, *named)


def _changed(source: str, lines: list[str], place: str) -> str:
    """The base with the places changed. ValueError for one that does not occur once."""
    rest, done = f"\n{source}", ""
    for change in "\n".join(lines).split("\n@\n"):
        marked = [(line[:1] or " ", line[1:]) for line in change.split("\n")]
        old = "".join(f"{text}\n" for mark, text in marked if mark != "+")
        new = "".join(f"{text}\n" for mark, text in marked if mark != "-")
        if f"\n{source}".count(f"\n{old}") != 1:
            raise ValueError(f"{place}: these lines do not occur once:\n{old}")
        before, _, rest = rest.partition(f"\n{old}")
        done, rest = f"{done}{before}\n{new}".removesuffix("\n"), f"\n{rest}"
    return f"{done}{rest}"[1:]


def _hostile_files() -> Iterator[Submission]:
    for path in sorted((FOLDER / "hostile").glob("*.py")):
        step, _, stem = path.stem.partition("-")
        source = path.read_bytes()
        said = source.decode("latin-1").partition("# hostile: ")[2].partition("\n")[0]
        yield Submission(step, stem, "hostile", source, said)
