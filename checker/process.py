"""The parent's end of a worker: start it, ask it, hold it to its limits, end it.

Whatever the learner's code does, an answer comes back in time: a result for each
probe, or the reason why there is none.
"""

import contextlib
import fcntl
import os
import select
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psutil

from checker import wire
from checker.table import ROOT

SHOWN_LINES = 40
SHOWN_WIDTH = 200
TICK = 0.05
"""Seconds between two looks at a worker's memory and clock."""


@dataclass(frozen=True)
class Limits:
    """What a worker may use: seconds per probe and step, bytes of memory and output."""

    start: float = 60.0
    probe: float = 10.0
    step: float = 30.0
    compile: float = 900.0
    memory: int = 2 * 2**30
    output: int = 10 * 2**20


@dataclass
class Answers:
    """What a worker said to one request.

    ``results`` maps a probe (its place in the table) to ("value", …) or ("error", …);
    a probe that is not in it was never answered. ``stopped`` says why, if the worker
    ended before it was done, and ``during`` which probe was running.
    """

    definitions: dict[str, int] = field(default_factory=dict)
    results: dict[str, tuple[str, Any]] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    stopped: str = ""
    during: str = ""


def key(at: object) -> str:
    """The place of a probe as a dictionary's key: "0", "0/2", "compiled", "load"."""
    if not isinstance(at, list):
        return str(at)
    return str(at[0]) if at[1] is None else f"{at[0]}/{at[1]}"


class Worker:
    """A worker process. It is starting when this returns; ``ask`` waits for it."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.scratch = tempfile.mkdtemp(prefix="checker-")
        reading, writing = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "checker.worker", str(writing)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            cwd=self.scratch,
            env=environment(),
            start_new_session=True,
        )
        os.close(writing)
        self.channel = reading
        assert self.process.stdout is not None
        self.output = self.process.stdout.fileno()
        for descriptor in (self.channel, self.output):
            os.set_blocking(descriptor, False)
        with contextlib.suppress(AttributeError, OSError):  # Linux has it, macOS has not
            fcntl.fcntl(self.channel, fcntl.F_SETPIPE_SZ, 2**20)
        self.began = time.monotonic()
        self.ready = False
        self._pending = b""
        self._printed = _Printed(limits.output)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def imported(self) -> bool:
        """Whether MAX is imported, without waiting; also true of one that has died."""
        if not self.ready and select.select([self.channel], [], [], 0)[0]:
            self.began = time.monotonic()  # it was in time, however late this is asked
            with contextlib.suppress(RuntimeError):
                self.wait_until_ready()
        return self.ready or not self.alive

    def wait_until_ready(self) -> None:
        """Returns when MAX is imported. Raises RuntimeError with what was printed."""
        if self.ready:
            return
        deadline = self.began + self.limits.start
        for message in self._messages(lambda: deadline):
            if message == {"ready": True}:
                self.ready = True
                self._printed = _Printed(self.limits.output)
                return
        printed = "\n".join(self._printed.lines[-8:])
        late = time.monotonic() > deadline
        reason = "it took too long" if late else self._ended()
        self.close()
        raise RuntimeError(f"the worker did not start: {reason}\n{printed}".strip())

    def ask(self, request: dict[str, Any]) -> Answers:
        """Run a request to its end or to the worker's. Never raises for what it did."""
        self.wait_until_ready()
        answers = Answers()
        self._printed = _Printed(self.limits.output)
        began = time.monotonic()
        answers.during = "load"
        seconds = self.limits.compile if request["compile"] else self.limits.probe
        step = self.limits.compile if request["compile"] else self.limits.step
        deadline = min(began + seconds, began + step)

        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.write(wire.encode(request))
            self.process.stdin.flush()
        done = False
        for message in self._messages(lambda: deadline):
            if not isinstance(message, dict):
                answers.stopped = "sent something that is not an answer"
                break
            if "begin" in message:
                answers.during = key(message["begin"])
                deadline = min(time.monotonic() + seconds, began + step)
            elif "loaded" in message:
                answers.definitions = message["loaded"]
            elif "at" in message:
                kind = "error" if "error" in message else "value"
                answers.results[key(message["at"])] = (kind, message.get(kind))
            elif "done" in message:
                answers.violations, done = message["done"], True
                break
        if not done:
            answers.stopped = answers.stopped or self._why(deadline, seconds)
            self.close()
        answers.printed = self._printed.shown()
        return answers

    def close(self) -> None:
        """End the worker, its children and its scratch directory. No questions asked."""
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        if self.channel >= 0:
            os.close(self.channel)
            self.channel = -1
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _messages(self, deadline: Any) -> Iterator[Any]:
        """Messages as they come; ends at the deadline, a limit or the worker's end."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.channel, selectors.EVENT_READ)
            selector.register(self.output, selectors.EVENT_READ)
            looked = 0.0
            while True:
                while b"\n" in self._pending:
                    line, self._pending = self._pending.split(b"\n", 1)
                    try:
                        message = wire.decode(line)
                    except ValueError:
                        message = None
                    self._read_output()
                    yield message
                for event, _ in selector.select(TICK):
                    if event.fd == self.output:
                        if not self._read_output():
                            selector.unregister(self.output)
                    elif not self._read_channel():
                        self._read_output()
                        return
                now = time.monotonic()
                if now > deadline() or self._printed.size > self.limits.output:
                    return
                if now - looked > TICK:
                    looked = now
                    if self._memory() > self.limits.memory:
                        self._too_large = True
                        return

    _too_large = False

    def _read_channel(self) -> bool:
        try:
            data = os.read(self.channel, 2**20)
        except BlockingIOError:
            return True
        self._pending += data
        return bool(data) and len(self._pending) < 2**28

    def _read_output(self) -> bool:
        """Take what was printed; False at its end. At most 4 MB at a time."""
        for _ in range(64):
            try:
                data = os.read(self.output, 2**16)
            except (BlockingIOError, ValueError):
                return True
            if not data:
                return False
            self._printed.add(data)
        return True

    def _memory(self) -> int:
        with contextlib.suppress(psutil.Error):
            return int(psutil.Process(self.process.pid).memory_info().rss)
        return 0

    def _why(self, deadline: float, seconds: float) -> str:
        if self._too_large:
            return f"used more than {self.limits.memory / 2**30:.3g} GB of memory"
        if self._printed.size > self.limits.output:
            return f"printed more than {self.limits.output // 2**20} MB"
        if time.monotonic() > deadline and self.alive:
            return f"did not finish within {seconds:.0f} s: an endless loop?"
        return self._ended()

    def _ended(self) -> str:
        try:
            status = self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            return "closed the checker's pipe"
        if status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"ended the process (exit status {status})"


class _Printed:
    """The first lines that the learner's code printed, and how much there was."""

    def __init__(self, limit: int) -> None:
        self.size = 0
        self._kept = b""
        self._limit = limit

    def add(self, data: bytes) -> None:
        self.size += len(data)
        if len(self._kept) < 2**16:
            self._kept += data

    @property
    def lines(self) -> list[str]:
        text = self._kept.decode("utf-8", "replace")
        return [_plain(line) for line in text.splitlines()]

    def shown(self) -> list[str]:
        lines = self.lines
        if len(lines) <= SHOWN_LINES and self.size == len(self._kept):
            return lines
        return [*lines[:SHOWN_LINES], f"… cut: {self.size} bytes were printed"]


def _plain(line: str) -> str:
    """Without control characters: what is printed must not draw over the report."""
    cleaned = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line)
    return cleaned[:SHOWN_WIDTH]


def environment() -> dict[str, str]:
    """The worker's: this course first on the path, no network, one thread for NumPy."""
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path),
        "PYTHONUTF8": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
