"""``finetune`` as a command: texts, losses, checkpoints, and a run that was killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from apps import text
from apps.text import TextError
from checker.course import ROOT
from models.checkpoint import expected, read

AUSTEN = ROOT / "models" / "austen"
SIZES = {"vocab_size": 2048, "n_positions": 32, "n_embd": 24, "n_layer": 1, "n_head": 3}

# The text


class Letters:
    """A tokenizer of letters."""

    eos_token_id = 0

    def encode(self, told: str) -> np.ndarray:
        return np.array([[ord(letter) for letter in told]])


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b" \n\t", "is empty"),
        (b"\x89PNG\0\0", "is no text: it holds zero bytes"),
        ("Übermut".encode("latin-1"), "is not in UTF-8 (byte 0)"),
    ],
)
def test_what_is_no_text(data: bytes | None, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(TextError) as error:
        text.read(path)
    assert sentence in str(error.value)


def test_parts_of_a_text(tmp_path: Path) -> None:
    """The end is held out; a batch has each token's next one, and is the same for a
    seed and a step."""
    path = tmp_path / "mine.txt"
    path.write_text(
        "\ufeff" + "".join(chr(97 + at % 26) for at in range(2000)), "utf-8"
    )
    found = text.tokens([path], Letters(), 16)
    assert len(found.training) == 1901 and len(found.held_out) == 101
    assert found.training[0] == found.held_out[0] == 0
    assert found.characters == 100
    ids, targets = found.batch(1, 5, 4, 16)
    assert ids.shape == targets.shape == (4, 16)
    np.testing.assert_array_equal(ids[:, 1:], targets[:, :-1])
    again, other = found.batch(1, 5, 4, 16)[0], found.batch(1, 6, 4, 16)[0]
    assert (ids == again).all() and (ids != other).any()
    ids, targets = found.windows(99, 16)
    assert ids.shape == (6, 16)
    np.testing.assert_array_equal(ids.ravel(), found.held_out[:96])
    with pytest.raises(TextError, match="pieces of 128 need 2580: take"):
        text.tokens([path], Letters(), 128)


# The command


WITHOUT_COMPILER = """
import runpy, sys
sys.path.insert(0, "")
from checker.interpreter import install
install()
sys.argv = ["finetune", *sys.argv[1:]]
runpy.run_module("apps.finetune", run_name="__main__", alter_sys=True)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small model and a text."""
    folder = tmp_path_factory.mktemp("finetune")
    model = folder / "model"
    model.mkdir()
    for name in ("vocab.json", "merges.txt"):
        shutil.copy(AUSTEN / name, model)
    (model / "config.json").write_text(json.dumps({"model_type": "gpt2", **SIZES}))
    rng = np.random.default_rng(0)
    tensors = {}
    for name, shape in expected({**SIZES, "n_inner": 96}).items():
        value = 0.1 * rng.standard_normal(shape, np.float32)
        tensors[name] = value + (".ln_" in name and name.endswith("weight"))
    del tensors["lm_head.weight"]
    save_file(tensors, model / "model.safetensors")
    told = "It is a truth universally acknowledged, that a single man is single.\n"
    (folder / "mine.txt").write_text(told * 60, encoding="utf-8")
    return folder


def start(place: Path, out: str, *more: str) -> subprocess.Popen[str]:
    words = ("mine.txt", "--model", "model", "--batch", "2", "--tokens", "16")
    return subprocess.Popen(
        [sys.executable, "-c", WITHOUT_COMPILER, *words, "--out", out, *more],
        cwd=place,
        env={"PATH": "", "PYTHONPATH": str(ROOT), "HOME": str(place)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finetune(place: Path, out: str, *more: str) -> tuple[int, str, str]:
    with start(place, out, *more) as process:
        told, error = process.communicate(timeout=240)
    return process.returncode, told, error


def losses(place: Path, out: str) -> list[float]:
    with safe_open(place / out / "run.safetensors", "numpy") as file:
        found: list[float] = json.loads(file.metadata()["run"])["losses"]
    return found


@pytest.mark.max
def test_a_run(place: Path) -> None:
    """It says what it does, learns, and writes a checkpoint that can be read."""
    code, told, error = finetune(place, "one", "--steps", "60", "--rate", "0.02")
    assert (code, error) == (0, "")
    assert "none of yours passes yet" in told
    assert "Before: held out " in told and "\nHalf-way:\n" in told
    assert "step 25 of 60: loss " in told and " tokens/s, 0:" in told
    assert "\nAfter: held out " in told
    found = losses(place, "one")
    assert len(found) == 60
    assert found[-1] < 0.5 * found[0]
    made, was = read(place / "one", "one"), read(place / "model", "model")
    assert made.config == was.config and made.tied
    new, old = made.state_dict(), was.state_dict()
    assert all(new[name].shape == old[name].shape for name in old)
    assert not np.array_equal(
        new["transformer.wpe.weight"], old["transformer.wpe.weight"]
    )


@pytest.mark.max
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_goes_on(by: int, place: Path) -> None:
    """With the same losses as one that was not stopped."""
    settings = ("--steps", "60", "--rate", "0.02")
    if not (place / "one").exists():
        assert finetune(place, "one", *settings)[0] == 0
    out = f"stopped-{by}"
    with start(place, out, *settings) as process:
        while not (place / out / "run.safetensors").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)
        process.send_signal(by)
        told, error = process.communicate(timeout=60)
    if by == signal.SIGINT:
        assert process.returncode == 130, error
        assert "the same command goes on" in told
    known = len(losses(place, out))
    assert 25 <= known < 60
    code, told, error = finetune(place, out, *settings)
    assert (code, error) == (0, "")
    assert f"Going on after step {known} of 60" in told
    assert losses(place, out) == losses(place, "one")


@pytest.mark.max
def test_from_scratch(place: Path) -> None:
    """Random weights of the seed: each token is as probable at first."""
    settings = ("--steps", "2", "--from-scratch", "--seed")
    assert finetune(place, "new", *settings, "3")[0] == 0
    assert abs(losses(place, "new")[0] - np.log(2048)) < 0.1
    assert finetune(place, "other", *settings, "4")[0] == 0
    assert losses(place, "other") != losses(place, "new")


@pytest.mark.max
@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--steps", "0"], 2, "'0' is not above 0"),
        (["--rate", "nan"], 2, "'nan' is not above 0"),
        (["--rate", "fast"], 2, "'fast' is no number"),
        (["--tokens", "99"], 1, "--tokens is 99; model reads 32."),
        (["--out", "mine.txt"], 1, "mine.txt cannot be made: File exists."),
        (["--model", "nowhere/at-all"], 1, "nowhere/at-all"),
        (["--rate", "1e30", "--steps", "9"], 1, "lower --rate"),
    ],
)
def test_bad_input(words: list[str], code: int, sentence: str, place: Path) -> None:
    """A sentence and no traceback."""
    found, _, error = finetune(place, f"bad-{abs(hash(tuple(words)))}", *words)
    assert sentence in error
    assert "Traceback" not in error
    assert found == code


@pytest.mark.max
def test_another_run_in_the_same_folder(place: Path) -> None:
    """Nobody's run is lost by a slip."""
    assert finetune(place, "kept", "--steps", "3")[0] == 0
    before = (place / "kept" / "run.safetensors").read_bytes()
    code, _, error = finetune(place, "kept", "--steps", "4")
    assert code == 1
    assert "kept holds another run (steps differ): name another folder" in error
    assert (place / "kept" / "run.safetensors").read_bytes() == before
    (place / "kept" / "run.safetensors").write_bytes(before[:100])
    code, _, error = finetune(place, "kept", "--steps", "3")
    assert code == 1 and "is damaged" in error


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    """What was there stays, and nothing half-written is left."""
    from apps.finetune import RunError, write

    write(tmp_path / "file", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device"):
        write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
