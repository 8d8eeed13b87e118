"""Checkpoints: both layouts are read, and whatever is wrong gets a sentence."""

import errno
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import errors
from safetensors.numpy import save_file

from models import checkpoint
from models.checkpoint import CheckpointError, open_checkpoint, read
from models.screen import FAILED, INTERRUPTED, in_sentences, working

ROOT = Path(__file__).resolve().parents[2]

SIZES = {
    "vocab_size": 11,
    "n_positions": 7,
    "n_embd": 6,
    "n_layer": 2,
    "n_head": 3,
    "layer_norm_epsilon": 0.1,
}

Tensors = dict[str, np.ndarray]


def weights() -> Tensors:
    """Random tensors by the names of a GPT2LMHeadModel; head and embedding are tied."""
    rng = np.random.default_rng(0)
    shapes = checkpoint.expected({**SIZES, "n_inner": 24})
    tensors = {k: rng.normal(size=s).astype(np.float32) for k, s in shapes.items()}
    return {**tensors, "lm_head.weight": tensors["transformer.wte.weight"]}


def hub_layout(tensors: Tensors) -> Tensors:
    """As on the hub: no prefix, no head, and the attention masks as buffers."""
    short = {k.removeprefix("transformer."): v for k, v in tensors.items()}
    del short["lm_head.weight"]
    mask = np.tril(np.ones((7, 7), np.float32))[None, None]
    for layer in range(2):
        short[f"h.{layer}.attn.bias"] = mask
        short[f"h.{layer}.attn.masked_bias"] = np.array(-1e4, np.float32)
    return short


def saved_layout(tensors: Tensors) -> Tensors:
    """As save_pretrained writes it: the prefix, and the tied head left out."""
    return {k: v for k, v in tensors.items() if k != "lm_head.weight"}


def write(folder: Path, tensors: Tensors, **changes: Any) -> Path:
    config = {"model_type": "gpt2", **SIZES, **changes}
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.json").write_text("{}")
    (folder / "merges.txt").write_text("")
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "tiny", saved_layout(weights()))


@pytest.mark.parametrize("layout", [hub_layout, saved_layout, dict])
def test_layouts(layout: Callable[[Tensors], Tensors], tmp_path: Path) -> None:
    """Each layout gives the tensors of a live model, by its names."""
    found = read(write(tmp_path / "tiny", layout(weights())), "tiny").state_dict()
    assert found.keys() == weights().keys()
    for name, tensor in weights().items():
        np.testing.assert_array_equal(found[name], tensor)


def test_tied_head_is_read_once(folder: Path) -> None:
    """Head and embedding share their memory where they share it in the file."""
    state = read(folder, "tiny").state_dict()
    assert state["lm_head.weight"] is state["transformer.wte.weight"]


def divided(folder: Path) -> Path:
    """The same model in three files with an index, as save_pretrained divides it."""
    tensors = saved_layout(weights())
    (folder / "model.safetensors").unlink()
    weight_map = {}
    for number in range(3):
        file = f"model-{number + 1:05}-of-00003.safetensors"
        part = {name: tensors[name] for name in list(tensors)[number::3]}
        save_file(part, folder / file)
        weight_map |= dict.fromkeys(part, file)
    (folder / checkpoint.INDEX).write_text(json.dumps({"weight_map": weight_map}))
    return folder


def test_several_files(folder: Path) -> None:
    """A model in several files is the same model."""
    state = read(divided(folder), "tiny").state_dict()
    for name, tensor in weights().items():
        np.testing.assert_array_equal(state[name], tensor)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda f: (f / "model-00002-of-00003.safetensors").unlink(),
         "tiny has no model-00002-of-00003.safetensors."),
        (lambda f: (f / "model-00003-of-00003.safetensors").write_bytes(b"x"),
         "model-00003-of-00003.safetensors is damaged"),
        (lambda f: (f / checkpoint.INDEX).write_text("{"), "cannot be read"),
        (lambda f: (f / checkpoint.INDEX).write_text("[]"), "cannot be read"),
        (lambda f: (f / checkpoint.INDEX).write_text('{"weight_map": 3}'),
         "cannot be read"),
        (lambda f: (f / checkpoint.INDEX).write_text('{"weight_map": {}}'),
         "tiny lacks the tensor transformer.wte.weight."),
        (lambda f: (f / checkpoint.INDEX).write_text(
            '{"weight_map": {"wte.weight": "../up.safetensors"}}'),
         "names ../up.safetensors, which is no file beside it."),
    ],
)  # fmt: skip
def test_damaged_parts(
    damage: Callable[[Path], object], sentence: str, folder: Path
) -> None:
    damage(divided(folder))
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        read(folder, "tiny")


def test_a_tensor_is_held_no_longer_than_it_is_used(folder: Path) -> None:
    """Nothing is read before it is asked for, and read anew when it was let go."""
    state = read(folder, "tiny").state_dict()
    assert not state.held
    tensor = state["transformer.wpe.weight"]
    assert state["transformer.wpe.weight"] is tensor
    assert len(state.held) == 1
    del tensor
    assert not state.held


def test_a_state_dict_is_used_as_a_dictionary(folder: Path) -> None:
    """Whatever a learner does with it."""
    state = read(folder, "tiny").state_dict()
    tensor = weights()["transformer.wpe.weight"]
    for copied in (dict(state), state.copy(), {**state}, state | {}, {} | state):
        np.testing.assert_array_equal(copied["transformer.wpe.weight"], tensor)
        assert len(copied) == len(weights())
    assert [*state] == [*state.keys()] == [name for name, _ in state.items()]
    np.testing.assert_array_equal(state.get("transformer.wpe.weight"), tensor)
    np.testing.assert_array_equal(state.pop("transformer.wpe.weight"), tensor)
    assert "transformer.wpe.weight" not in state
    state["transformer.wpe.weight"] = tensor.T
    assert state["transformer.wpe.weight"].shape == tensor.T.shape


def test_too_little_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a model needs is said, and a model that does not fit is not begun."""
    free = SimpleNamespace(available=0.5e9)
    monkeypatch.setattr(checkpoint.psutil, "virtual_memory", lambda: free)
    want = f"{folder} needs 0.7 GB of memory, and 0.5 GB are free. Close other programs"
    with pytest.raises(CheckpointError, match=want):
        open_checkpoint(str(folder))
    assert "parameters, 0.7 GB of memory" in capsys.readouterr().out


@pytest.mark.parametrize(("n_inner", "want"), [(None, 24), (24, 24)])
def test_config(n_inner: int | None, want: int, tmp_path: Path) -> None:
    """The sizes have the names of GPT2Config; no n_inner means 4 x n_embd."""
    tensors = saved_layout(weights())
    found = read(write(tmp_path / "tiny", tensors, n_inner=n_inner), "tiny").config
    assert found == {**SIZES, "n_inner": want}


def without(name: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        (folder / name).unlink()

    return change


def rewritten(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def configured(**changes: Any) -> Callable[[Path], object]:
    return lambda folder: write(folder, saved_layout(weights()), **changes)


def lacking(folder: Path) -> None:
    tensors = saved_layout(weights())
    del tensors["transformer.h.1.ln_2.bias"]
    write(folder, tensors)


def misshapen(folder: Path) -> None:
    name = "transformer.h.0.mlp.c_fc.weight"
    tensors = saved_layout(weights())
    write(folder, {**tensors, name: np.ascontiguousarray(tensors[name].T)})


def truncated(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (without("config.json"), "tiny has no config.json."),
    "no vocabulary": (without("vocab.json"), "tiny has no vocab.json."),
    "no weights": (without("model.safetensors"), "tiny has no model.safetensors."),
    "config is no JSON": (rewritten("config.json", "{"), "config.json cannot be read"),
    "config of nothing": (rewritten("config.json", "[]"), "is not the config of a GPT"),
    "config without size": (configured(n_layer=None), "n_layer is missing or not pos"),
    "other model": (configured(model_type="llama"), "is not the config of a GPT-2."),
    "other GELU": (configured(activation_function="gelu"), "activation_function = ge"),
    "wrong n_head": (
        configured(n_head=4),
        "n_head cannot be 4, because n_embd = 6 is not divisible by it.",
    ),
    "missing tensor": (lacking, "tiny lacks the tensor transformer.h.1.ln_2.bias."),
    "wrong shape": (
        misshapen,
        "tiny: transformer.h.0.mlp.c_fc.weight has shape [24, 6], "
        "but its config.json says [6, 24].",
    ),
    "truncated": (truncated, "model.safetensors is damaged"),
    "not safetensors": (rewritten("model.safetensors", "hello"), "is damaged"),
    "empty": (rewritten("model.safetensors", ""), "is damaged"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_get_a_sentence(
    fault: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong with a folder is said in one line."""
    spoil, message = FAULTS[fault]
    spoil(folder)
    monkeypatch.chdir(folder.parent)
    with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
        open_checkpoint("tiny")
    assert "\n" not in str(caught.value)


# From the hub


class Answer:
    """An HTTP answer, as far as the hub's errors look at one."""

    headers: dict[str, str] = {}  # noqa: RUF012
    request = None


FAILURES: dict[str, tuple[Exception, str]] = {
    "disk full": (OSError(errno.ENOSPC, "No space left"), "the disk is full"),
    "no network": (ConnectionError("refused"), "the hub cannot be reached"),
    "offline": (errors.OfflineModeIsEnabled("offline"), "the hub cannot be reached"),
    "not cached": (errors.LocalEntryNotFoundError("x"), "the hub cannot be reached"),
    "no such model": (
        errors.RepositoryNotFoundError("404", Answer()),
        "the hub has no such model",
    ),
    "no such file": (
        errors.EntryNotFoundError("404", Answer()),
        "it lacks one of the files config.json",
    ),
    "server": (errors.HfHubHTTPError("503 Busy\nmore"), "the hub refused (503 Busy)"),
    "unforeseen": (RuntimeError("what\nnow"), "what"),
}


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)


@pytest.mark.usefixtures("empty_cache")
@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("stage", ["hub_config", "hf_hub_download"])
def test_default_falls_back(
    failure: str,
    stage: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whatever stops a download, the default model gives way to the bundled one, and
    one line says why."""
    error, reason = FAILURES[failure]

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(checkpoint, "hub_config", lambda _: Path("config.json"))
    owner = checkpoint if stage == "hub_config" else huggingface_hub
    monkeypatch.setattr(owner, stage, fail)
    assert open_checkpoint(checkpoint.DEFAULT).folder == checkpoint.BUNDLED
    (line,) = [x for x in capsys.readouterr().out.splitlines() if "not available" in x]
    assert line.startswith(f"{checkpoint.DEFAULT} is not available: {reason}")
    assert line.endswith("Using the bundled model, models/austen.")


@pytest.mark.usefixtures("empty_cache")
def test_another_name_does_not_fall_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that was asked for by name is not replaced by another."""

    def fail(_: str) -> Path:
        raise ConnectionError

    monkeypatch.setattr(checkpoint, "hub_config", fail)
    want = "models/nix is not a folder here and is not available: the hub cannot be"
    with pytest.raises(CheckpointError, match=want):
        open_checkpoint("models/nix")


def test_neither_folder_nor_name() -> None:
    """What cannot be a name on the hub is not asked for there."""
    with pytest.raises(CheckpointError, match="neither a folder nor the name"):
        open_checkpoint("a/b/c")


@pytest.mark.usefixtures("empty_cache")
def test_download(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All four files are fetched, announced, and read from where they arrived."""
    fetched: list[str] = []

    def download(_: str, file: str) -> str:
        fetched.append(file)
        return str(folder / file)

    monkeypatch.setattr(checkpoint, "hub_config", lambda _: folder / "config.json")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert open_checkpoint(checkpoint.DEFAULT).folder == folder
    assert tuple(fetched) == checkpoint.FILES
    assert "Downloading openai-community/gpt2" in capsys.readouterr().out


def test_cache_needs_no_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A complete model in the cache is used as it is."""
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda _, file: str(folder / file)
    )
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", None)
    assert open_checkpoint(checkpoint.DEFAULT).folder == folder


def test_a_silent_network_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that nobody answers does not hold the demo up."""
    started = time.monotonic()
    with pytest.raises(TimeoutError, match="no answer within 0 s"):
        checkpoint.within(0.1, lambda: time.sleep(3))
    assert time.monotonic() - started < 2


@pytest.fixture
def black_hole() -> Iterator[str]:
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("network", ["silent", "refused", "offline"])
def test_configuration_without_a_hub(
    network: str, black_hole: str, tmp_path: Path
) -> None:
    """hugging-face-model.py says GPT-2's seven numbers, and that they are defaults."""
    env = {
        "silent": {"HF_ENDPOINT": black_hole},
        "refused": {"HF_ENDPOINT": "http://127.0.0.1:9"},
        "offline": {"HF_HUB_OFFLINE": "1"},
    }[network]
    out = subprocess.run(
        [sys.executable, str(ROOT / "hugging-face-model.py")],
        env={"HF_HOME": str(tmp_path), "PATH": "", **env},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert out.stderr == ""
    assert "from transformers' defaults (the hub does not answer)" in out.stdout
    found = dict(re.findall(r"^ *(\w+) = (\S+)", out.stdout, re.MULTILINE))
    assert found == {
        "vocab_size": "50257",
        "n_positions": "1024",
        "n_embd": "768",
        "n_layer": "12",
        "n_head": "12",
        "n_inner": "3072",
        "layer_norm_epsilon": "1e-05",
    }
    assert "leaves n_inner out (None), which means 4 x n_embd" in out.stdout


# The screen


def raising(error: BaseException) -> Callable[..., int]:
    @in_sentences
    def main(argv: list[str] | None = None) -> int:
        raise error

    return main


def test_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    """A bad checkpoint and Ctrl-C end the demo with a line on stderr."""
    assert raising(CheckpointError("tiny has no config.json."))() == FAILED
    assert raising(KeyboardInterrupt())() == INTERRUPTED
    assert capsys.readouterr() == ("", "tiny has no config.json.\n\nstopped\n")


def test_open_holes_are_not_hidden() -> None:
    """An open hole in the learner's demo comes through."""
    with pytest.raises(NotImplementedError, match="load"):
        raising(NotImplementedError("load"))()


def test_working_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    """Off a terminal, work is announced by a plain line before and one after."""
    with working("Compiling"):
        assert capsys.readouterr().out == "Compiling …\n"
    assert re.fullmatch(r"Compiling: \d\.\d s\n", capsys.readouterr().out)


def test_bundled_model_is_whole() -> None:
    """The model in the repository can be read and has about two million parameters."""
    bundled = read(checkpoint.BUNDLED, "bundled")
    state = bundled.state_dict()
    sizes = {bundled.stored[name]: array.size for name, array in state.items()}
    assert 2.0e6 < sum(sizes.values()) == bundled.parameters < 2.5e6
