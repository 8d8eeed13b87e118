"""The process in which the learner's code runs.

``python -m checker.worker FD`` reads requests from standard input, one JSON line each,
and writes answers to the pipe FD. It judges nothing: it loads files, runs probes and
sends back what they answered. What the learner's code prints goes to standard output,
which is the parent's to show. See ``process.py`` for the other end.

A request is ``{"step": "s05", "files": {name: {"path", "source", "learner"}}, "probes":
[[0, null], [0, 2], ["compiled", null]], "compile": false, "token": …}``: the checks by
number, or a mistake's own probe. Answers: for "load" and for each probe
``{"begin": at}``, then ``{"at": at, "value": …}`` or ``{"at": at, "error": …}``; at
last ``{"done": [violations]}``, and ``{"note": line}`` in between. Each line begins
with the request's token.
"""

import ast
import contextlib
import gc
import importlib
import importlib.abc
import importlib.machinery
import io
import linecache
import os
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from checker import guard, wire
from checker.light import light_max_nn, light_transformers
from checker.probe import Learner, Unusable
from checker.table import Check, Probe, puzzle

DATA = 16 * 2**30
"""Bytes a learner's code may ask for beyond what the worker has. What it really uses is
the parent's to watch; MAX asks for 2 GB more with each graph that it compiles."""
FILE_SIZE = 2**30
"""Bytes of the largest file that may be written (MAX caches what it has compiled)."""


def prepare() -> None:
    """Import MAX and interpret its graphs; float32 on the CPU, whatever is there."""
    light_max_nn()
    light_transformers()
    from checker import interpreter

    importlib.import_module("max.nn.module_v3")
    from max.driver import CPU
    from max.dtype import DType
    from max.experimental import tensor

    tensor._DEFAULT_DEVICE.set(CPU())
    tensor._DEFAULT_DTYPE.set(DType.float32)
    interpreter.install()
    gc.collect()
    gc.freeze()  # realizing a tensor collects garbage: leave out what never is


class Files(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the puzzles by name (``from config import …``) from the request."""

    def __init__(
        self,
        files: dict[str, dict[str, Any]],
        executed: Callable[[ModuleType], None],
    ) -> None:
        self.files = files
        self.executed = executed

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in self.files:
            return None
        origin = self.files[name]["path"]
        spec = importlib.machinery.ModuleSpec(name, self, origin=origin)
        spec.has_location = True
        return spec

    def exec_module(self, module: ModuleType) -> None:
        file = self.files[module.__name__]
        exec(compile(file["source"], file["path"], "exec"), module.__dict__)
        self.executed(module)

    @contextlib.contextmanager
    def importable(self) -> Iterator[None]:
        """Afresh: nothing of another step's modules is left before or after."""
        for name in self.files:
            sys.modules.pop(name, None)
        for file in self.files.values():
            lines = file["source"].splitlines(keepends=True)
            linecache.cache[file["path"]] = (len(lines), None, lines, file["path"])
        folders = {os.path.dirname(file["path"]) for file in self.files.values()}
        path = list(sys.path)
        sys.path[:] = [*path, *sorted(folders)]
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            sys.path[:] = path
            for name in self.files:
                sys.modules.pop(name, None)


def definitions(source: str) -> dict[str, int]:
    """``Class.method`` -> line, for "where to look"."""
    found: dict[str, int] = {}

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                found[prefix + child.name] = child.lineno
                visit(child, f"{prefix}{child.name}.")

    visit(ast.parse(source), "")
    return found


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


class Worker:
    """Answers requests.

    It holds its own references to all that it needs while the learner's code runs: by
    their names the checker's modules cannot be had then.
    """

    def __init__(self, answers: io.RawIOBase) -> None:
        from checker import interpreter

        self.answers = answers
        self.scratch = os.getcwd()
        self.interpreter = interpreter
        interpreter.listen(lambda line: self.send({"note": line}))
        self.guard: guard.Guard | None = None
        self.token = ""

    def send(self, message: object) -> None:
        data = f"{self.token} ".encode() + wire.encode(message)
        while data:
            data = data[self.answers.write(data) :]

    def serve(self, request: dict[str, Any]) -> None:
        assert self.guard is not None
        self.token = request["token"]
        os.chdir(self.scratch)
        name = puzzle(request["step"]).name
        probes = [(at, _probe(request["step"], at)) for at in request["probes"]]
        files = Files(request["files"], self.guard.keep)
        paths = frozenset(file["path"] for file in files.files.values())
        with self.guard.watching(paths) as violations, files.importable():
            learner = self.load(name, files)
            for at, probe in probes if learner else ():
                self.run(request, at, probe, learner)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        self.send({"done": violations})

    def load(self, name: str, files: Files) -> Learner | None:
        file = files.files[name]
        self.send({"begin": "load"})
        try:
            module = importlib.import_module(name)
            self.send({"at": "load", "value": definitions(file["source"])})
            return Learner(module, os.path.basename(file["path"]))
        except BaseException as error:  # SystemExit and KeyboardInterrupt as well
            self.send({"at": "load", "error": describe(error, files.files)})
            return None

    def run(
        self, request: dict[str, Any], at: list[Any], probe: Probe, learner: Any
    ) -> None:
        self.send({"begin": at})
        try:
            if request["compile"]:
                self.interpreter.uninstall()
            value = probe(learner)
            self.send({"at": at, "value": value})
        except BaseException as error:
            self.send({"at": at, "error": describe(error, request["files"])})
        finally:
            self.interpreter.install()


def _probe(step: str, at: list[Any]) -> Probe:
    table = puzzle(step).table
    check: Check | None = table.compiled if at[0] == "compiled" else table.checks[at[0]]
    assert check is not None
    probe = check.probe if at[1] is None else check.mistakes[at[1]].probe
    assert probe is not None
    return probe


def limit_resources() -> None:
    """So that too much asked for at once is a MemoryError with a line; and where the
    machine itself runs out of memory, this process is the one to go."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
    with contextlib.suppress(OSError, ValueError):  # no /proc on macOS
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        with open("/proc/self/statm") as file:
            taken = int(file.read().split()[5]) * resource.getpagesize()
        limit = taken + DATA
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def main() -> None:
    answers = os.fdopen(int(sys.argv[1]), "wb", buffering=0)
    requests = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # input() finds an end of file
    # MAX realizes a tensor in asyncio.run, which with Python's own handler for ^C in
    # place prints the tensor into a message nobody sees: 3 s for [1024, 1024]. And ^C
    # is the parent's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare()
    worker = Worker(answers)
    worker.send({"ready": True})
    sys.argv[1:] = []
    worker.guard = guard.Guard()
    limit_resources()
    for line in requests:
        worker.serve(wire.decode(line))
    shutil.rmtree(worker.scratch, ignore_errors=True)  # the parent is gone
    os._exit(0)  # no atexit, no waiting for threads


if __name__ == "__main__":
    main()
