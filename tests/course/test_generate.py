"""``generate`` as a command: text that streams, whose files it runs on, how it ends."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from apps.generate import Streaming
from checker.course import ROOT
from checker.desk.progress import digest
from checker.desk.state import StepState, changing
from tests.course.learner import Course

pytestmark = pytest.mark.max

# The program as it stands, but for the compiler, which would take half a minute.
WITHOUT_COMPILER = """
import runpy, sys
sys.path.insert(0, "")
from checker.interpreter import install
install()
sys.argv = ["generate", *sys.argv[1:]]
runpy.run_module("apps.generate", run_name="__main__", alter_sys=True)
"""
PROMPT = "It is a truth"
HOME = {
    "PATH": "",
    "HOME": tempfile.gettempdir(),
    "HF_HUB_OFFLINE": "1",
    "HF_HOME": "nowhere",
    "PYTHONUTF8": "1",
}


Running = tuple[subprocess.Popen[bytes], IO[bytes], IO[bytes]]


@contextmanager
def started(*words: str, folder: Path = ROOT) -> Iterator[Running]:
    """A process, with its standard output and error."""
    with subprocess.Popen(
        [sys.executable, "-c", WITHOUT_COMPILER, *words],
        cwd=folder,
        env=HOME,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        yield process, process.stdout, process.stderr


def generate(*words: str, folder: Path = ROOT) -> tuple[int, str, str]:
    """Exit status, standard output, standard error."""
    with started(*words, folder=folder) as (process, *_):
        out, err = process.communicate(timeout=120)
    return process.returncode, out.decode(), err.decode()


def test_text_as_it_comes() -> None:
    """Standard output has the prompt and its continuation, token by token; all else is
    on standard error."""
    words = (PROMPT, "--max-new-tokens", "40", "--temperature", "0")
    pieces = []
    with started(*words) as (process, out, err):
        while piece := os.read(out.fileno(), 4096):
            pieces.append(piece)
        said = err.read().decode()
    assert process.returncode == 0, said
    text = b"".join(pieces).decode()
    assert len(pieces) > 10
    assert text.startswith(PROMPT) and text.endswith("\n")
    assert "none of yours passes yet" in said
    assert "Compiling models/austen …" in said
    assert "(40 tokens, " in said


def test_greedy_text_is_the_demos() -> None:
    """With temperature 0 it writes what the generator of step 9 writes."""
    words = ("--max-new-tokens", "20", "--model", "models/austen")
    _, text, _ = generate(PROMPT, *words, "--temperature", "0")
    greedy = subprocess.run(
        [sys.executable, "-c", STEP_9, PROMPT, "20"],
        cwd=ROOT, env=HOME, capture_output=True, text=True, check=True, timeout=120,
    ).stdout  # fmt: skip
    assert text == greedy + "\n"


STEP_9 = """
import contextlib, sys
sys.path[:0] = ["", "solutions"]
from checker.interpreter import install
install()
from config import GPT2Config
from generator import TextGenerator
from max.driver import CPU
from model import MaxGPT2Model
from models.checkpoint import open_checkpoint
from tokenizer import GPT2TokenizerWrapper
with contextlib.redirect_stdout(sys.stderr):
    checkpoint = open_checkpoint("models/austen")
model = MaxGPT2Model(GPT2Config(**checkpoint.config))
model.load_huggingface_weights(checkpoint, CPU())
generator = TextGenerator(model, GPT2TokenizerWrapper("models/austen"))
made = generator.generate(sys.argv[1], max_new_tokens=int(sys.argv[2]), do_sample=False)
print(made, end="")
"""


def test_seed_and_options() -> None:
    """A seed repeats the text, another gives another; with k = 1 all are greedy."""
    words = (PROMPT, "--max-new-tokens", "12", "--model", "models/austen")
    seven, again, eight = (
        generate(*words, "--seed", seed)[1] for seed in ("7", "7", "8")
    )
    assert seven == again != eight
    greedy = generate(*words, "--temperature", "0")[1]
    assert generate(*words, "--top-k", "1", "--seed", "8")[1] == greedy
    assert generate(*words, "--top-p", "1e-9", "--seed", "8")[1] == greedy


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        ([PROMPT, "--top-k", "0"], 2, "top_k is 0"),
        ([PROMPT, "--top-p", "-1"], 2, "top_p is -1"),
        ([PROMPT, "--temperature", "-1"], 2, "temperature is -1"),
        ([PROMPT, "--temperature", "nan"], 2, "temperature is nan"),
        ([PROMPT, "--penalty", "0"], 2, "penalty is 0"),
        ([PROMPT, "--weights", "int4"], 2, "invalid choice: 'int4'"),
        ([PROMPT, "--device", "tpu"], 2, "'tpu' is not auto, cpu or gpu"),
        ([""], 2, "PROMPT is empty: give it a word to begin with"),
        ([PROMPT, "--model", "nowhere/at-all"], 1, "nowhere/at-all"),
    ],
)
def test_bad_input(words: list[str], status: int, sentence: str) -> None:
    """A sentence, no traceback, and not a word of text."""
    code, out, err = generate(*words)
    assert code == status, err
    assert sentence in err
    assert "Traceback" not in err
    assert out == ""


def test_reader_goes_away() -> None:
    """Piped into `head`, it ends without a traceback."""
    words = (PROMPT, "--max-new-tokens", "100", "--temperature", "0")
    with started(*words) as (_, out, err):
        assert os.read(out.fileno(), 4)
        out.close()
        assert b"Traceback" not in err.read()


def test_stopped() -> None:
    """Ctrl-C ends it with what is written so far."""
    words = (PROMPT, "--max-new-tokens", "100000", "--model", "models/austen")
    with started(*words) as (process, out, err):
        read = b""
        while len(read) < len(PROMPT) + 20:
            read += os.read(out.fileno(), 4096)
        process.send_signal(signal.SIGINT)
        assert err.read().decode().endswith("\nstopped\n")
    assert process.returncode == 130


@pytest.fixture
def course(tmp_path: Path) -> Course:
    made = Course(tmp_path)
    os.symlink(ROOT / "apps", tmp_path / "apps")
    return made


def passed(course: Course, *names: str) -> None:
    """Have these files count as checked and passed, as they are."""
    now = datetime.now(UTC).isoformat()
    with changing(course.root) as state:
        for step, name in (name.split("_") for name in names):
            checked = digest(course.puzzle(name))
            state.steps[step] = StepState(passed=now, checked=checked, status="passed")


TEN = (
    "s01_config", "s02_causal", "s03_layernorm", "s04_mlp", "s05_attention",
    "s06_block", "s07_model", "s08_tokenizer", "s09_generator", "s10_demo",
)  # fmt: skip


def test_whose_files(course: Course) -> None:
    """The learner's files where they pass, the reference's elsewhere; it says so."""
    for name in TEN:
        course.solve(name[4:])
    passed(course, *TEN)
    own = course.puzzle("model")
    own.write_text(own.read_text() + "\nimport sys\nprint('mine', file=sys.stderr)\n")
    words = (PROMPT, "--max-new-tokens", "2")
    code, _, said = generate(*words, folder=course.root)
    assert code == 0, said
    assert "mine" not in said  # it has changed since it passed
    assert "the reference's where yours wait: model.py, sampling.py, cache.py" in said
    passed(course, "s07_model")
    code, _, said = generate(*words, folder=course.root)
    assert code == 0, said
    assert "mine" in said


class Letters:
    """A tokenizer: an id is a byte of UTF-8."""

    def decode(self, ids: object) -> str:
        found = np.from_dlpack(ids).astype(np.uint8)
        return found.tobytes().decode("utf-8", "replace")


def test_half_a_letter_waits(capsys: pytest.CaptureFixture[str]) -> None:
    """A letter of several tokens is shown when it is complete."""
    wanted = "ré 🙂".encode()
    chosen = iter(wanted)
    streaming = Streaming(lambda logits, ids: next(chosen), Letters(), "ab")
    ids, seen = list(b"ab"), []
    for _ in wanted:
        ids.append(streaming(None, np.array([ids])))
        seen.append(capsys.readouterr().out)
    assert seen == ["r", "", "é", " ", "", "", "", "🙂"]
