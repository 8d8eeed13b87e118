"""What the learner's code may not do to its surroundings, and the signs that it did.

The verdict does not depend on this: the parent compares, out of reach. The guard keeps
a stray file from writing into the repository or leaving processes behind, and turns
tampering with shared modules into a sentence. Everything it finds is a violation, and
a step with a violation is never passed.
"""

import atexit
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

WATCHED = (
    "builtins",
    "json",
    "json.decoder",
    "json.encoder",
    "numpy",
    "numpy.linalg",
    "numpy.testing",
    "os",
    "max.experimental.functional",
)
"""Modules whose functions the learner's code may use and not replace; checker.* too."""

WATCHED_CLASSES = (
    ("max.experimental.tensor", "Tensor"),
    ("max.nn.module_v3", "Module"),
    ("max.nn.module_v3", "Linear"),
    ("max.nn.module_v3", "Embedding"),
)
STREAMS = ("stdin", "stdout", "stderr", "exit", "__stdout__", "__stderr__")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_found: list[str] = []
_writable: list[str] = []

Snapshot = tuple[dict[str, tuple[Any, dict[str, Any]]], set[threading.Thread]]


def install(scratch: str) -> None:
    """Allow writing under ``scratch``, temporary folders and caches only; no processes."""
    home = Path.home()
    caches = [home / ".cache", home / ".local/share/modular", home / ".modular"]
    named = [os.environ.get(n) for n in ("HF_HOME", "MODULAR_HOME", "XDG_CACHE_HOME")]
    folders = [scratch, tempfile.gettempdir(), "/dev", *caches, *filter(None, named)]
    _writable[:] = [os.path.realpath(folder) for folder in folders]
    sys.addaudithook(_hook)
    register = atexit.register

    def recording(*args: Any, **kwargs: Any) -> Any:
        if _is_puzzle(sys._getframe(1).f_code.co_filename):
            _found.append("leaves a function behind with atexit")
        return register(*args, **kwargs)

    atexit.register = recording


def snapshot() -> Snapshot:
    """What the watched names stand for now, and which threads run."""
    _found.clear()
    held: dict[str, tuple[Any, dict[str, Any]]] = {}
    for name, module in list(sys.modules.items()):
        if name in WATCHED or name.startswith("checker."):
            held[name] = module, dict(vars(module))
    for name, kind in WATCHED_CLASSES:
        owner = getattr(sys.modules[name], kind)
        held[kind] = owner, dict(vars(owner))
    held["sys"] = sys, {name: getattr(sys, name) for name in STREAMS}
    return held, set(threading.enumerate())


def violations(before: Snapshot) -> list[str]:
    """What has been done since ``before``, each as the end of "attention.py …"."""
    held, threads = before
    for name, (owner, names) in held.items():
        for attribute, value in names.items():
            if attribute[:2] != "__" and vars(owner).get(attribute) is not value:
                if _counts(name, attribute):
                    _found.append(f"replaces {name}.{attribute}")
                setattr(owner, attribute, value)
    for thread in set(threading.enumerate()) - threads:
        if type(thread).__name__ != "TMonitor":  # tqdm's, from a library's download bar
            _found.append("leaves a thread running")
    return sorted(set(_found))


def _counts(owner: str, attribute: str) -> bool:
    """The checker's own modules keep notes (``_found``); those may change."""
    return not (owner.startswith("checker.") and attribute.startswith("_"))


def _is_puzzle(path: str) -> bool:
    import checker.worker

    return any(
        path == file["path"]
        for finder in sys.meta_path
        if isinstance(finder, checker.worker.Files)
        for file in finder.files.values()
    )


def _refuse(sentence: str) -> None:
    _found.append(sentence)
    raise PermissionError(f"a puzzle {sentence}: the checker does not allow it")


def _writes(path: object, *_: object) -> None:
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, str | os.PathLike):
        return
    real = os.path.realpath(path)
    inside = any(real == w or real.startswith(w + os.sep) for w in _writable)
    if not inside and "__pycache__" not in real:
        _refuse(f"writes to {path}")


def _opens(path: object, mode: object, flags: object) -> None:
    writing = isinstance(mode, str) and set(mode) & set("wax+")
    if writing or (isinstance(flags, int) and flags & WRITING):
        _writes(path)


def _renames(source: object, target: object, *_: object) -> None:
    _writes(source)
    _writes(target)


def _starts(*_: object) -> None:
    frame = sys._getframe(2)
    while frame := frame.f_back:  # type: ignore[assignment]
        if _is_puzzle(frame.f_code.co_filename):
            _refuse("starts a process")


def _kills(pid: object, *_: object) -> None:
    if pid != os.getpid():
        _refuse("sends a signal to another process")


HANDLERS: dict[str, Callable[..., None]] = {
    "open": _opens,
    "os.remove": _writes,
    "os.rmdir": _writes,
    "os.mkdir": _writes,
    "os.truncate": _writes,
    "os.chmod": _writes,
    "os.rename": _renames,
    "os.link": _renames,
    "os.symlink": lambda source, target, *_: _writes(target),
    "shutil.rmtree": _writes,
    "shutil.copyfile": lambda source, target: _writes(target),
    "shutil.move": _renames,
    "subprocess.Popen": _starts,
    "os.system": _starts,
    "os.exec": _starts,
    "os.fork": _starts,
    "os.forkpty": _starts,
    "os.posix_spawn": _starts,
    "os.spawn": _starts,
    "os.kill": _kills,
    "os.killpg": _kills,
}


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    handler = HANDLERS.get(event)
    if handler is not None:
        handler(*arguments)
