"""The process in which the learner's code runs.

``python -m checker.worker.main FD`` reads requests from standard input, one JSON line
each, and writes answers to the pipe FD. It judges nothing: it loads files, runs probes
and sends back what they answered. What the learner's code prints goes to standard
output, which is the parent's to show. ``link/process.py`` is the other end.

A request is ``{"package": "tests.s05_attention", "name": "attention", "files": {name:
{"path", "source", "learner"}}, "probes": [["attends", []], …], "compile": false,
"seed": "0", "token": …}``. Answers: for "load" and for the number of each probe
``{"begin": at}``, then ``{"at": at, "value": …}`` or ``{"at": at, "error": …}``; at
last ``{"done": [violations]}``, and ``{"note": line}`` in between. Each line begins
with the token.
"""

import contextlib
import functools
import gc
import importlib
import io
import os
import shutil
import signal
import sys
from typing import Any

from checker.course import SEED
from checker.link import wire
from checker.worker import guard
from checker.worker.describe import describe
from checker.worker.files import Files, places
from checker.worker.light import light_max_nn, light_transformers
from checker.worker.limits import limit_resources
from checker.worker.probe import Learner


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
        self.interpreter.start_anew()
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


def main() -> None:
    answers = os.fdopen(int(sys.argv[1]), "wb", buffering=0)
    requests = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # input() finds an end of file
    # MAX realizes a tensor in asyncio.run, which with Python's own handler for ^C in
    # place prints the tensor into a message nobody sees: 3 s for [1024, 1024]. And ^C
    # is the parent's to answer.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare()
    server = Server(answers)
    server.send({"ready": True})
    sys.argv[1:] = []
    limit_resources()
    for line in requests:
        server.serve(wire.decode(line))
    shutil.rmtree(server.scratch, ignore_errors=True)  # the parent is gone
    os._exit(0)  # no atexit, no waiting for threads


if __name__ == "__main__":
    main()
