"""Exceptions of the learner's code, as sentences a beginner can read.

``explain`` takes what the worker saw (``worker.describe``) and returns lines: what
happened, where, and the shapes at hand. Only the learner's frames are shown.
"""

import difflib
import re
from dataclasses import dataclass
from typing import Any

IMPORTS = {
    "F": "from max.experimental import functional as F",
    "Tensor": "from max.experimental.tensor import Tensor",
    "TensorType": "from max.graph import TensorType",
    "Dim": "from max.graph import Dim",
    "Module": "from max.nn.module_v3 import Module",
    "Linear": "from max.nn.module_v3 import Linear",
    "Embedding": "from max.nn.module_v3 import Embedding",
    "Sequential": "from max.nn.module_v3 import Sequential",
    "Device": "from max.driver import Device",
    "CPU": "from max.driver import CPU",
    "DType": "from max.dtype import DType",
    "math": "import math",
    "np": "import numpy as np",
    "dataclass": "from dataclasses import dataclass",
    "GPT2Config": "from config import GPT2Config",
    "causal_mask": "from causal import causal_mask",
    "LayerNorm": "from layernorm import LayerNorm",
    "GPT2MLP": "from mlp import GPT2MLP",
    "GPT2Attention": "from attention import GPT2Attention",
    "GPT2Block": "from block import GPT2Block",
    "MaxGPT2Model": "from model import MaxGPT2Model",
    "GPT2TokenizerWrapper": "from tokenizer import GPT2TokenizerWrapper",
    "TextGenerator": "from generator import TextGenerator",
}
"""Where the names of the course come from, for a NameError."""


@dataclass(frozen=True)
class Place:
    """Where to look: a file as the learner calls it, a line, and its code."""

    path: str
    line: int
    code: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Explanation:
    """An exception in words; ``id`` is empty where they are only its own."""

    id: str
    sentence: str
    place: Place | None
    shapes: dict[str, str]


def explain(error: dict[str, Any], file: str) -> Explanation:
    """What happened, where, and the shapes at hand where they may be the reason."""
    place = None
    if error["frames"]:
        path, line, _, code = error["frames"][-1]
        place = Place(path, line, code)
    shapes = error["shapes"] if _about_shapes(error) else {}
    return Explanation("", _sentence(error, file), place, shapes)


def _about_shapes(error: dict[str, Any]) -> bool:
    return error["type"] in {"ValueError", "TypeError", "RuntimeError", "IndexError"}


def _sentence(error: dict[str, Any], file: str) -> str:
    kind, message = error["type"], error["message"]
    if error["unusable"]:
        return message
    if error["todo"]:
        return f"this hole is open: {message or 'a hole'}"
    if kind in ("SyntaxError", "IndentationError", "TabError"):
        return f"{file} is not valid Python: {message.split(' (')[0]}"
    if kind == "NameError" and (named := re.search(r"name '(\w+)' is not", message)):
        return _undefined(named[1])
    if kind == "ModuleNotFoundError":
        return f"there is no module `{error['name']}` to import"
    if kind == "ImportError":
        return re.sub(r" \([^)]*\)$", "", message)
    if kind in ("SystemExit", "KeyboardInterrupt"):
        return f"{file} ends the program ({kind} {message})".replace(" )", ")")
    if kind == "RecursionError":
        return "a function calls itself without end (RecursionError)"
    if kind == "MemoryError" or "Unable to allocate" in message:
        return f"there is not enough memory for what {file} asks for (MemoryError)"
    if "NoneType" in message:
        return f"something is None there: is a `return` missing? ({kind}: {message})"
    return f"{kind}: {shorten(message)}"


def _undefined(name: str) -> str:
    if name in IMPORTS:
        return f"`{name}` is not defined: is `{IMPORTS[name]}` missing?"
    near = difflib.get_close_matches(name, IMPORTS, n=1, cutoff=0.8)
    hint = f" Did you mean `{near[0]}`?" if near else ""
    return f"`{name}` is not defined: is it misspelt, or its import missing?{hint}"


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
    message = re.sub(r"#mosh<ape(\[.*?\])> : !mosh\.ape", r"\1", message)
    message = re.sub(r"Dim\(['\"]?(\w+)['\"]?\)", r"\1", message)
    message = re.sub(r"\w+\.<locals>\.", "", message)
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
