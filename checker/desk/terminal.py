"""Single keys from a terminal, together with saves of the watched files.

``Terminal`` is a context: whatever ends it (a key, Ctrl-C, an exception, SIGTERM, a
closed window) leaves the terminal as it was.
"""

import contextlib
import os
import select
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import psutil
import watchfiles

PASTED = 4
"""So many characters at once are a paste into the wrong window, not keys."""

NETWORK = {"9p", "afpfs", "cifs", "drvfs", "fakeowner", "nfs", "nfs4", "prl_fs",
           "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs"}  # fmt: skip
"""File systems whose changes may be made elsewhere, where no event tells of them."""

Signature = tuple[tuple[int, int, int] | None, ...]


class TerminalClosed(Exception):
    """There is nobody to show anything to any more."""


class Terminal:
    """The terminal in a mode where each key arrives by itself and is not echoed."""

    def __init__(self) -> None:
        self.keys = sys.stdin.fileno()
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._before: list[Any] = []
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> "Terminal":
        self._before = termios.tcgetattr(self.keys)
        for number in (signal.SIGTERM, signal.SIGHUP):
            self._handlers[number] = signal.signal(number, _leave)
        self._handlers[signal.SIGCONT] = signal.signal(signal.SIGCONT, self._again)
        tty.setcbreak(self.keys)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(termios.error):  # the window may be closed
            termios.tcsetattr(self.keys, termios.TCSADRAIN, self._before)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _again(self, *_: object) -> None:
        """After Ctrl-Z and fg: the shell has put its own mode back."""
        tty.setcbreak(self.keys)

    def wake(self) -> None:
        """End a ``wait`` from another thread."""
        try:
            os.write(self._wake, b".")
        except OSError:
            return  # it is full: the wait ends anyway

    def wait(self, seconds: float) -> str:
        """The keys pressed, in lower case; "" after ``seconds`` or ``wake``."""
        ready, _, _ = select.select([self.keys, self._woken], [], [], seconds)
        if self._woken in ready:
            os.read(self._woken, 1024)
        if self.keys not in ready:
            return ""
        try:
            data = os.read(self.keys, 1024)
        except OSError:
            data = b""
        if not data:
            raise TerminalClosed
        typed = data.decode("utf-8", "ignore").lower()
        return "" if typed.startswith("\x1b") or len(typed) >= PASTED else typed


def _leave(number: int, _: object) -> NoReturn:
    """Once: a closed window sends its signal several times, also while we clear up."""
    for again in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(again, signal.SIG_IGN)
    sys.exit(128 + number)


class Saves:
    """Tells of changes in a folder of Python files, by events or by polling.

    ``wake`` is called at each change. Where no event arrives all the same, comparing
    ``signature`` now and then shows it.
    """

    def __init__(self, folder: Path, poll: bool, wake: Callable[[], None]) -> None:
        self.folder = folder
        self.poll = poll
        self.wake = wake
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Saves":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def _run(self) -> None:
        try:
            changes = watchfiles.watch(
                self.folder,
                watch_filter=watchfiles.PythonFilter(),
                debounce=100,
                step=20,
                rust_timeout=500,
                poll_delay_ms=200,
                stop_event=self._stop,
                force_polling=self.poll or None,
                recursive=False,
                raise_interrupt=False,
            )
            for _ in changes:
                self.wake()
        except OSError:
            return  # no events to be had: `signature` does it


def signature(paths: list[Path]) -> Signature:
    """What tells one state of files from another: time, size and number of each."""
    return tuple(_look(path) for path in paths)


def _look(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def needs_polling(folder: Path) -> bool:
    """Whether the folder is on a network drive or shared with a host or a guest.

    WSL and WATCHFILES_FORCE_POLLING are watchfiles' own to recognise.
    """
    mounts = {part.mountpoint: part.fstype for part in psutil.disk_partitions(all=True)}
    real = folder.resolve()
    for parent in (real, *real.parents):
        kind = mounts.get(str(parent), "")
        if kind:
            return kind in NETWORK or kind.startswith("fuse.")
    return False
