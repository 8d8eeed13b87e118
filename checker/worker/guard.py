"""What the learner's code may not do to its surroundings, and the signs that it did.

The verdict does not depend on this: the parent compares, out of reach. The guard keeps
a stray file from writing into the repository or leaving processes behind, and turns
tampering into a sentence. All that it finds is a violation, and a step with a violation
is never passed.

Python's audit hooks see what is about to happen (a file opened, a process started);
a comparison of before and after sees the rest (functions replaced, threads left).
"""

import _thread
import atexit
import builtins
import contextlib
import inspect
import logging
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from checker.course import ROOT

WATCHED = (
    "functools",
    "gc",
    "importlib",
    "json",
    "json.decoder",
    "json.encoder",
    "math",
    "numpy",
    "numpy.linalg",
    "numpy.random",
    "numpy.testing",
    "os",
    "random",
    "signal",
    "threading",
    "time",
    "max.experimental.functional",
)
"""Modules whose functions the learner's code may use and not replace."""

WATCHED_CLASSES = (
    ("json.decoder", "JSONDecoder"),
    ("json.encoder", "JSONEncoder"),
    ("max.experimental.tensor", "Tensor"),
    ("max.nn.module_v3", "Module"),
    ("max.nn.module_v3", "Linear"),
    ("max.nn.module_v3", "Embedding"),
    ("max.nn.module_v3", "Sequential"),
)
WATCHED_OF_SYS = (
    *("stdin", "stdout", "stderr", "__stdin__", "__stdout__", "__stderr__"),
    *("exit", "excepthook", "displayhook", "modules", "settrace", "_getframe"),
)
HIDDEN = ("checker", "tests", "__main__")
"""Packages that are out of sight while the learner's code runs."""

PRIVATE = ("checker", "tests", "solutions")
"""Folders of the course that the learner's code does not read."""

STDLIB = os.path.dirname(os.__file__) + os.sep
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CACHES = ("MODULAR_HOME", "HF_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
LIMITS = (resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE)
GRACE = 0.3
"""Seconds that a thread may take to end after the code that started it."""


def inside(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == f or path.startswith(f + os.sep) for f in folders)


class Guard:
    """Watches one process. ``watching`` says which files' code is the learner's."""

    def __init__(self) -> None:
        caches = [os.environ.get(name, "") for name in CACHES]
        folders = [tempfile.gettempdir(), sys.prefix, *filter(None, caches)]
        self._free = tuple(os.path.realpath(folder) for folder in folders)
        self._kept = tuple(os.path.realpath(ROOT / name) for name in PRIVATE)
        self._own = (os.path.realpath(ROOT), os.path.realpath(os.getcwd()))
        self._closed: tuple[str, ...] = self._own
        self._puzzles: frozenset[str] = frozenset()
        self._found: list[str] = []
        self._busy = False
        self._held: list[tuple[str, Any, dict[str, Any]]] = []
        self._register = atexit.register
        atexit.register = self._at_exit
        sys.addaudithook(self._hook)

    @contextlib.contextmanager
    def watching(self, puzzles: frozenset[str]) -> Iterator[list[str]]:
        """Watch while the code of these files runs; yields what it has done, filled
        in at the end, each as the end of "attention.py …"."""
        self._found, self._puzzles = [], puzzles
        folders = {os.path.dirname(os.path.realpath(path)) for path in puzzles}
        self._closed = (*self._own, *folders)
        before = _state()
        self._held = [("builtins", builtins, dict(vars(builtins))), *_held()]
        done: list[str] = []
        level, handlers = logging.root.level, list(logging.root.handlers)
        with _out_of_sight():
            yield done
            self._compare()
        self._found += [*_differences(before, _state()), *self._hooks()]
        logging.root.level, logging.root.handlers = level, handlers
        done += sorted(set(self._found))
        self._puzzles = frozenset()

    def keep(self, module: types.ModuleType) -> None:
        """From now on the functions and classes of this module are not to be replaced
        either: it is a sibling that others will use."""
        own = {n: v for n, v in vars(module).items() if callable(v)}
        self._held.append((module.__name__, module, own))
        for name, value in own.items():
            if isinstance(value, type) and value.__module__ == module.__name__:
                methods = {n: v for n, v in vars(value).items() if callable(v)}
                self._held.append((f"{module.__name__}.{name}", value, methods))

    def _compare(self) -> None:
        """Find what was replaced, and put it back. The builtins come first: until they
        are back nothing of them is used here."""
        for owner_name, owner, names in self._held:
            for name, value in names.items():
                if owner.__dict__.get(name) is not value:
                    self._found.append(f"replaces {owner_name}.{name}")
                    if owner is builtins:
                        owner.__dict__[name] = value
                    else:
                        with contextlib.suppress(AttributeError, TypeError):
                            setattr(owner, name, value)

    def _hooks(self) -> Iterator[str]:
        """Import hooks from the learner's files (libraries bring their own)."""
        names = {os.path.basename(path).removesuffix(".py") for path in self._puzzles}
        if any(getattr(h, "__module__", "") in names for h in sys.meta_path):
            yield "leaves an import hook behind"

    # What is about to happen

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        handler = HANDLERS.get(event)
        if handler is None and event.startswith("ctypes."):
            handler = Guard._call_c
        if handler is not None and not self._busy:
            self._busy = True  # what the guard does is an event as well
            try:
                handler(self, *arguments)
            finally:
                self._busy = False

    def _call_c(self, *_: object) -> None:
        if self._is_learners():
            self._refuse("calls into C with ctypes")

    def _refuse(self, sentence: str) -> None:
        self._found.append(sentence)
        raise PermissionError(f"a puzzle {sentence}: the checker does not allow it")

    def _is_learners(self) -> bool:
        """Whether the learner's code does it, or the standard library for it."""
        frame: types.FrameType | None = sys._getframe(2)
        while frame is not None:
            path = frame.f_code.co_filename
            if path in self._puzzles:
                return True
            standard = path.startswith(STDLIB) and "site-packages" not in path
            if not standard and path != __file__ and not path.startswith("<"):
                return False
            frame = frame.f_back
        return False

    def _is_for_learner(self) -> bool:
        """Whether the learner's code is behind it, through whatever library, and not
        a check's own probe."""
        frame: types.FrameType | None = sys._getframe(2)
        while frame is not None:
            path = frame.f_code.co_filename
            if path in self._puzzles:
                return True
            if path != __file__ and inside(path, self._kept):
                return False
            frame = frame.f_back
        return bool(self._puzzles)

    def _open(self, path: object, mode: object, flags: object) -> None:
        writing = isinstance(mode, str) and set(mode) & set("wax+")
        if writing or (isinstance(flags, int) and flags & WRITING):
            self._write(path)
        elif self._puzzles and isinstance(path, str | bytes | os.PathLike):
            real = os.path.realpath(os.fsdecode(path))
            kept = inside(real, self._kept) and real not in self._puzzles
            if kept and self._is_learners():
                self._refuse(f"reads {path!r}")

    def _write(self, path: object, *_: object) -> None:
        if not isinstance(path, str | bytes | os.PathLike) or _importing():
            return
        real = os.path.realpath(os.fsdecode(path))
        if self._puzzles and real != os.devnull and self._is_learners():
            self._refuse(f"writes to {path!r}")
        closed = inside(real, self._closed) and not inside(real, self._free)
        if closed and self._is_for_learner():
            self._refuse(f"writes to {path!r}")

    def _rename(self, source: object, target: object, *_: object) -> None:
        self._write(source)
        self._write(target)

    def _target(self, _: object, target: object, *__: object) -> None:
        self._write(target)

    def _start(self, *_: object) -> None:
        if self._is_learners():
            self._refuse("starts a process")

    def _kill(self, pid: object, *_: object) -> None:
        if pid != os.getpid():
            self._refuse("sends a signal to another process")

    def _look(self, *_: object) -> None:
        if self._is_learners():
            self._refuse("looks into the checker's memory")

    def _frame(self, *_: object) -> None:
        caller = sys._getframe(2).f_code.co_filename
        if caller == inspect.__file__ and self._is_learners():
            self._refuse("looks into the checker's frames")
        if caller in self._puzzles:
            self._refuse("looks into the checker's frames")

    def _import(self, name: object, *_: object) -> None:
        if str(name).split(".")[0] in HIDDEN and self._is_learners():
            self._refuse("imports the checker")

    def _at_exit(self, *arguments: Any, **named: Any) -> Any:
        if sys._getframe(1).f_code.co_filename in self._puzzles:
            self._found.append("leaves a function behind with atexit")
        return self._register(*arguments, **named)


HANDLERS: dict[str, Callable[..., None]] = {
    "open": Guard._open,
    "import": Guard._import,
    **dict.fromkeys(
        ("os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.chown"),
        Guard._write,
    ),
    **dict.fromkeys(("os.rename", "os.link", "shutil.move"), Guard._rename),
    **dict.fromkeys(("os.symlink", "shutil.copyfile"), Guard._target),
    **dict.fromkeys(("os.utime", "shutil.rmtree", "sqlite3.connect"), Guard._write),
    **dict.fromkeys(("gc.get_objects", "gc.get_referrers"), Guard._look),
    "sys._getframe": Guard._frame,
    **dict.fromkeys(
        ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"),
        Guard._start,
    ),
    **dict.fromkeys(("os.fork", "os.forkpty", "pty.spawn"), Guard._start),
    **dict.fromkeys(("os.kill", "os.killpg"), Guard._kill),
}


def _importing() -> bool:
    """Whether the import system itself writes (a compiled module's cache)."""
    return sys._getframe(4).f_code.co_filename.startswith("<frozen importlib")


def _held() -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """What the watched names stand for now."""
    for name in WATCHED:
        if name in sys.modules:
            yield name, sys.modules[name], dict(vars(sys.modules[name]))
    for name, kind in WATCHED_CLASSES:
        if name in sys.modules:
            owner = getattr(sys.modules[name], kind)
            yield kind, owner, dict(vars(owner))
    yield "sys", sys, {name: getattr(sys, name) for name in WATCHED_OF_SYS}


@contextlib.contextmanager
def _out_of_sight() -> Iterator[None]:
    """Without the checker in ``sys.modules``, where it could be patched or asked."""
    modules = sys.modules
    hidden = {n: m for n, m in modules.items() if n.split(".")[0] in HIDDEN}
    for name in hidden:
        del modules[name]
    modules["__main__"] = main = types.ModuleType("__main__")
    main.__file__ = __file__  # MAX takes a main module without a file for a notebook
    try:
        yield
    finally:
        for name in [name for name in modules if name.split(".")[0] in HIDDEN]:
            del modules[name]
        modules.update(hidden)


@dataclass(frozen=True)
class State:
    """What is switched on in this process."""

    signals: list[Any]
    timers: int
    tracers: tuple[Any, Any]
    threads: int
    limits: list[tuple[int, int]]
    streams: list[list[str]]
    modules: dict[str, types.ModuleType]


def _state() -> State:
    numbers = sorted(signal.valid_signals())
    kinds = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
    return State(
        signals=[signal.getsignal(number) for number in numbers],
        timers=sum(signal.getitimer(kind)[0] > 0 for kind in kinds),
        tracers=(sys.gettrace(), sys.getprofile()),
        threads=_threads(),
        limits=[resource.getrlimit(kind) for kind in LIMITS],
        streams=[sorted(vars(each)) for each in (sys.stdout, sys.stderr)],
        modules={n: sys.modules[n] for n in (*WATCHED, "sys") if n in sys.modules},
    )


def _differences(before: State, after: State) -> Iterator[str]:
    until = time.monotonic() + GRACE
    while after.threads > before.threads and time.monotonic() < until:
        time.sleep(0.01)
        after = _state()
    if after.threads > before.threads:
        yield "leaves a thread running"
    if after.signals != before.signals:
        yield "changes what a signal does"
    if after.timers > before.timers:
        yield "leaves a timer running"
    if after.limits != before.limits:
        yield "changes the limits of the process"
    if after.streams != before.streams:
        yield "replaces a method of sys.stdout or sys.stderr"
    if after.tracers != before.tracers:
        yield "leaves a tracer behind"
    for name, module in before.modules.items():
        if after.modules.get(name) is not module:
            yield f"replaces the module {name}"


def _threads() -> int:
    """How many threads Python runs, however started; tqdm's is a library's own."""
    kinds = [type(thread).__name__ for thread in threading.enumerate()]
    return _thread._count() - kinds.count("TMonitor")
