"""An exception of the learner's code as data, for ``verdict/explain.py``."""

import contextlib
import linecache
import traceback
from typing import Any

import numpy as np

from checker.worker.probe import Unusable


def describe(error: BaseException, files: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """An exception as data: kind, message, the learner's frames, the shapes at hand."""
    paths = {file["path"] for file in files.values() if file["learner"]}
    frames, shapes = [], {}
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = frame.f_code.co_filename
        if path in paths:
            code = linecache.getline(path, line).strip()
            frames.append([path, line, frame.f_code.co_name, code])
            shapes = _shapes(frame.f_locals)
    if isinstance(error, SyntaxError) and error.filename in paths:
        text = (error.text or "").strip()
        frames.append([error.filename, error.lineno or 1, "", text])
    return {
        "type": type(error).__name__,
        "message": _message(error)[:4000],
        "unusable": isinstance(error, Unusable),
        "todo": isinstance(error, NotImplementedError) and bool(frames),
        "frames": frames[-6:],
        "shapes": shapes,
        "name": error.name or "" if isinstance(error, ImportError) else "",
    }


def _message(error: BaseException) -> str:
    """What an exception says; MAX's "Failed to compile" says why only in its cause."""
    try:
        message, cause = str(error), error.__cause__
        failed = cause and message.startswith("Failed to compile")
        return str(cause) if failed else message
    except BaseException:
        return "an exception that cannot say what it is"


def _shapes(variables: dict[str, Any]) -> dict[str, str]:
    found = {}
    for name, value in list(variables.items())[:12]:
        with contextlib.suppress(Exception):
            if isinstance(value, np.ndarray) or type(value).__name__ == "Tensor":
                found[name] = "[" + ", ".join(str(n) for n in value.shape) + "]"
    return found
