"""What a submission's worker can reach: nothing that would give the answer away.

``bwrap`` (bubblewrap) isolates it here, as it does where a class is graded.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from checker.course import ROOT, Puzzle, every, puzzle
from checker.link import sandbox
from checker.link.janitor import Janitor
from checker.link.sandbox import Isolation
from checker.verdict.examiner import Examiner
from checker.verdict.report import Report

ORACLES = (".table", ".formulas", ".rows", ".bpe", ".gpt2", ".sampling")
PRIVATE = ("solutions", "hints", "puzzles", ".git", "README.md", "tests/course",
           "tests/s05_attention/table.py", "tests/support/formulas.py",
           "checker/verdict", "checker/classroom")  # fmt: skip
STEPS = pytest.mark.parametrize("step", every(), ids=lambda each: each.step)

needs_bwrap = pytest.mark.skipif(
    not shutil.which("bwrap"), reason="bubblewrap is not installed"
)
needs_root = pytest.mark.skipif(
    os.getuid() != 0 or not shutil.which("unshare"), reason="only root can do this"
)


@STEPS
def test_the_files_of_a_worker_hold_no_answer(step: Puzzle) -> None:
    """No table, no formula, no solution."""
    names = {str(path.relative_to(ROOT)) for path in sandbox.files()}
    assert f"tests/{step.step}_{step.name}/probes.py" in names
    modules = {name.removesuffix(".py").replace("/", ".") for name in names}
    own = [each for each in modules if each.startswith("tests.")]
    assert not [each for each in own if each.endswith(ORACLES)]
    folders = {name.split("/")[0] for name in names}
    assert folders <= {"checker", "tests", "models"}


def report_on(source: str, folder: Path, isolation: Isolation, **more: Any) -> Report:
    (folder / "config.py").write_text(source, encoding="utf-8")
    with Examiner(folder, isolation=isolation, **more) as examiner:
        return examiner.check(puzzle("s01"))


def said(report: Report) -> str:
    """What the file's exception says: all on one line."""
    return " ".join(text for line in report.lines for text in line.detail)


LOOKS = """
import glob, os, socket
found = []
for path in [each for pattern in {paths} for each in glob.glob(pattern)]:
    try:
        os.listdir(path) if os.path.isdir(path) else open(path).read(1)
        found.append(path)
    except OSError:
        pass
others = [each for each in os.listdir("/proc") if each.isdigit()]
try:
    socket.create_connection(("127.0.0.1", {port}), timeout=5)
    found.append("the network")
except OSError:
    pass
try:
    open("{root}/written", "w")
    found.append("the course can be written")
except OSError:
    pass
raise ValueError("found " + " ".join(found) + "; processes " + str(len(others)))
"""


@pytest.fixture
def port() -> Iterator[int]:
    """A server of this machine that a submission might ask for help."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def looks(port: int, *paths: object) -> str:
    private = [str(ROOT / name) for name in PRIVATE]
    seen = [*private, *map(str, paths)]
    return LOOKS.format(paths=seen, port=port, root=ROOT)


@needs_bwrap
@pytest.mark.max
def test_inside_bubblewrap(tmp_path: Path, port: int) -> None:
    """No answers, no submission, no home folder, no network, no other process."""
    other = tmp_path / "somebody-else.py"
    other.write_text("an answer")
    home = Path.home() / "*.*"
    source = looks(port, other, home, "/etc/passwd", "/home/*")
    found = said(report_on(source, tmp_path, Isolation.BUBBLEWRAP))
    assert "found ; processes" in found, found
    assert int(found.split("processes ")[1].split()[0]) <= 4, found


IN_A_FREE_HOME = """
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p "$1/python" && mount --bind "$2" "$1/python"
mount -t tmpfs -o mode=755 t "$3"
mkdir -p "$2" && mount --bind "$1/python" "$2" || exit 1
shift 3
export PATH=/nowhere
exec "$@"
"""
"""Where Python is in root's own home folder, others cannot start it: in a mount
namespace of its own the home is another folder, with Python alone."""

AS_USER = """
import sys
from pathlib import Path
from checker.course import ROOT
from checker.link.sandbox import Isolation, available, close
from tests.course.test_sandbox import report_on, said
assert available() is Isolation.USER, available()
close(ROOT)
print(said(report_on(Path(sys.argv[1]).read_text(), Path(sys.argv[2]), available())))
"""


@needs_root
@pytest.mark.max
def test_as_another_user(tmp_path: Path, port: int) -> None:
    """Without bubblewrap root closes the course, and the worker is another user. The
    course is a copy here, so that its permissions can change."""
    course = tmp_path / "course"
    leave = shutil.ignore_patterns("__pycache__", ".venv", ".git", ".*cache", "golden")
    shutil.copytree(ROOT, course, ignore=leave)
    source = tmp_path / "looks.py"
    own = (
        looks(port).replace(str(ROOT), str(course)).replace('"127.0.0.1"', '"nowhere"')
    )
    source.write_text(own)
    (tmp_path / "handed-in").mkdir(mode=0o700)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    python = Path(sys.executable).resolve().parent.parent
    home = "/root" if python.is_relative_to("/root") else str(tmp_path / "no-home")
    Path(home).mkdir(exist_ok=True)
    done = subprocess.run(
        [shutil.which("unshare"), "-m", shutil.which("bash"), "-c", IN_A_FREE_HOME,
         "", tmp_path, python, home,
         sys.executable, "-c", AS_USER, source, tmp_path / "handed-in"],
        cwd=course,
        env={**os.environ, "PYTHONPATH": str(course), "PATH": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert "found ; processes" in done.stdout, done.stdout + done.stderr


@needs_bwrap
@pytest.mark.max
@pytest.mark.parametrize("name", ["config", "demo"])
def test_the_solutions_pass_isolated(name: str) -> None:
    """The first and the last step, with all that their probes read."""
    with Examiner(ROOT / "solutions", isolation=Isolation.BUBBLEWRAP) as examiner:
        assert examiner.check(puzzle(name)).status == "passed"


@needs_bwrap
@pytest.mark.max
def test_each_file_has_a_worker_of_its_own(tmp_path: Path) -> None:
    """What one step leaves behind is not there for the next."""
    shutil.copytree(ROOT / "solutions", tmp_path, dirs_exist_ok=True)
    text = (tmp_path / "config.py").read_text(encoding="utf-8")
    spoils = "\nimport builtins, os\nos.makedirs('/tmp/left')\nbuiltins.left = True\n"
    (tmp_path / "config.py").write_text(text + spoils, encoding="utf-8")
    looks = "\nimport builtins, os\nassert not os.path.exists('/tmp/left')\n"
    text = (tmp_path / "causal.py").read_text(encoding="utf-8")
    (tmp_path / "causal.py").write_text(text + looks, encoding="utf-8")
    with Examiner(tmp_path, isolation=Isolation.BUBBLEWRAP) as examiner:
        for step in ("s01", "s02"):
            assert examiner.check(puzzle(step)).status == "passed"


BOMB = """
import ctypes
while True:
    ctypes.CDLL(None).fork()
"""
SLEEPERS = """
import ctypes, time
for _ in range(40):
    if not ctypes.CDLL(None).fork():
        time.sleep(99)
time.sleep(99)
"""


@needs_bwrap
@pytest.mark.max
@pytest.mark.parametrize("source", [BOMB, SLEEPERS], ids=["bomb", "sleepers"])
def test_processes_are_counted(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that starts many is stopped, and none of them is left."""
    zone = f"Test/{os.getpid()}"
    monkeypatch.setenv("TZ", zone)  # what its processes are known by
    found = report_on(source, tmp_path, Isolation.BUBBLEWRAP)
    assert found.status == "error"
    assert "processes" in said(found) or "memory" in said(found), said(found)
    assert gone(lambda: in_zone(zone))


def in_zone(zone: str) -> list[psutil.Process]:
    """The workers of this machine, and what they started, in a time zone."""
    found = []
    for process in psutil.process_iter():
        try:
            known = process.environ()
            if known.get("TZ") == zone and "HF_HUB_OFFLINE" in known:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def gone(there: Callable[[], object], within: float = 15.0) -> bool:
    """Whether something is no longer there, before long."""
    until = time.monotonic() + within
    while there():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


EXAMINES = """
import sys
from pathlib import Path
from checker.course import puzzle
from checker.link.sandbox import Isolation
from checker.verdict.examiner import Examiner
with Examiner(Path(sys.argv[1]), isolation=Isolation(sys.argv[2])) as examiner:
    examiner.start()
    print("started", examiner._worker.around.scratch, flush=True)
    print(examiner.check(puzzle("s01")))
"""
ENDLESS = "while True:\n    pass\n"
LOOPING = 4.0
"""Seconds of the processor after which a worker has imported MAX, and loops."""


@pytest.mark.max
@pytest.mark.parametrize("isolation", [Isolation.NONE, Isolation.BUBBLEWRAP])
@pytest.mark.parametrize("number", ["SIGKILL", "SIGTERM", "SIGHUP", "SIGINT"])
@pytest.mark.parametrize("moment", ["starting", "looping"])
def test_a_parent_that_is_killed_takes_all_along(
    isolation: Isolation, number: str, moment: str, tmp_path: Path
) -> None:
    """Its worker and its scratch folder, whatever the learner's code is doing."""
    if isolation is Isolation.BUBBLEWRAP and not shutil.which("bwrap"):
        pytest.skip("bubblewrap is not installed")
    (tmp_path / "config.py").write_text(ENDLESS)
    parent = subprocess.Popen(
        [sys.executable, "-c", EXAMINES, str(tmp_path), isolation.value],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    _, _, scratch = parent.stdout.readline().strip().partition(" ")
    started = partial(psutil.Process(parent.pid).children, recursive=True)
    if moment == "looping":
        gone(lambda: spent(started()) < LOOPING, 60)
    family = started()
    parent.send_signal(getattr(signal, number))
    parent.wait(timeout=30)
    parent.stdout.close()
    assert gone(lambda: [each for each in family if each.is_running()])
    assert gone(lambda: bool(scratch) and Path(scratch).exists())


def spent(family: list[psutil.Process]) -> float:
    """Seconds of the processor."""
    seconds = 0.0
    for process in family:
        try:
            seconds += process.cpu_times().user
        except psutil.Error:
            continue
    return seconds


def test_a_janitor_that_is_dismissed_removes_nothing(tmp_path: Path) -> None:
    """The parent has cleared up itself: a folder of that name is somebody else's."""
    folder = tmp_path / "folder"
    folder.mkdir()
    janitor = Janitor(str(folder))
    janitor.watch(2**22 + 1)  # a group that is not there
    janitor.dismiss()
    assert folder.is_dir()


def test_what_a_machine_has_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where bwrap is and cannot start, it does not count."""
    monkeypatch.setattr(sandbox, "_starts", lambda around: False)
    sandbox.available.cache_clear()
    assert sandbox.available() is Isolation.NONE
    sandbox.available.cache_clear()
