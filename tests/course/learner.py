"""A learner at work: a copy of the course to work in, and a real terminal to sit at."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from checker.course import ROOT

GOLDEN = Path(__file__).parent / "golden"
RECORD = bool(os.environ.get("RECORD_SCREENS"))

needs_tmux = pytest.mark.skipif(
    shutil.which("tmux") is None, reason="tmux is not installed: no real terminal"
)


class Course:
    """A checkout of its own, as handed to a learner."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("checker", "hints", "puzzles", "solutions"):
            shutil.copytree(
                ROOT / name, root / name, ignore=shutil.ignore_patterns("*.bak*")
            )
        shutil.copytree(
            ROOT / "tests",
            root / "tests",
            ignore=lambda folder, names: {"course"} & set(names),
        )
        shutil.copy(ROOT / "pyproject.toml", root)
        (root / "models").mkdir()
        for path in [
            *(ROOT / "models").glob("*.py"),
            ROOT / "models" / "austen.sha256",
        ]:
            shutil.copy(path, root / "models")
        (root / "models" / "austen").symlink_to(ROOT / "models" / "austen")

    def puzzle(self, name: str) -> Path:
        return self.root / "puzzles" / f"{name}.py"

    def solution(self, name: str) -> str:
        return (self.root / "solutions" / f"{name}.py").read_text(encoding="utf-8")

    def solve(self, name: str) -> None:
        self.puzzle(name).write_text(self.solution(name), encoding="utf-8")

    def fill(self, name: str, hole: str, text: str | None = None) -> None:
        """Write the solution's lines, or ``text``, into one hole of the puzzle."""
        pattern = re.compile(rf"(# hole: {re.escape(hole)}\n)(.*?)( *# end)", re.DOTALL)
        if text is None:
            found = pattern.search(self.solution(name))
            assert found
            text = found[2]
        path = self.puzzle(name)
        filled, count = pattern.subn(
            lambda found: found[1] + text + found[3], path.read_text(encoding="utf-8")
        )
        assert count == 1
        path.write_text(filled, encoding="utf-8")

    def checker(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a command of the course; standard input is no terminal."""
        env = {**os.environ, "PYTHONUTF8": "1", **more.pop("env", {})}
        return subprocess.run(
            [sys.executable, "-m", "checker", *words],
            cwd=self.root,
            env={name: value for name, value in env.items() if value},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            **more,
        )

    def state(self) -> dict[str, Any]:
        text = (self.root / ".progress.json").read_text(encoding="utf-8")
        return dict(json.loads(text))


class Screen:
    """A shell in a tmux of its own, 80 columns wide."""

    def __init__(self, folder: Path, rows: int = 40, **environment: str) -> None:
        self.socket = Path(tempfile.mkdtemp(prefix="tmux-")) / "socket"
        self.shell = "prompt> "
        env = {"PS1": self.shell, "TERM": "xterm-256color", **environment}
        words = [f"{name}={value}" for name, value in env.items()]
        self.tmux(
            "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", str(rows),
            "env", "-u", "NO_COLOR", "-u", "PIXI_PROJECT_NAME",
            "-u", "UV_RUN_RECURSION_DEPTH", *words, "bash", "--norc", "--noprofile",
        )  # fmt: skip
        self.type(f"cd {folder}; clear")
        self.wait(r"^prompt>")

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *_: object) -> None:
        self.tmux("kill-server")
        shutil.rmtree(self.socket.parent)

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-S", str(self.socket), *words],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
        return done.stdout

    def type(self, line: str) -> None:
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def press(self, key: str) -> None:
        self.tmux("send-keys", key)

    def watch(self, *words: str) -> None:
        self.type(f"{sys.executable} -m checker watch {' '.join(words)}")

    def text(self, *options: str) -> str:
        """What is on the screen, without the spaces and empty lines at the end."""
        lines = self.tmux("capture-pane", "-p", *options).splitlines()
        return "\n".join(line.rstrip() for line in lines).rstrip() + "\n"

    def wait(self, pattern: str, seconds: float = 60) -> str:
        """The screen as soon as it has a match; fails after ``seconds``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            text = self.text()
            if re.search(pattern, text, re.MULTILINE):
                return text
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} within {seconds} s on:\n{self.text()}")

    def output(self, path: Path) -> None:
        """From here on also write what the program writes, byte by byte, to a file."""
        self.tmux("pipe-pane", "-o", f"cat > {path}")


def agrees(name: str, text: str) -> None:
    """Compare a screen with the recorded one; RECORD_SCREENS=1 records it anew."""
    path = GOLDEN / f"{name}.txt"
    if RECORD:
        GOLDEN.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    known = path.read_text(encoding="utf-8")
    assert text == known, f"{path.name} is another; record it: see CONTRIBUTING.md"
