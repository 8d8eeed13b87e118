"""The process in which the learner's code runs.

``python -m checker.worker.main FD`` reads requests from standard input, one JSON line
each, and writes answers to the pipe FD. It judges nothing: it loads files, runs probes
and sends back what they answered. What the learner's code prints goes to standard
output, which is the parent's to show. ``link/process.py`` is the other end.

``python -m checker.worker.main FD apart`` answers each request in a process of its own,
a copy of this one: MAX is imported once, and no file meets what another has left.

A request is ``{"package": "tests.s05_attention", "name": "attention", "files": {name:
{"path", "source", "learner"}}, "probes": [["attends", []], …], "compile": false,
"seed": "0", "token": …}``. Answers: for "load" and for the number of each probe
``{"begin": at}``, then ``{"at": at, "value": …}`` or ``{"at": at, "error": …}``; at
last ``{"done": [violations]}``, and ``{"note": line}`` in between; apart, there is then
``{"ended": exit status}``, when nothing of that process is left. Each line begins with
the token.
"""

import contextlib
import ctypes
import faulthandler
import functools
import gc
import importlib
import io
import os
import shutil
import signal
import sys
from typing import IO, Any

from checker.course import SEED
from checker.link import wire
from checker.worker import guard
from checker.worker.describe import describe
from checker.worker.files import Files, places
from checker.worker.light import (
    light_layers,
    light_max_nn,
    light_protocols,
    light_transformers,
)
from checker.worker.limits import limit_resources
from checker.worker.probe import Learner

PR_SET_DUMPABLE = 4
"""prctl(2)"""


def prepare() -> None:
    """Import MAX and interpret its graphs; float32 on the CPU, whatever is there."""
    light_protocols()
    light_max_nn()
    light_transformers()
    from checker import interpreter

    importlib.import_module("max.nn.module_v3")
    light_layers()
    from max.driver import CPU
    from max.dtype import DType
    from max.experimental import tensor

    tensor._DEFAULT_DEVICE.set(CPU())
    tensor._DEFAULT_DTYPE.set(DType.float32)
    interpreter.install()
    gc.collect()
    gc.freeze()  # realizing a tensor collects garbage: leave out what never is


class Server:
    """Answers requests, one after the other."""

    def __init__(self, answers: io.RawIOBase) -> None:
        from checker import interpreter

        self.answers = answers
        self.scratch = os.getcwd()
        self.interpreter = interpreter
        interpreter.listen(lambda line: self.send({"note": line}))
        self.guard = guard.Guard()
        self.token = ""

    def send(self, message: object) -> None:
        data = f"{self.token} ".encode() + wire.encode(message)
        while data:
            data = data[self.answers.write(data) :]

    def serve(self, request: dict[str, Any]) -> None:
        self.token = request["token"]
        os.chdir(self.scratch)
        _draw_from(request["seed"])
        probes = importlib.import_module(f"{request['package']}.probes")
        called = [(_found(probes, name), given) for name, given in request["probes"]]
        files = Files(request["files"])
        paths = frozenset(file["path"] for file in files.files.values())
        with self.guard.watching(paths) as violations, files.importable():
            learner = self.load(request["name"], files)
            for at, (probe, given) in enumerate(called if learner else ()):
                self.run(request, at, functools.partial(probe, learner, *given))
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        self.send({"done": violations})
        del learner
        gc.collect()  # tensors in cycles: MAX walks through all that are pending

    def load(self, name: str, files: Files) -> Learner | None:
        file = files.files[name]
        self.send({"begin": "load"})
        try:
            module = importlib.import_module(name)
            self.send({"at": "load", "value": places(file["source"])})
            return Learner(module, os.path.basename(file["path"]))
        except BaseException as error:  # SystemExit and KeyboardInterrupt as well
            self.send({"at": "load", "error": describe(error, files.files)})
            return None

    def run(self, request: dict[str, Any], at: int, probe: Any) -> None:
        self.send({"begin": at})
        try:
            if request["compile"]:
                self.interpreter.uninstall()
            self.send({"at": at, "value": probe()})
        except BaseException as error:
            self.send({"at": at, "error": describe(error, request["files"])})
        finally:
            self.interpreter.install()


def _draw_from(seed: str) -> None:
    """Have the probes' data drawn from this seed: they draw it when imported."""
    if os.environ.get(SEED, "0") != seed:
        os.environ[SEED] = seed
        for name in [name for name in sys.modules if name.startswith("tests.")]:
            del sys.modules[name]


def _found(probes: Any, name: str) -> Any:
    """``probes.layer.calls`` for the name "layer.calls"."""
    return functools.reduce(getattr, name.split("."), probes)


def serve_apart(server: Server, requests: IO[bytes], request: dict[str, Any]) -> None:
    """Answer a request in a process of its own, and see to it that nothing is left."""
    process = os.fork()
    if not process:
        requests.close()
        server.serve(request)
        os._exit(0)
    _, status = os.waitpid(process, 0)
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)  # all that it has started; not this process
    clear(server.scratch)
    server.token = request["token"]
    server.send({"ended": os.waitstatus_to_exitcode(status)})


def clear(scratch: str) -> None:
    """Empty the folders that may be written into."""
    own = {scratch, os.environ["TMPDIR"], os.environ["HOME"], "/dev/shm"}
    for folder in sorted(own, key=len, reverse=True):
        for entry in os.scandir(folder) if os.access(folder, os.W_OK) else ():
            if entry.path in own or entry.name == wire.COURSE:
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.remove(entry.path)


def tell_stack() -> None:
    """Have a signal write where this process is."""
    with contextlib.suppress(OSError):  # a full disk
        stack = open(wire.STACK, "w")  # noqa: SIM115  (open as long as the worker is)
        faulthandler.register(wire.TELL_STACK, stack, all_threads=False)


def untouchable() -> None:
    """Let no process of the same user look into this one, or into its open files."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def main() -> None:
    answers = os.fdopen(int(sys.argv[1]), "wb", buffering=0)
    requests = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # input() finds an end of file
    # MAX realizes a tensor in asyncio.run, which with Python's own handler for ^C in
    # place prints the tensor into a message nobody sees: 3 s for [1024, 1024]. And ^C
    # is the parent's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare()
    apart = "apart" in sys.argv
    if not apart:
        tell_stack()
    server = Server(answers)
    server.send({"ready": True})
    sys.argv[1:] = []
    limit_resources()
    if apart:
        untouchable()
    for line in requests:
        request = wire.decode(line)
        if apart:
            serve_apart(server, requests, request)
        else:
            server.serve(request)
    shutil.rmtree(server.scratch, ignore_errors=True)  # the parent is gone
    os._exit(0)  # no atexit, no waiting for threads


if __name__ == "__main__":
    main()
