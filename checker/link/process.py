"""The parent's end of a worker: start it, ask it, hold it to its limits, end it.

Whatever the learner's code does, an answer comes back in time: a result for each
probe, or the reason why there is none. Nothing large is imported before a worker
starts, so that it imports MAX while its parent imports the rest.
"""

import contextlib
import fcntl
import json
import os
import re
import secrets
import select
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from checker.link import sandbox, wire
from checker.link.janitor import Janitor
from checker.link.sandbox import SCRATCH, WORKER, Isolation, Surroundings

SHOWN_LINES = 40
SHOWN_WIDTH = 200
LONG = 4000
"""Characters of an exception's message."""
PATIENCE = 3.0
"""Seconds by the clock for each that a worker may use of the processor."""
TICK = 0.05
"""Seconds between two looks at a worker's memory and clock."""
PAUSE = 1.0
"""Seconds between two looks beyond which this machine stood still."""
FAMILY = 0.25
"""Seconds between two looks at the processes that an isolated worker has started."""
PROCESSES = 32
"""How many those may be."""
ENDLESS = "did not finish: is there an infinite loop?"
SIGNALLED = "was ended by"
WRITES_STACK = 0.2
"""Seconds for a worker to write where it is."""


@dataclass(frozen=True)
class Limits:
    """What a worker may use.

    Seconds: to import MAX, for each probe, for a step's checks, for its mistakes' own
    probes, for MAX to run a graph that the interpreter lacks an operation for, for the
    last word of MAX. Bytes: of memory, of memory where MAX compiles graphs (it keeps
    about 0.3 GB for each), printed, answered.
    """

    start: float = 60.0
    probe: float = 10.0
    step: float = 22.0
    diagnosis: float = 8.0
    fallback: float = 120.0
    compile: float = 900.0
    memory: int = 2 * 2**30
    compiling: int = 8 * 2**30
    output: int = 10 * 2**20
    answer: int = 64 * 2**20

    def of(self, request: dict[str, Any]) -> tuple[float, float]:
        """Seconds for each probe of a request, and for all."""
        if request["compile"]:
            return self.compile, self.compile
        return self.probe, self.diagnosis if request["diagnosing"] else self.step


@dataclass
class Answers:
    """What a worker said to one request.

    ``results`` maps the key of a probe to ("value", …) or ("error", …); a probe that is
    not in it was never answered. ``stopped`` says why, if the worker ended before it
    was done, ``during`` which probe was running, and ``stuck`` at which line of the
    file that is checked (0: not known).
    """

    places: dict[str, tuple[int, str]] = field(default_factory=dict)
    results: dict[str, tuple[str, Any]] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stopped: str = ""
    during: str = ""
    stuck: int = 0
    done: bool = False
    apart: bool = False
    ended: int | None = None
    """Of a worker that answers each request in a process of its own: how that ended."""
    _at: object = None
    """What the worker calls the probe that has begun and not answered."""

    @property
    def suspect(self) -> bool:
        """Whether a file that ran before may have ended the worker."""
        return not self.apart and self.stopped.startswith(SIGNALLED)

    def take(self, message: object, awaited: list[tuple[object, str]]) -> bool:
        """Note one message; False if it is not one that can come now.

        ``awaited`` are the probes that have not begun, in the order of the request:
        what the worker calls them, and their keys.
        """
        upcoming = awaited[0][0] if awaited and self._at is None else None
        match message:  # `at` may be an array: comparing it is no truth
            case {"begin": int(at) | str(at)} if at == upcoming:
                self._at, self.during = awaited.pop(0)
            case {"at": str(at), "value": dict(places)} if at == self._at:
                self.places, self._at = _places(places), None
            case {"at": int(at), "value": value} if at == self._at:
                self.results[self.during], self._at = ("value", value), None
            case {"at": int(at) | str(at), "error": dict(error)} if at == self._at:
                self.results[self.during], self._at = ("error", _error(error)), None
            case {"note": str(line)}:
                self.notes.append(_plain(line))
            case {"ended": int(status)} if self.apart:
                self.ended = status
            case {"done": list(found)}:
                self.violations, self.done = [_plain(str(each)) for each in found], True
            case _:
                return False
        return True


def _error(error: dict[str, Any]) -> dict[str, Any]:
    """An exception as it came from the worker, fit to be shown: see ``describe.py``."""
    texts = {
        name: _text(error.get(name)) for name in ("type", "message", "name", "fault")
    }
    flags = {name: error.get(name) is True for name in ("unusable", "todo")}
    frames = error.get("frames")
    found = map(_frame, frames if isinstance(frames, list) else [])
    return {
        **texts,
        **flags,
        "frames": [frame for frame in found if frame],
        "definition": _frame(error.get("definition")),
        "shapes": _texts(error.get("shapes")),
        "facts": _texts(error.get("facts")),
    }


def _texts(found: object) -> dict[str, str]:
    items = found.items() if isinstance(found, dict) else []
    return {_text(name): _text(text) for name, text in items}


def _text(value: object) -> str:
    """Lines without control characters; nothing for what is no text."""
    text = value[:LONG] if isinstance(value, str) else ""
    return "\n".join(map(_printable, text.split("\n")))


def _frame(frame: object) -> list[Any]:
    """Path, line, function, code; nothing for what is no frame."""
    match frame:
        case [str(path), int(line), str(function), str(code)] if path.isprintable():
            return [path, line, _text(function), _text(code)]
    return []


def _places(found: dict[str, Any]) -> dict[str, tuple[int, str]]:
    """Function -> line and code."""
    places = {}
    for name, place in found.items():
        match place:
            case [int(line), str(code)]:
                places[name] = line, _plain(code)
    return places


def key(probe: list[Any]) -> str:
    """A probe with its arguments as a dictionary's key."""
    return json.dumps(probe)


LOAD = "load"


class Clock:
    """Seconds by the clock in which this machine ran: one that was asleep, or stood
    still, makes no loop endless."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._looked = time.monotonic()

    def __call__(self) -> float:
        now = time.monotonic()
        self._seconds += min(now - self._looked, PAUSE)
        self._looked = now
        return self._seconds


class WorkerProcess:
    """A worker process. It is starting when this returns; ``ask`` waits for it."""

    def __init__(self, limits: Limits, isolation: Isolation = Isolation.NONE) -> None:
        self.limits = limits
        self.around = around = sandbox.surroundings(isolation)
        self._janitor = Janitor(around.scratch) if around.scratch else None
        sandbox.fill(around)
        self.process, self.channel = _started(around)
        if self._janitor is not None:
            self._janitor.watch(self.process.pid)
        assert self.process.stdout is not None
        self.output = self.process.stdout.fileno()
        for descriptor in (self.channel, self.output):
            os.set_blocking(descriptor, False)
        with contextlib.suppress(AttributeError, OSError):  # macOS lacks it
            fcntl.fcntl(self.channel, fcntl.F_SETPIPE_SZ, 2**20)
        self.clock = Clock()
        self.ready = False
        self.requests = 0
        self._token = b""
        self._pending: list[bytes] = []
        self._received = 0
        self._room = limits.memory
        self._too_large = False
        self._family: list[int] = [self.process.pid]
        self._counted = 0.0
        self._late = False
        self._processor = float("inf")
        self._deadline = limits.start
        self._printed = _Printed()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def has_said(self) -> bool:
        """Whether there is something to read, such as that it is ready."""
        return bool(select.select([self.channel], [], [], 0)[0])

    def wait_until_ready(self) -> None:
        """Returns when MAX is imported. Raises RuntimeError with what was printed."""
        if self.ready:
            return
        for message in self._messages():
            if message == {"ready": True}:
                self.ready = True
                self._printed = _Printed()
                return
        printed = "\n".join(self._printed.lines[-8:])
        late = self.clock() > self._deadline
        reason = "it took too long" if late else self._ended()
        self.close()
        raise RuntimeError(f"the worker did not start: {reason}\n{printed}".strip())

    def ask(self, request: dict[str, Any]) -> Answers:
        """Run a request to its end or to the worker's.

        Never raises for what the learner's code did; RuntimeError where the worker
        itself is at fault.
        """
        self.wait_until_ready()
        self.requests += 1
        answers = Answers(apart=self.around.apart)
        self._printed = _Printed()
        self._token, self._received = secrets.token_hex(8).encode(), 0
        limits = self.limits
        seconds, step = limits.of(request)
        end = self.clock() + PATIENCE * step
        latest = self.clock() + limits.compile
        self._allow(seconds, end)
        numbered = enumerate(map(key, request["probes"]))
        awaited: list[tuple[object, str]] = [(LOAD, LOAD), *numbered]
        self._send({**request, "token": self._token.decode()})
        for message in self._messages():
            if not answers.take(message, awaited):
                answers.stopped = "writes into the checker's pipe"
                break
            if answers.ended is not None or (answers.done and not answers.apart):
                break
            if "begin" in message:
                self._allow(seconds, end)
            elif "note" in message:  # MAX compiles, which takes its time
                self._room = max(limits.memory, limits.compiling)
                end = min(end + limits.fallback, latest)
                self._allow(limits.fallback, end)
        self._conclude(answers, request)
        if answers.stopped and not answers.during:  # before it loaded a learner's file
            printed = "\n".join(self._printed.lines[-8:])
            raise RuntimeError(f"the worker {answers.stopped}\n{printed}")
        answers.printed = self._printed.shown()
        return answers

    def _conclude(self, answers: Answers, request: dict[str, Any]) -> None:
        """Say why there is no more, if there should be, and end a worker that is not
        waiting for a request."""
        if answers.ended is None and (answers.apart or not answers.done):
            answers.stopped = answers.stopped or self._why()
            if answers.stopped == ENDLESS:
                answers.stuck = self._line_of(request["files"][request["name"]]["path"])
            self.close()
        elif not answers.done:
            answers.stopped = _end(answers.ended or 0)

    def _allow(self, seconds: float, end: float) -> None:
        """From now on this much of the processor's time, a multiple by the clock, and
        nothing after ``end``: a busy machine is no endless loop."""
        self._deadline = min(self.clock() + PATIENCE * seconds, end)
        self._processor = self._usage()[1] + seconds

    def _send(self, request: dict[str, Any]) -> None:
        """Write a request from a thread: a worker that does not read blocks nobody."""
        assert self.process.stdin is not None
        descriptor, data = os.dup(self.process.stdin.fileno()), wire.encode(request)

        def write() -> None:
            with contextlib.suppress(OSError), os.fdopen(descriptor, "wb", 0) as pipe:
                rest = memoryview(data)
                while rest:
                    rest = rest[pipe.write(rest) :]

        threading.Thread(target=write, daemon=True).start()

    def close(self) -> None:
        """End the worker, its children and its scratch directory, whatever they do."""
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for stray in self._strays():
            with contextlib.suppress(OSError):
                os.kill(stray, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        if self.channel >= 0:
            os.close(self.channel)
            self.channel = -1
        if self._janitor is not None:
            shutil.rmtree(self.around.scratch, ignore_errors=True)
            self._janitor.dismiss()
            self._janitor = None

    def _strays(self) -> Iterator[int]:
        """Processes that the worker started and that have left its group. Those inside
        bubblewrap end with it."""
        import psutil

        user = self.around.user
        for process in () if self.around.inside else psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if user is not None:
                    found = process.uids().real == user
                else:
                    found = process.environ().get(SCRATCH) == self.around.scratch
                if found:
                    yield process.pid

    def _messages(self) -> Iterator[Any]:
        """Messages as they come; ends at the deadline, a limit or the worker's end."""
        looked = 0.0
        with selectors.DefaultSelector() as selector:
            selector.register(self.channel, selectors.EVENT_READ)
            selector.register(self.output, selectors.EVENT_READ)
            while not self._over():
                alive = self.alive
                events = [key.fd for key, _ in selector.select(TICK)]
                if self.output in events and not self._read_output():
                    selector.unregister(self.output)
                if self.channel in events:
                    if not self._read_channel():
                        return
                    for line in self._lines():
                        self._read_output()
                        yield self._decode(line)
                elif not alive:  # a child of it may hold the pipe open
                    return
                if time.monotonic() - looked > TICK:
                    looked = time.monotonic()
                    memory, spent = self._usage()
                    self._too_large = memory > self._room
                    self._late = spent > self._processor

    def _over(self) -> bool:
        """Whether a limit is reached."""
        return (
            self._late
            or self.clock() > self._deadline
            or self._too_large
            or self._printed.size > self.limits.output
            or self._received > self.limits.answer
            or len(self._family) > PROCESSES
        )

    def _read_channel(self) -> bool:
        try:
            data = os.read(self.channel, 2**20)
        except BlockingIOError:
            return True
        self._received += len(data)
        self._pending.append(data)
        return bool(data)

    def _lines(self) -> Iterator[bytes]:
        """The lines that are complete."""
        if b"\n" in self._pending[-1]:
            *lines, rest = b"".join(self._pending).split(b"\n")
            self._pending = [rest]
            yield from lines

    def _decode(self, line: bytes) -> Any:
        """A message; None for a line that the worker's own code has not written."""
        token, _, message = line.partition(b" ")
        with contextlib.suppress(ValueError):
            return wire.decode(message) if token == self._token else None
        return None

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

    def _usage(self) -> tuple[int, float]:
        """Bytes resident, and seconds of the processor so far."""
        import psutil

        memory, seconds = 0, 0.0
        for pid in self._members():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                times = process.cpu_times()
                memory += int(process.memory_info().rss)
                seconds += times.user + times.system
        return memory, seconds

    def _members(self) -> list[int]:
        """The worker; an isolated one with all that it has started."""
        import psutil

        if self.around.apart and time.monotonic() - self._counted > FAMILY:
            with contextlib.suppress(psutil.Error):
                started = psutil.Process(self.process.pid).children(recursive=True)
                self._family = [self.process.pid, *(each.pid for each in started)]
            self._counted = time.monotonic()
        return self._family

    def _why(self) -> str:
        if self._received > self.limits.answer:
            return f"answered with more than {self.limits.answer // 2**20} MB"
        if self._too_large:
            return f"used more than {self._room / 2**30:.3g} GB of memory"
        if len(self._family) > PROCESSES:
            return f"started more than {PROCESSES} processes"
        if self._printed.size > self.limits.output:
            return f"printed more than {self.limits.output // 2**20} MB"
        if (self._late or self.clock() > self._deadline) and self.alive:
            return ENDLESS
        return self._ended()

    def _line_of(self, path: str) -> int:
        """The line of a file that the worker is at; 0 where that is not known."""
        if self.around.apart:
            return 0
        with contextlib.suppress(OSError):
            os.kill(self.process.pid, wire.TELL_STACK)
            time.sleep(WRITES_STACK)
            stack = Path(self.around.scratch, wire.STACK).read_text("utf-8", "replace")
            frames = re.findall(r'File "(.+)", line (\d+) in', stack)
            return next((int(line) for name, line in frames if name == path), 0)
        return 0

    def _ended(self) -> str:
        try:
            status = self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            return "closed the checker's pipe"
        if self.around.inside and status > 128:  # as a shell tells of a signal
            status = 128 - status
        return _end(status)


def _end(status: int) -> str:
    """An exit status, or the negative number of a signal, in words."""
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"{SIGNALLED} {signal.Signals(-status).name}"
    return f"ended the process (exit status {status})"


def _started(around: Surroundings) -> tuple[subprocess.Popen[bytes], int]:
    """A worker's process, and the descriptor that its answers are read from."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [*around.command, "-P", "-m", WORKER, str(writing), *["apart"] * around.apart],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[writing],
        cwd=around.folder,
        env=around.environment,
        start_new_session=True,
        user=around.user,
        group=around.user,
        extra_groups=None if around.user is None else [],
    )
    os.close(writing)
    return process, reading


class _Printed:
    """The first lines that the learner's code printed, and how much there was."""

    def __init__(self) -> None:
        self.size = 0
        self._kept = b""

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
    """Without control characters, and not long."""
    return _printable(line)[:SHOWN_WIDTH]


def _printable(line: str) -> str:
    """Without control characters: what is printed must not draw over the report."""
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() or c == "\t" else "\ufffd" for c in line)
