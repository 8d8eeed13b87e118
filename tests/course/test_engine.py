"""The engine with real processes: screens, JSON, exit statuses, limits, what is left.

``RECORD_SCREENS=1 pytest tests/course/test_engine.py`` writes the screens afresh.
"""

import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from checker.course import ROOT, puzzle, puzzles
from checker.link.process import SHOWN_LINES, Limits
from checker.link.sandbox import SCRATCH, Isolation, available
from checker.verdict.examiner import Examiner
from checker.verdict.report import Report

pytestmark = pytest.mark.max

GOLDEN = Path(__file__).parent / "golden"
RECORD = bool(os.environ.get("RECORD_SCREENS"))
COLOUR = "\x1b["
STEP_STATUS = {"passed", "failed", "todo", "error"}
CHECK_STATUS = {*STEP_STATUS, "blocked"}
UNSET = ("NO_COLOR", "FORCE_COLOR", "PIXI_PROJECT_NAME", "UV_RUN_RECURSION_DEPTH")


def solution(name: str) -> str:
    return (ROOT / "solutions" / f"{name}.py").read_text(encoding="utf-8")


def edited(name: str, old: str, new: str) -> str:
    """The reference with one change."""
    text = solution(name)
    assert text.count(old) == 1
    return text.replace(old, new)


def opened(name: str) -> str:
    return (ROOT / "puzzles" / f"{name}.py").read_text(encoding="utf-8")


PASSED = solution("causal")
FAILED = edited("attention", "math.sqrt(int(query.shape[-1]))", "math.sqrt(12)")
UNFINDABLE = edited("causal", "import Dim, DimLike", "import Dimension")
MISSPELT = edited("attention", "class GPT2Attention(", "class Gpt2Attention(")
NO_PYTHON = edited("layernorm", "def __call__(self, x: Tensor) -> Tensor:", "def call(")
CRASH = PASSED + "\n\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
HANGS = edited(
    "causal", "    # hole: fill", "    while num_tokens:\n        pass\n    #"
)
PRINTS = PASSED + "\n\nfor number in range(100):\n    print('line', number)\n"
RAISES = edited("layernorm", "self.bias, self.eps)", "self.bias[:, :2], self.eps)")
SCREENS = {
    "passed": ("s02", PASSED),
    "failed": ("s05", FAILED),
    "open": ("s02", opened("causal")),
    "import-error": ("s02", UNFINDABLE),
    "misspelt": ("s05", MISSPELT),
    "not-python": ("s03", NO_PYTHON),
    "raises": ("s03", RAISES),
    "crash": ("s02", CRASH),
    "timeout": ("s02", HANGS),
    "prints": ("s02", PRINTS),
}


def place(folder: Path, step: str, text: str) -> Path:
    path = folder / puzzle(step).file
    path.write_text(text, encoding="utf-8")
    return path


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **more}


def checker(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """``python -m checker`` with the folder as the working directory."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "checker", *words, "--dir", "."],
        cwd=folder, env=environment(**more), capture_output=True, text=True,
        timeout=120, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.fixture(scope="module")
def examiner() -> Iterator[Examiner]:
    """One for all, with shorter patience than a learner gets."""
    with Examiner(ROOT, Limits(probe=3.0, step=6.0)) as made:
        yield made


def examine(examiner: Examiner, folder: Path, step: str, text: str) -> Report:
    place(folder, step, text)
    examiner.folder = folder
    return examiner.check(puzzle(step))


# What the learner sees


@pytest.mark.parametrize("name", SCREENS)
def test_the_screen_is_the_recorded_one(name: str, tmp_path: Path) -> None:
    """What is printed for each outcome is reviewed in diffs; no colours in a pipe."""
    step, text = SCREENS[name]
    place(tmp_path, step, text)
    done = checker(tmp_path, step, "--no-compile")
    golden = GOLDEN / f"check-{name}.txt"
    if RECORD:
        golden.write_text(done.stdout, encoding="utf-8")
    assert done.stdout == golden.read_text(encoding="utf-8")
    assert done.stderr == ""
    assert done.returncode == (0 if name in ("passed", "prints") else 1)


def test_no_recorded_screen_holds_a_colour_or_a_place_of_this_machine() -> None:
    """Goldens are plain text that is the same everywhere."""
    for golden in GOLDEN.glob("check-*.txt"):
        text = golden.read_text(encoding="utf-8")
        assert COLOUR not in text and str(ROOT) not in text and "/tmp" not in text


@pytest.mark.parametrize(
    ("more", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"NO_COLOR": "1"}, False),
    ],
)
def test_colour_in_a_pipe_only_when_forced(
    more: dict[str, str], coloured: bool, tmp_path: Path
) -> None:
    """``FORCE_COLOR`` and ``NO_COLOR`` are respected, and a pipe is no terminal."""
    place(tmp_path, "s01", solution("config"))
    done = checker(tmp_path, "s01", "--no-compile", **more)
    assert (COLOUR in done.stdout) is coloured


@pytest.mark.parametrize(("more", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_on_a_terminal_unless_unwanted(
    more: dict[str, str], coloured: bool, tmp_path: Path
) -> None:
    """A terminal gets colours; with ``NO_COLOR`` no colour, bold at most."""
    place(tmp_path, "s01", solution("config"))
    ours, theirs = pty.openpty()
    words = [sys.executable, "-P", "-m", "checker", "s01", "--no-compile", "--dir", "."]
    env = environment(TERM="xterm-256color", **more)
    with subprocess.Popen(words, cwd=tmp_path, env=env, stdout=theirs) as process:
        os.close(theirs)
        text = b""
        try:
            while data := os.read(ours, 2**16):
                text += data
        except OSError:  # the end of a terminal
            pass
        os.close(ours)
    assert process.returncode == 0
    assert bool(re.search(rb"\x1b\[[0-9;]*3[0-9]", text)) is coloured


def test_prints_are_shown_apart_and_cut() -> None:
    """Forty lines of what the learner prints, then how much there was."""
    golden = (GOLDEN / "check-prints.txt").read_text(encoding="utf-8")
    shown = [line for line in golden.splitlines() if line.startswith("  | ")]
    assert shown[:-1] == [f"  | line {number}" for number in range(SHOWN_LINES)]
    assert "cut" in shown[-1]


def test_what_is_printed_never_draws_over_the_report(
    examiner: Examiner, tmp_path: Path
) -> None:
    """Control characters and broken UTF-8 in prints and messages are made harmless."""
    printed = "import os\nos.write(1, b'\\x1b[2J\\xff\\r\\n')\n"
    trick = printed + "raise ValueError('\\x1b[H\\ud800')"
    report = examine(examiner, tmp_path, "s02", f"{PASSED}\n\n{trick}\n")
    lines = [*report.printed, *(d for line in report.lines for d in line.detail)]
    assert "".join(lines).isprintable() and report.status == "error"
    "".join(lines).encode()


# What programs see


def assert_contract(step: dict[str, Any], asked: str) -> None:
    assert set(step) >= {"step", "puzzle", "file", "status", "seconds", "stand_ins"}
    assert step["step"] == asked and step["puzzle"] == puzzle(asked).name
    assert step["status"] in STEP_STATUS and isinstance(step["seconds"], float)
    assert all(isinstance(name, str) for name in step["stand_ins"])
    assert step["checks"]
    for check in step["checks"]:
        assert set(check) == {"name", "status", "detail", "mistake"}
        assert check["status"] in CHECK_STATUS and isinstance(check["detail"], str)
        mistake = check["mistake"]
        assert mistake is None or set(mistake) == {"id", "message"}


@pytest.mark.parametrize(
    ("step", "text", "status"),
    [
        ("s02", PASSED, "passed"),
        ("s05", FAILED, "failed"),
        ("s02", opened("causal"), "todo"),
        ("s02", UNFINDABLE, "error"),
        ("s02", CRASH, "error"),
        ("s02", PRINTS, "passed"),
    ],
)
def test_json_is_one_object_and_nothing_else(
    step: str, text: str, status: str, tmp_path: Path
) -> None:
    """``--json`` has the contract's form for each outcome, whatever is printed."""
    place(tmp_path, step, text)
    done = checker(tmp_path, step, "--json", "--no-compile")
    found = json.loads(done.stdout)
    assert_contract(found, step)
    assert found["status"] == status
    assert found["file"] == puzzle(step).file
    assert done.returncode == (0 if status == "passed" else 1)


def test_json_names_the_mistake(tmp_path: Path) -> None:
    """A mistake that is recognised stands beside its check; others have null."""
    place(tmp_path, "s05", FAILED)
    found = json.loads(checker(tmp_path, "s05", "--json", "--no-compile").stdout)
    mistakes = {c["name"]: c["mistake"] for c in found["checks"]}
    named = [mistake for mistake in mistakes.values() if mistake]
    assert named and all(mistake["message"] for mistake in named)
    passed = [c for c in found["checks"] if c["status"] == "passed"]
    assert passed and not any(check["mistake"] for check in passed)


def test_all_gives_every_step_in_order(tmp_path: Path) -> None:
    """``all --json`` is a list of ten; a missing file is an error, not a crash."""
    place(tmp_path, "s01", solution("config"))
    done = checker(tmp_path, "all", "--json", "--no-compile")
    steps = json.loads(done.stdout)["steps"]
    assert [step["step"] for step in steps] == [each.step for each in puzzles()]
    for step in steps:
        assert_contract(step, step["step"])
    assert [step["status"] for step in steps] == ["passed", *["error"] * 9]
    assert done.returncode == 1


@pytest.mark.parametrize(
    "words", [("s77",), ("s1",), ("S01",), ("s01", "--jsn"), ("s01", "s02"), ()]
)
def test_a_wrong_command_line_ends_with_2(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    """The sentence goes to standard error, nothing to standard output."""
    done = checker(tmp_path, *words)
    assert done.returncode == 2 and done.stderr and not done.stdout


def test_a_missing_folder_is_a_wrong_command_line(tmp_path: Path) -> None:
    """A folder that is not there ends with 2 and is named."""
    done = checker(tmp_path, "s01", "--dir", "nowhere")
    assert done.returncode in (1, 2)  # the last --dir counts
    done = subprocess.run(
        [sys.executable, "-P", "-m", "checker", "s01", "--dir", "nowhere"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2 and "nowhere" in done.stderr and not done.stdout


def test_a_broken_environment_ends_with_3(tmp_path: Path) -> None:
    """Where MAX cannot be imported, that is said; the learner is not blamed."""
    place(tmp_path, "s02", PASSED)
    broken = tmp_path / "broken" / "max"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('no MAX here')")
    path = os.pathsep.join([str(ROOT), str(broken.parent)])
    done = checker(tmp_path, "s02", "--json", PYTHONPATH=path)
    assert done.returncode == 3 and "no MAX here" in done.stderr and not done.stdout


# Which files were checked


def test_the_reference_stands_in_and_the_report_says_so(
    examiner: Examiner, tmp_path: Path
) -> None:
    """Missing and wrong siblings are stood in for, right ones are used."""
    place(tmp_path, "s01", solution("config"))
    place(tmp_path, "s02", edited("causal", 'float("-inf")', "-1.0"))
    report = examine(examiner, tmp_path, "s05", solution("attention"))
    assert (report.status, report.stand_ins) == ("passed", ("causal",))
    place(tmp_path, "s02", PASSED)
    report = examine(examiner, tmp_path, "s05", solution("attention"))
    assert (report.status, report.stand_ins) == ("passed", ())


def test_a_sibling_that_hangs_is_stood_in_for(
    examiner: Examiner, tmp_path: Path
) -> None:
    """A check never fails for an earlier step's mistake, not even for a hang."""
    place(tmp_path, "s02", f"{PASSED}\n\nwhile True:\n    pass\n")
    report = examine(examiner, tmp_path, "s05", solution("attention"))
    assert report.status == "passed" and "causal" in report.stand_ins


@pytest.mark.parametrize("make", ["missing", "folder", "pipe", "link"])
def test_what_is_no_file_is_said(make: str, examiner: Examiner, tmp_path: Path) -> None:
    """A folder, a pipe or a dead link in a puzzle's place is a sentence, not a hang."""
    path = tmp_path / "causal.py"
    if make == "folder":
        path.mkdir()
    elif make == "pipe":
        os.mkfifo(path)
    elif make == "link":
        path.symlink_to(tmp_path / "nowhere")
    examiner.folder = tmp_path
    report = examiner.check(puzzle("s02"))
    assert report.status == "error" and "causal.py" in report.lines[0].detail[0]


# Limits, and what is left


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{PASSED}\nX = [{'0, ' * 1_700_000}]\nassert not X\n", id="5 MB"),
        pytest.param(f"{PASSED}\nX = {'(' * 100_000}0{')' * 100_000}\n", id="nested"),
        pytest.param(f"{PASSED}\nX = {'-' * 100_000}1\n", id="minus"),
        pytest.param(f"{PASSED}\nX = '{'x' * 10_000_000}'\n1/0\n", id="long line"),
    ],
)
def test_huge_sources_are_answered_soon(
    text: str, examiner: Examiner, tmp_path: Path
) -> None:
    """Size and depth of a source end in a sentence, not in the parent."""
    began = time.monotonic()
    report = examine(examiner, tmp_path, "s02", text)
    assert report.status == "error" and time.monotonic() - began < 15


@pytest.mark.skipif(available() is Isolation.NONE, reason="nothing isolates workers")
def test_a_right_file_after_a_hostile_one_passes(tmp_path: Path) -> None:
    """Isolated, what one file does to its worker does not reach the next file."""
    trick = "import builtins\nbuiltins.len = lambda x: 0\nTensor.full = None\n"
    with Examiner(tmp_path, isolation=available()) as examiner:
        assert examine(examiner, tmp_path, "s02", PASSED + trick).status != "passed"
        assert examine(examiner, tmp_path, "s02", PASSED).status == "passed"


@pytest.mark.parametrize("text", [PASSED, CRASH, HANGS])
def test_nothing_is_left_behind(text: str, tmp_path: Path) -> None:
    """The worker, its children and its scratch directory are gone at the end."""
    with Examiner(tmp_path, Limits(probe=1.0, step=2.0)) as examiner:
        examiner.start()
        worker = examiner._worker
        assert worker is not None and Path(worker.around.scratch).is_dir()
        examine(examiner, tmp_path, "s02", text)
    assert not worker.alive and not Path(worker.around.scratch).exists()
    for process in psutil.process_iter():
        try:
            assert process.environ().get(SCRATCH) != worker.around.scratch
        except (psutil.Error, OSError):
            continue


def test_a_worker_that_reads_nothing_blocks_nobody(tmp_path: Path) -> None:
    """A stopped worker with a large request before it: the deadline holds, and another
    worker answers."""
    with Examiner(tmp_path, Limits(probe=1.0, step=2.0)) as examiner:
        assert examine(examiner, tmp_path, "s02", PASSED).status == "passed"
        worker = examiner._worker
        assert worker is not None
        psutil.Process(worker.process.pid).suspend()
        report = examine(examiner, tmp_path, "s02", f"{PASSED}\n# {'x' * 10**6}\n")
    assert report.status == "passed" and report.seconds < 15


SIZES = {
    "vocab_size": 50257,
    "n_positions": 1024,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "n_inner": 3072,
    "layer_norm_epsilon": 1e-05,
}
UNTOUCHED = [
    "✗ dataclass is not imported from dataclasses",
    "✗ GPT2Config does not have the @dataclass decorator",
    *(
        f"✗ {name} is incorrect: expected match with Hugging Face model "
        "configuration, got None"
        for name in SIZES
    ),
]
SOLVED = [
    "✓ dataclass is correctly imported from dataclasses",
    "✓ GPT2Config has the @dataclass decorator",
    *(f"✓ {name} is correct: {value}" for name, value in SIZES.items()),
]


@pytest.mark.parametrize(
    ("text", "lines"),
    [(opened("config"), UNTOUCHED), (solution("config"), SOLVED)],
    ids=["untouched", "solved"],
)
def test_step_1_prints_the_tutorials_lines(
    text: str, lines: list[str], tmp_path: Path
) -> None:
    """To the letter, in the tutorial's order, and nothing between them."""
    place(tmp_path, "s01", text)
    command = [sys.executable, "-m", "checker", "s01", "--dir", str(tmp_path)]
    found = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True
    )
    assert found.stdout.splitlines()[1:-1] == lines


def test_what_the_interpreter_lacks_max_computes(tmp_path: Path) -> None:
    """A right file with an operation that is not interpreted passes, with a line that
    says so: MAX compiles those graphs, and nobody calls that an endless loop."""
    ends = "F.layer_norm(x, self.weight, self.bias, self.eps)"
    pooled = (
        f"F.reshape(F.avg_pool2d(F.reshape({ends}, [1, x.shape[0], -1, 1]), "
        "kernel_size=(1, 1), stride=1), x.shape)"
    )
    place(tmp_path, "s03", edited("layernorm", ends, pooled))
    with Examiner(tmp_path) as examiner:
        report = examiner.check(puzzle("s03"))
    assert report.status == "passed", report.lines
    assert any("rmo.avg_pool" in note and "MAX" in note for note in report.notes)
