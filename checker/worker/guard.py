"""Keeps a slip from doing harm: a puzzle writes no file into the course, and starts no
process. Either is refused, said, and never passes.

That helps an honest learner. It is no defence: grading isolates the whole process
(``link/sandbox.py``), and the verdict is the parent's.
"""

import contextlib
import os
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from typing import Any

from checker.course import ROOT

STDLIB = os.path.dirname(os.__file__) + os.sep
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CACHES = ("MODULAR_HOME", "HF_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
"""Variables that name folders which libraries write into."""
CHANGING = ("remove", "rmdir", "mkdir", "truncate", "chmod", "chown", "utime", "rename",
            "link", "symlink")  # fmt: skip
STARTING = ("system", "exec", "posix_spawn", "spawn", "fork", "forkpty")


class Guard:
    """Watches this process by Python's audit hooks, which tell what is about to be done
    (docs.python.org/3/library/audit_events.html)."""

    def __init__(self) -> None:
        caches = filter(None, (os.environ.get(name) for name in CACHES))
        free = (tempfile.gettempdir(), sys.prefix, os.devnull, *caches)
        self._free = tuple(map(os.path.realpath, free))
        self._closed: tuple[str, ...] = ()
        self._puzzles: frozenset[str] = frozenset()
        self._found: set[str] = set()
        self._handlers: dict[str, Callable[..., None]] = {
            "open": self._open,
            "shutil.rmtree": self._write,
            **dict.fromkeys((f"os.{name}" for name in CHANGING), self._write),
            **dict.fromkeys((f"os.{name}" for name in STARTING), self._start),
            "subprocess.Popen": self._start,
        }
        sys.addaudithook(self._hook)

    @contextlib.contextmanager
    def watching(self, puzzles: frozenset[str]) -> Iterator[list[str]]:
        """Watch while the code of these files runs; yields what it has done, filled in
        at the end, each as the end of "attention.py …"."""
        folders = (os.path.dirname(os.path.realpath(path)) for path in puzzles)
        self._closed = (os.path.realpath(ROOT), *folders)
        self._found, self._puzzles = set(), puzzles
        done: list[str] = []
        try:
            yield done
        finally:
            done += sorted(self._found)
            self._puzzles = frozenset()

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        handler = self._handlers.get(event) if self._puzzles else None
        if handler is not None:
            handler(*arguments)

    def _open(self, path: object, mode: object, flags: object) -> None:
        writes = isinstance(mode, str) and set(mode) & set("wax+")
        if writes or (isinstance(flags, int) and flags & WRITING):
            self._write(path)

    def _write(self, *arguments: object) -> None:
        for path in arguments:
            if self._is_closed(path) and self._is_learners(_any_library):
                self._refuse(f"writes to {path!r}")

    def _is_closed(self, path: object) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        real = os.path.realpath(os.fsdecode(path))
        own = _inside(real, self._closed) and not _inside(real, self._free)
        return own and "__pycache__" not in real

    def _start(self, *_: object) -> None:
        if self._is_learners(_standard_library):
            self._refuse("starts a process")

    def _is_learners(self, between: Callable[[str], bool]) -> bool:
        """Whether the learner's code does it, through such files as ``between``."""
        frame: types.FrameType | None = sys._getframe(3)
        while frame is not None:
            path = frame.f_code.co_filename
            if path in self._puzzles:
                return True
            if path != __file__ and not between(path):
                return False
            frame = frame.f_back
        return False

    def _refuse(self, sentence: str) -> None:
        self._found.add(sentence)
        raise PermissionError(f"a puzzle {sentence}: the checker does not allow it")


def _inside(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == f or path.startswith(f + os.sep) for f in folders)


def _any_library(path: str) -> bool:
    """All but a check's own probe."""
    return not path.startswith(os.path.join(ROOT, "tests", ""))


def _standard_library(path: str) -> bool:
    frozen = path.startswith("<")
    return frozen or (path.startswith(STDLIB) and "site-packages" not in path)
