"""An exception as data that the parent can explain: what it says, and where."""

import linecache
import os
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

from checker.course import ROOT
from checker.worker.evidence import Scene, facts
from checker.worker.probe import Unusable

Files = dict[str, dict[str, Any]]


def describe(error: BaseException, files: Files) -> dict[str, Any]:
    """Kind, message, the learner's frames, the shapes at hand, and facts about them.

    Never raises, whatever the learner's objects do. ``frames`` are [path, line,
    function, code], the innermost last; ``definition`` is one more of them, or empty:
    the learner's function that was called with arguments it does not take. ``fault`` is
    where the checker's own code is wrong; nothing where it is not.
    """
    paths = {file["path"] for file in files.values() if file["learner"]}
    tracebacks = list(_tracebacks(error))
    own = [tb for tb in tracebacks if tb.tb_frame.f_code.co_filename in paths]
    scene = Scene(error, message(error), tracebacks, own, files)
    frames = [_frame(tb) for tb in own] + _try(lambda: _syntax(error, paths), [])
    faulty = "" if own else _try(lambda: _probes_fault(error, tracebacks[-1]), "")
    imports = isinstance(error, ImportError)
    return {
        "type": type(error).__name__,
        "message": scene.message[:4000],
        "unusable": isinstance(error, Unusable),
        "todo": isinstance(error, NotImplementedError) and bool(own),
        "frames": frames[-6:],
        "shapes": _shapes(own[-1].tb_frame.f_locals) if own else {},
        "name": _try(lambda: str(error.name or ""), "") if imports else "",  # type: ignore[attr-defined]
        "definition": _try(scene.definition, []),
        "facts": facts(scene),
        "fault": faulty,
    }


def message(error: BaseException) -> str:
    """What an exception says; MAX's "Failed to compile" says why only in its cause."""
    try:
        text, cause = str(error), error.__cause__
        failed = cause and text.startswith("Failed to compile")
        return str(cause) if failed else text
    except BaseException:
        return "an exception that cannot say what it is"


def _try(compute: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return compute()
    except BaseException:  # an object of the learner's may raise anything
        return otherwise


def _tracebacks(error: BaseException) -> list[Any]:
    tracebacks, tb = [], error.__traceback__
    while tb is not None:
        tracebacks.append(tb)
        tb = tb.tb_next
    return tracebacks


def _frame(tb: Any) -> list[Any]:
    code = tb.tb_frame.f_code
    line = linecache.getline(code.co_filename, tb.tb_lineno).strip()
    return [code.co_filename, tb.tb_lineno, code.co_name, line]


def _syntax(error: BaseException, paths: set[str]) -> list[list[Any]]:
    """The line that is not Python, as a frame."""
    if not isinstance(error, SyntaxError) or error.filename not in paths:
        return []
    line = error.lineno or 1
    lines = linecache.getlines(error.filename)[:line] or [error.text or ""]
    shown = lines[-1:]
    if isinstance(error, IndentationError):  # what it is compared with is above
        shown = [each for each in lines[:-1] if each.strip()][-1:] + shown
    code = textwrap.dedent("".join(shown).expandtabs()).rstrip()
    return [[error.filename, line, "", code]]


def _probes_fault(error: BaseException, innermost: Any) -> str:
    """The place in the checker's own code that uses a name or a module that is not
    there: no answer of a learner's makes it do that."""
    path, line, *_ = _frame(innermost)
    if not isinstance(error, NameError | ImportError):
        return ""
    own = [os.path.join(ROOT, folder, "") for folder in ("checker", "tests")]
    return (
        f"{os.path.relpath(path, ROOT)}:{line}" if path.startswith(tuple(own)) else ""
    )


def _shapes(variables: dict[str, Any]) -> dict[str, str]:
    found = {}
    for name, value in list(variables.items())[:12]:
        if issubclass(type(value), np.ndarray) or type(value).__name__ == "Tensor":
            shape = _try(lambda value=value: ", ".join(map(str, value.shape)), None)  # type: ignore[misc]
            if shape is not None:
                found[name] = f"[{shape}]"
    return found
