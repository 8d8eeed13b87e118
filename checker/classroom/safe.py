"""Somebody else's text in a report: nothing in it acts on who reads the report.

Names of files, exceptions and what a file prints are chosen by who hands it in.
"""

import re
import unicodedata

JOINERS = "\u200c\u200d"
"""Invisible, and part of how Persian, Hindi and emoji are written."""
GAP = "\u200b"
"""Of no width: breaks what renderers look for in a text, whatever its escapes."""

PUNCTUATION = re.compile(r"[\\`*_{}\[\]()#+!|<>~$&]")
ACTIVE = re.compile(r"@(?=\S)|:(?=//)|www(?=\.)", re.IGNORECASE)
"""Mentions, e-mail addresses and bare links, which no backslash switches off."""

FORMULA = "=+-@＝＋－＠"
"""What a cell that is run begins with; some spreadsheets take the wide ones, too."""
RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\.|$)", re.IGNORECASE)
"""What Windows takes for a device, whatever its suffix."""
LONGEST = 150
"""Bytes of a file's name that is made of a submission's."""


def printable(text: str) -> str:
    """Lines without control characters, surrogates or what turns the writing round."""
    if text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    if character.isprintable() or character in "\n\t" or character in JOINERS:
        return character
    return " " if unicodedata.category(character) == "Zs" else "\ufffd"


def one_line(text: str, longest: int = 0) -> str:
    """The same without line ends; with ``longest``, cut in the middle."""
    line = printable(text).replace("\n", " ").replace("\t", " ")
    if not longest or len(line) <= longest:
        return line
    half = (longest - 1) // 2
    return f"{line[: longest - 1 - half]}…{line[-half:]}"


def escaped(text: str) -> str:
    """One line of Markdown that is rendered as the text, and as nothing else."""
    plain = ACTIVE.sub(lambda found: found[0] + GAP, one_line(text))
    return PUNCTUATION.sub(r"\\\g<0>", plain)


def cell(text: str) -> str:
    """A cell of a table that a spreadsheet does not run."""
    line = one_line(text)
    first = line.lstrip(f" '\"\ufffd{JOINERS}")[:1]
    return f"'{line}" if first and first in FORMULA else line


def clean(value: object) -> object:
    """A value of JSON with printable texts."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [clean(each) for each in value]
    if isinstance(value, dict):
        return {printable(str(name)): clean(each) for name, each in value.items()}
    return value


def file_names(names: list[str]) -> list[str]:
    """For each name one that is a file's on every system, no two equal but for case."""
    taken: set[str] = set()
    found = []
    for name in names:
        stem = base = _file_name(name)
        number = 1
        while _folded(stem) in taken:
            number += 1
            stem = f"{base}-{number}"
        taken.add(_folded(stem))
        found.append(stem)
    return found


def _file_name(name: str) -> str:
    """Without separators, hidden dots and reserved words, and not long."""
    line = re.sub(r'[/\\:*?"<>|\ufffd]', "_", one_line(name))
    short = line.encode()[:LONGEST].decode(errors="ignore").lstrip(". ").rstrip(". ")
    return f"_{short}" if RESERVED.match(short) else short or "submission"


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
