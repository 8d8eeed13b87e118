"""Exceptions of the learner's code, in words that a beginner can act on.

``explain`` takes what the worker saw (``worker/describe.py``). The first row of
``explanations.py`` that fits gives the sentence; where none does, the sentence is the
exception itself, shortened. A row never claims more than the exception and the facts
that the worker computed say. This module imports neither MAX nor NumPy.

``python -m checker.verdict.explain`` writes the rows to ``docs/pytorch-to-max.md``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checker.verdict.explanations import EXPLANATIONS, SECTIONS, Row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "pytorch-to-max.md"


@dataclass(frozen=True)
class Place:
    """A line of the learner's; ``code`` is two lines where indentation is at fault."""

    path: str
    line: int
    code: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Explanation:
    """An exception in words.

    Attributes:
        id: of the row that fits; "" where nothing but the exception itself is said.
        sentence: what happened and, where a row fits, what to write instead.
        place: the learner's line.
        shapes: of the arrays and tensors there, where the exception may be about them.
        exception: "Type: message", shortened; "" where the sentence says that already.
    """

    id: str
    sentence: str
    place: Place | None = None
    shapes: dict[str, str] = field(default_factory=dict)
    exception: str = ""


IMPORTS = {
    "F": "from max.experimental import functional as F",
    "Tensor": "from max.experimental.tensor import Tensor",
    "TensorType": "from max.graph import TensorType",
    "Dim": "from max.graph import Dim",
    "DimLike": "from max.graph import DimLike",
    "Module": "from max.nn.module_v3 import Module",
    "Linear": "from max.nn.module_v3 import Linear",
    "Embedding": "from max.nn.module_v3 import Embedding",
    "Sequential": "from max.nn.module_v3 import Sequential",
    "Device": "from max.driver import Device",
    "CPU": "from max.driver import CPU",
    "driver": "from max import driver",
    "DType": "from max.dtype import DType",
    "math": "import math",
    "np": "import numpy as np",
    "dataclass": "from dataclasses import dataclass",
}
"""Where names of MAX and Python come from. The worker knows those of the course."""


def explain(error: Mapping[str, Any], file: str) -> Explanation:
    """``error`` is what ``describe`` gave; ``file`` the name of the learner's file."""
    said = f"{error['type']}: {' '.join(error['message'].split())}"[:LONGEST]
    importing = IMPORTS.get(error["facts"].get("name", ""), "")
    facts = {"import": importing, **error["facts"]}
    plain = _plain(error, file)
    shapes = dict(error["shapes"]) if error["type"] in ABOUT_SHAPES else {}
    for row in EXPLANATIONS:
        if any(facts.get(name) and name not in row.facts for name in FOREIGN):
            continue
        if (known := row.match(said, facts)) is not None:
            sentence = _capital(row.sentence.format_map(_brief(known)))
            sentence += _elsewhere(error, file)
            place = _place(error, file, definition=row.at_definition)
            said_already = error["type"] in NOT_PYTHON
            exception = "" if said_already else plain
            return Explanation(row.id, sentence, place, shapes, exception)
    return Explanation("", plain + _elsewhere(error, file), _place(error, file), shapes)


LONGEST = 1200
"""Characters of an exception that are compared: no message may take long."""
FOREIGN = ("raised", "within")
"""Facts of exceptions that say nothing about the learner's line: a ``raise`` of its own
words, and a fault that shows within the course's code. Rows have to ask for them."""


def _brief(known: Mapping[str, str]) -> dict[str, str]:
    """The fields of a sentence, none longer than a line."""
    whole = {"way", "import", "has", "takes"}
    return {
        name: text if name in whole or len(text) <= 80 else text[:79] + "…"
        for name, text in known.items()
    }


NOT_PYTHON = ("SyntaxError", "IndentationError", "TabError")
ABOUT_SHAPES = {"ValueError", "TypeError", "RuntimeError", "IndexError"}


def _place(
    error: Mapping[str, Any], file: str, definition: bool = False
) -> Place | None:
    """The innermost line of this file, or the definition called wrongly; where neither
    is known, the innermost line of the learner's."""
    frames = error["frames"]
    own = [frame for frame in frames if Path(frame[0]).name == file] or frames
    places = [*own[-1:], *[error["definition"]] * bool(error["definition"])]
    if not places:
        return None
    path, line, _, code = places[-1 if definition else 0]
    return Place(path, line, code)


def _elsewhere(error: Mapping[str, Any], file: str) -> str:
    """Where it was raised, if that is in a file that this one calls."""
    names = [Path(path).name for path, *_ in error["frames"]]
    if file not in names or names[-1] == file:
        return ""
    return f" (In {names[-1]}:{error['frames'][-1][1]}, which {file} calls.)"


def _capital(sentence: str) -> str:
    first = sentence.partition(" ")[0]
    return sentence[:1].upper() + sentence[1:] if first.isalpha() else sentence


# The exception itself


def _plain(error: Mapping[str, Any], file: str) -> str:
    """What the exception says, in one line."""
    kind, message = error["type"], error["message"]
    if error["unusable"]:
        return str(message)
    if error["todo"]:
        return f"this hole is open: {message or 'a hole'}"
    if kind in NOT_PYTHON:
        return f"{file} is not valid Python: {message.split(' (')[0]}"
    if kind == "ModuleNotFoundError" and error["name"]:
        return f"there is no module `{error['name']}` to import"
    if kind == "ImportError":
        return re.sub(r" \([^)]*\)$", "", message)
    if kind == "KeyError" and error["facts"].get("object"):
        return f"there is no {shorten(message)} in `{error['facts']['object']}`"
    return f"{kind}: {shorten(message)}" if message.strip() else str(kind)


MAX_SAYS = (
    (
        r"\(shape (?P<a>\[.*?\])\).*axis (?P<axis>-?\d+) \(value (?P<m>\w+)\).*"
        r"\(shape (?P<b>\[.*?\])\).*\(value (?P<n>\w+)\) are neither",
        "{op}: shapes {a} and {b} do not fit together: axis {axis} is {m} in one and "
        "{n} in the other",
    ),
    (
        r"multiplication.*\(shape (?P<a>\[.*?\])\).*\(value (?P<m>\w+)\).*"
        r"\(shape (?P<b>\[.*?\])\).*\(value (?P<n>\w+)\)",
        "{op}: {a} @ {b} does not fit: the last axis of the left side ({m}) has to be "
        "as long as the last but one of the right side ({n})",
    ),
    (
        r"number of elements must match: (?P<a>\[.*?\]) != (?P<b>\[.*?\])",
        "{op}: {a} and {b} do not hold the same number of elements",
    ),
    (
        r"index (?P<i>-?\d+) out of range for dimension size (?P<n>\d+)",
        "{op}: index {i} is out of range for an axis of size {n}",
    ),
    (
        r"must be tensor with integer or index elements",
        "{op}: the indices have to be integers",
    ),
    (
        r"Unsafe cast from (?P<a>\w+) to (?P<b>\w+)",
        "{op}: the two sides have dtypes that do not mix; cast one of them",
    ),
)
"""MAX's diagnostics, and how they are said here."""


def shorten(message: str) -> str:
    """One sentence of a long message; MAX wraps its own in several lines."""
    message = _readable(message)
    if op := re.match(r"Failed to create op '(\w+)'", message):
        name = op[1].removeprefix("mo_")
        for pattern, sentence in MAX_SAYS:
            if found := re.search(pattern, message):
                return sentence.format(op=name, **found.groupdict())
        _, _, diagnostics = message.partition("Diagnostics:")
        message = f"{name}: {diagnostics.strip()}"
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    first = lines[0] if lines else "no message"
    return first if len(first) <= 200 else first[:199] + "…"


def _readable(text: str) -> str:
    """Shapes as [2, 5, 12], and nothing of how MAX and Python name their insides."""
    text = re.sub(r"#mosh<ape(\[.*?\])> : !mosh\.ape", r"\1", text)
    text = re.sub(r"Dim\(['\"]?(\w+)['\"]?\)", r"\1", text)
    return re.sub(r"[\w.]*<locals>\.", "", text)


# The page

HEAD = """# From PyTorch and NumPy to MAX 25.7

What people who know PyTorch or NumPy write first, what MAX, NumPy or Python say to it,
and how it is written for MAX. The checker says the same when it meets one of these.
`…` is any text; `x` and `y` are Tensors `[B, T, C]`, `ids` token ids `[B, T]`, `array`
is a NumPy array, and `self` a module with a layer `c_fc` and a Tensor `weight`.

<!-- python -m checker.verdict.explain writes this from explanations.py beside it. -->
"""


def page() -> str:
    """The rows as a page of Markdown."""
    parts = [HEAD]
    for title, rows in SECTIONS.items():
        parts += [f"\n## {title}\n", "| You write | It says | The MAX way |"]
        parts += ["| --- | --- | --- |", *map(_line, rows)]
    return "\n".join(parts) + "\n"


def _line(row: Row) -> str:
    says = re.sub(r"<(\w+)>", lambda found: row.like.get(found[1], "…"), row.says[0])
    sentence = _capital(row.sentence.format_map({"way": row.way, **row.like}))
    cells = (_code(row.wrote), _code(says.strip()), sentence)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
