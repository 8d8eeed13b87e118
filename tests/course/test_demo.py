"""The demo as a command: the bundled model, the flags, and how it ends."""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from models.checkpoint import DEFAULT
from models.screen import count, device, parser

pytestmark = pytest.mark.max

ROOT = Path(__file__).resolve().parents[2]

# The demo as it stands, but for the compiler, which would take a minute.
WITHOUT_COMPILER = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
from checker.interpreter import install
install()
sys.argv = sys.argv[2:]
sys.path.insert(0, str(__import__("pathlib").Path(sys.argv[0]).parent))
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def demo(
    *flags: str, cwd: Path = ROOT, file: Path = ROOT / "solutions" / "demo.py"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER, str(ROOT), str(file), *flags],
        cwd=cwd,
        env={"PATH": "", "HF_HUB_OFFLINE": "1", "HF_HOME": str(cwd / "nowhere")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_whole_pipeline(tmp_path: Path) -> None:
    """Without network and from any folder, the bundled model writes in three ways,
    each timed, and the default's absence is explained in a line."""
    done = demo("--max-new-tokens", "4", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    out = done.stdout
    assert "openai-community/gpt2 is not available: the hub cannot be reached." in out
    assert "Using the bundled model, models/austen.\n" in out
    assert "Loading models/austen: 4 layers, 6 heads, 2.2 million parameters, " in out
    assert "Compiling models/austen for any length of text …\n" in out
    assert "Forward pass: logits (1, 6, 2048), next token" in out
    ways = ["Greedy", "Moderate, temperature 0.7", "Creative, temperature 1.2"]
    found = [line for line in out.splitlines() if line.startswith(tuple(ways))]
    assert found == ways
    timed = re.findall(r"^\(4 tokens in \d+\.\d s, \d+\.\d tokens/s\)$", out, re.M)
    assert len(timed) == 3


def calls(*argvs: list[str]) -> list[dict[str, str]]:
    """What the demo's main answers to each command line, in one process."""
    done = subprocess.run(
        [sys.executable, "-c", CALLS, str(ROOT), json.dumps(argvs)],
        cwd=ROOT,
        env={"PATH": "", "HF_HUB_OFFLINE": "1", "HF_HOME": "nowhere"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout)


CALLS = """
import contextlib, io, json, sys
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/solutions"]
from checker.interpreter import install
install()
import demo
answers = []
for argv in json.loads(sys.argv[2]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = demo.main(argv)
        except SystemExit as stop:
            code = stop.code
    answers.append({"code": code, "out": out.getvalue(), "err": err.getvalue()})
print(json.dumps(answers))
"""


def test_flags() -> None:
    """The flags have defaults, and become numbers and a device of MAX."""
    args = parser("").parse_args([])
    assert (args.model, args.max_new_tokens, args.seed) == (DEFAULT, 50, 0)
    assert args.device.label == "cpu"
    flags = [
        "--model",
        "m",
        "--max-new-tokens",
        "007",
        "--seed",
        "3",
        "--device",
        "cpu",
    ]
    args = parser("").parse_args(flags)
    assert (args.model, args.max_new_tokens, args.seed) == ("m", 7, 3)
    assert args.device.label == "cpu"


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "", "²", "1e3"])
def test_no_number(text: str) -> None:
    """What is not a whole number of 0 or more is refused by its name."""
    with pytest.raises(argparse.ArgumentTypeError, match=f"^{text!r} is not a whole"):
        count(text)


def test_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU, auto is the CPU and gpu gets a sentence."""
    monkeypatch.setattr("max.driver.accelerator_count", lambda: 0)
    assert device("auto").label == "cpu"
    with pytest.raises(argparse.ArgumentTypeError, match="no GPU on this machine; use"):
        device("gpu")


def test_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a GPU, auto and gpu are it, and cpu is not."""
    gpu = object()
    monkeypatch.setattr("max.driver.accelerator_count", lambda: 1)
    monkeypatch.setattr("max.driver.Accelerator", lambda: gpu)
    assert device("auto") is device("gpu") is gpu
    assert device("cpu").label == "cpu"


def test_seed() -> None:
    """The same seed writes the same, another writes something else."""
    flags = ["--model", "models/austen", "--max-new-tokens", "3", "--seed"]
    answers = calls([*flags, "1"], [*flags, "1"], [*flags, "2"])
    assert [answer["code"] for answer in answers] == [0, 0, 0]
    first, again, other = (re.sub(r"\d+\.\d", "", a["out"]) for a in answers)
    assert first == again != other


def test_copies_find_their_way(tmp_path: Path) -> None:
    """With the solutions copied to a folder of the course, the demo there runs."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for path in (ROOT / "solutions").glob("*.py"):
        (folder / path.name).write_bytes(path.read_bytes())
    austen = str(ROOT / "models" / "austen")
    done = demo(
        "--model", austen, "--max-new-tokens", "0", file=folder / "demo.py", cwd=folder
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_bad_input() -> None:
    """Bad input ends with a sentence on stderr and no traceback."""
    cases = [
        (["--model", "tests"], 1, "tests has no config.json."),
        (["--model", "no/such"], 1, "no/such is not a folder here and is not availa"),
        (["--max-new-tokens", "-1"], 2, "'-1' is not a whole number, 0 or more"),
        (["--seed", "x"], 2, "'x' is not a whole number, 0 or more"),
        (["--device", "tpu"], 2, "'tpu' is not auto, cpu or gpu"),
    ]
    answers = calls(*(argv for argv, _, _ in cases))
    for answer, (_, code, message) in zip(answers, cases, strict=True):
        assert answer["code"] == code
        assert message in answer["err"]


def test_untouched_puzzle() -> None:
    """The learner's demo names its first open hole before it fetches anything."""
    done = demo(file=ROOT / "puzzles" / "demo.py")
    assert done.returncode == 1
    assert done.stderr.endswith("NotImplementedError: load, build, transfer\n")
    assert done.stdout == "Starting MAX …\n"
