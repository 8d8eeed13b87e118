"""Where a worker runs, and what it sees there.

A learner's own check runs as it is. Grading is different: Python cannot guard Python,
so what would give an answer away has to be absent. The operating system sees to that:

bubblewrap    The worker starts in namespaces of its own (``bwrap``): it sees the Python
              environment, its own part of the checker and the probes, all read-only,
              and an empty scratch folder. There are no right answers, no
              other submissions, no home folder, no network, no other processes.
another user  Where ``bwrap`` cannot start and root grades: the worker is a user who
              owns nothing, on a copy of the same few files. The course is closed to it.
not isolated  Neither is possible. Reports say so.
"""

import ast
import functools
import itertools
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from checker.course import ROOT, every, reference
from checker.link.wire import COURSE

WORKER = "checker.worker.main"
SCRATCH = "CHECKER_SCRATCH"
"""Names the scratch folder in a worker's environment, by which strays are found."""
ROOM = 2**29
"""Bytes of the scratch folder inside bubblewrap."""
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin")
KEPT = ("LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
"""What an isolated worker keeps of the environment."""
NOBODY = itertools.count(200_000 + 1000 * (os.getpid() % 1000))
"""Users that own nothing: each worker is one of its own, so that all its processes can
be told from others'."""


class Isolation(Enum):
    """How workers are kept apart; the value is what reports and ``doctor`` say."""

    BUBBLEWRAP = "bubblewrap"
    USER = "another user"
    NONE = "not isolated"


@dataclass(frozen=True)
class Surroundings:
    """What a worker is started with.

    Attributes:
        command: Python, and what comes before it.
        environment: all of it.
        folder: its working directory, as seen from inside.
        scratch: what to remove afterwards; empty where nothing is left.
        user: whom it runs as; None for the user who asked.
        inside: whether its processes are hidden behind the one that was started.
        apart: whether it answers each request in a process of its own.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    folder: str
    scratch: str = ""
    user: int | None = None
    inside: bool = False
    apart: bool = False


def environment() -> dict[str, str]:
    """A worker's: this course first on the path, no network, one thread for NumPy."""
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, **_settings(os.pathsep.join(path))}


def _settings(path: str) -> dict[str, str]:
    return {
        "PYTHONPATH": path,
        "PYTHONUTF8": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }


def surroundings(isolation: Isolation) -> Surroundings:
    """For a new worker."""
    if isolation is Isolation.BUBBLEWRAP:
        return _bubble(files())
    if isolation is Isolation.USER:
        return _other_user()
    scratch = new_scratch()
    own = {"TMPDIR": os.path.join(scratch, "tmp"), SCRATCH: scratch}
    return Surroundings((sys.executable,), {**environment(), **own}, scratch, scratch)


def new_scratch() -> str:
    """The name of a folder for ``WorkerProcess`` to make and to remove."""
    return os.path.join(tempfile.gettempdir(), f"checker-{secrets.token_hex(8)}")


# bubblewrap


def _bubble(seen: Iterable[Path]) -> Surroundings:
    """See bwrap(1). Its root is an empty file system in memory, read-only at last."""
    own = {"HOME": "/tmp/home", "TMPDIR": "/tmp", SCRATCH: "/tmp/scratch"}
    known = {**_kept(), **_settings(str(ROOT)), **own, "PATH": "/usr/bin:/bin"}
    words = [
        *(
            "bwrap",
            "--unshare-all",
            "--unshare-user",
            "--uid",
            "65534",
            "--gid",
            "65534",
        ),
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *_system(),
        *("--proc", "/proc", "--dev", "/dev", "--size", str(ROOM), "--tmpfs", "/tmp"),
        *("--dir", "/tmp/home", "--dir", "/tmp/scratch", "--chdir", "/tmp/scratch"),
        *itertools.chain(*(("--ro-bind", str(f), str(f)) for f in python_folders())),
        *itertools.chain(*(("--ro-bind", str(f), str(f)) for f in seen)),
        *("--remount-ro", "/", sys.executable),
    ]
    return Surroundings(tuple(words), known, "/", inside=True, apart=True)


def _kept() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ}


def _system() -> Iterator[str]:
    """The system's programs and libraries, and how they are found."""
    for folder in filter(os.path.exists, SYSTEM):
        if os.path.islink(folder):
            yield from ("--symlink", os.readlink(folder), folder)
        else:
            yield from ("--ro-bind", folder, folder)
    yield from ("--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache")
    yield from ("--ro-bind-try", "/etc/localtime", "/etc/localtime")


def python_folders() -> list[Path]:
    """The Python environment: itself, and what it was made from. None is inside another
    that is there anyway."""
    found = {Path(each) for each in (sys.prefix, sys.base_prefix, sys.exec_prefix)}
    found |= {Path(sys.executable).resolve().parent.parent}
    return [
        folder
        for folder in sorted(found)
        if not any(other in folder.parents for other in {*found, Path("/usr")})
        and folder != Path("/usr")
    ]


# Another user


def _other_user() -> Surroundings:
    """On a copy of the files: what else is in the course is closed to it."""
    scratch, user = new_scratch(), next(NOBODY)
    copy = os.path.join(scratch, COURSE)
    own = {"HOME": scratch, "TMPDIR": os.path.join(scratch, "tmp"), SCRATCH: scratch}
    known = {**_kept(), **_settings(copy), **own, "PATH": "/usr/bin:/bin"}
    return Surroundings((sys.executable,), known, scratch, scratch, user, apart=True)


def fill(around: Surroundings) -> None:
    """Make the scratch folder, with what the worker needs in it."""
    if not around.scratch:
        return
    os.makedirs(os.path.join(around.scratch, "tmp"), mode=0o700)
    if around.user is None:
        return
    for file in files():
        target = Path(around.scratch, COURSE, file.relative_to(ROOT))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    for folder in (around.scratch, os.path.join(around.scratch, "tmp")):
        os.chown(folder, around.user, around.user)


def close(*paths: Path) -> None:
    """Let nobody but root read what is at these paths: neither the course, which holds
    answers, nor what others have handed in. The Python environment stays open."""
    for path in paths:
        entries = path.iterdir() if path == ROOT else [path]
        for entry in entries:
            if entry.resolve() not in python_folders() and not entry.is_symlink():
                entry.chmod(entry.stat().st_mode & ~0o077)


# What there is


@functools.cache
def available() -> Isolation:
    """The best that this machine has; found out by trying."""
    if shutil.which("bwrap") and _starts(_bubble(())):
        return Isolation.BUBBLEWRAP
    if os.name == "posix" and os.getuid() == 0 and sys.platform == "linux":
        if _starts(Surroundings((sys.executable,), {}, "/", user=next(NOBODY))):
            return Isolation.USER
    return Isolation.NONE


def _starts(around: Surroundings) -> bool:
    """Whether Python can be started there."""
    with suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            [*around.command, "-I", "-S", "-c", ""],
            env=around.environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
            user=around.user,
            group=around.user,
            extra_groups=None if around.user is None else [],
        )
        return done.returncode == 0
    return False


# What a worker imports


@functools.cache
def files() -> tuple[Path, ...]:
    """The course's own files that a worker needs: what it, the probes and the puzzles
    import, and the small model that comes with the course."""
    found: set[Path] = set(ROOT.glob("models/austen/*"))
    todo = [WORKER, *(f"{puzzle.package}.probes" for puzzle in every())]
    for puzzle in every():
        todo += _imports(reference(puzzle.name).text)
    while todo:
        path = _file(todo.pop())
        if path is not None and path not in found:
            found.add(path)
            if path.suffix == ".py":
                todo += _imports(path.read_text(encoding="utf-8"))
            todo += [_module(init) for init in _packages(path) if init not in found]
    return tuple(sorted(found))


def _file(module: str) -> Path | None:
    """The file of one of the course's own modules; None for all others."""
    path = ROOT.joinpath(*module.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((each for each in candidates if each.is_file()), None)


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _packages(path: Path) -> Iterator[Path]:
    """The ``__init__.py`` of the packages around a module."""
    for folder in path.parents:
        if folder == ROOT:
            return
        if (init := folder / "__init__.py").is_file():
            yield init


def _imports(source: str) -> Iterator[str]:
    """What a source imports, inside its functions too; ``from a import b`` may mean the
    module ``a.b``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)
