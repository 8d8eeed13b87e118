"""Find a GPT-2 checkpoint and read it: huggingface_hub and safetensors, no PyTorch.

Two layouts are read. The file on the hub names its tensors ``h.0.ln_1.weight``, holds
the attention masks as buffers (``h.0.attn.bias``) and has no ``lm_head.weight``, which
is ``wte.weight``; ``save_pretrained`` puts ``transformer.`` before the names, and
divides a large model into several files, with an index. The state dict that comes out
has the names of a live ``GPT2LMHeadModel``.
"""

import errno
import json
import math
import sys
import threading
from collections import UserDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import psutil
from safetensors import SafetensorError, safe_open

DEFAULT = "openai-community/gpt2"
BUNDLED = Path(__file__).resolve().parent / "austen"

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
"""Which file has which tensor, where there are several."""
FILES = (CONFIG, "vocab.json", "merges.txt", WEIGHTS)
CONV1D = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
"""What Hugging Face stores the other way round, [in, out]."""
WORKING = 0.7e9
"""Bytes of memory that MAX, Python and the results of a model take besides weights."""

# The demo should answer within 10 s, and importing MAX takes up to 5 of them.
PATIENCE = 3.0

T = TypeVar("T")
Shape = tuple[int, ...]
Sizes = dict[str, Any]


class CheckpointError(Exception):
    """A checkpoint is missing or unreadable; the message is meant for the screen."""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that has been found and fits its own config.

    Attributes:
        name: what to call it on the screen.
        folder: where its four files are, for the tokenizer.
        config: the sizes, by the names of ``GPT2Config``.
        stored: for each tensor of a ``GPT2LMHeadModel`` its file, and its name there.
    """

    name: str
    folder: Path
    config: Sizes
    stored: dict[str, tuple[str, str]]

    @property
    def parameters(self) -> int:
        """How many, the tied head not counted."""
        shapes = expected(self.config)
        del shapes["lm_head.weight"]
        return sum(math.prod(shape) for shape in shapes.values())

    @property
    def tied(self) -> bool:
        """Whether the head is the embedding of tokens."""
        return self.stored["lm_head.weight"] == self.stored["transformer.wte.weight"]

    @property
    def memory(self) -> float:
        """Bytes that a program with this model needs: its weights in float32, and a
        head of its own where it is not tied."""
        head = math.prod(expected(self.config)["lm_head.weight"])
        return 4.0 * (self.parameters + (0 if self.tied else head)) + WORKING

    @property
    def summary(self) -> str:
        """Layers, heads and the number of parameters, the tied head not counted."""
        layers, heads = self.config["n_layer"], self.config["n_head"]
        millions = f"{self.parameters / 1e6:.1f} million parameters"
        return f"{layers} layers, {heads} heads, {millions}"

    def state_dict(self) -> "StateDict":
        """The tensors by Hugging Face's names; Conv1D weights are [in, out]."""
        return StateDict(self)


class StateDict(UserDict[str, Any]):
    """Reads each tensor when it is asked for, so that none is held longer than it is
    used. A tensor that has two names, as a tied head has, is one array."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.folder = checkpoint.folder
        self.held: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()
        super().__init__(checkpoint.stored)

    def __getitem__(self, name: str) -> Any:
        """A NumPy array; what was put in instead of one is given back as it is."""
        stored = self.data[name]
        if not isinstance(stored, tuple):
            return stored
        if (array := self.held.get(stored)) is None:
            file, key = stored
            with safe_open(self.folder / file, framework="numpy") as opened:
                array = self.held[stored] = opened.get_tensor(key)
        return array

    def __or__(self, other: Any) -> Any:
        return dict(self) | dict(other)

    def __ror__(self, other: Any) -> Any:
        return dict(other) | dict(self)


def open_checkpoint(model: str) -> Checkpoint:
    """The checkpoint of a folder or of a name on the hub.

    When the default is not available, a line says why, and the bundled model is used.

    Raises:
        CheckpointError: there is none, it is damaged, or this machine's memory is too
            small for it.
    """
    found = _find(model)
    needed = f"{found.memory / 1e9:.1f} GB of memory"
    print(f"Loading {found.name}: {found.summary}, {needed}", flush=True)
    free = psutil.virtual_memory().available
    if free < found.memory:
        raise CheckpointError(
            f"{found.name} needs {needed}, and {free / 1e9:.1f} GB are free. "
            f"Close other programs, or take a smaller model: {', '.join(SMALLER)}."
        )
    return found


SMALLER = (DEFAULT, "distilgpt2", f"models/{BUNDLED.name}")


def _find(model: str) -> Checkpoint:
    if Path(model).is_dir():
        return read(Path(model), model)
    try:
        return read(fetch(model), model)
    except CheckpointError as error:
        if model != DEFAULT:
            raise
        print(f"{error} Using the bundled model, models/{BUNDLED.name}.")
        return read(BUNDLED, f"models/{BUNDLED.name}")


# From the hub


def fetch(name: str) -> Path:
    """The folder in Hugging Face's cache with the files of a model, which are
    downloaded if they are not there yet."""
    if folder := _cached(name):
        return folder
    try:
        return _download(name)
    except CheckpointError:
        raise
    except Exception as error:  # whatever it is, the demo says it in a sentence
        where = "" if name == DEFAULT else " is not a folder here and"
        raise CheckpointError(
            f"{name}{where} is not available: {_reason(error)}."
        ) from error


def _cached(name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    def cached(file: str) -> Path | None:
        found = try_to_load_from_cache(name, file)
        return Path(found) if isinstance(found, str) else None

    try:
        index = None if cached(WEIGHTS) else cached(INDEX)
    except HFValidationError:
        raise CheckpointError(
            f"{name!r} is neither a folder nor the name of a model on the hub."
        ) from None
    weights = set(_index(index).values()) if index else {WEIGHTS}
    found = [cached(file) for file in (*FILES[:-1], *weights)]
    folders = {path.parent for path in found if path}
    return folders.pop() if len(folders) == 1 and all(found) else None


def _download(name: str) -> Path:
    """Download the config first: it shows whether there is a network."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    if not sys.stderr.isatty():
        disable_progress_bars()
    print(f"Asking the Hugging Face hub for {name} …", flush=True)
    config = within(PATIENCE, lambda: hub_config(name))
    print(f"Downloading {name} (GPT-2 small is 550 MB) …", flush=True)
    for file in FILES[:-1]:
        hf_hub_download(name, file)
    try:
        hf_hub_download(name, WEIGHTS)
    except EntryNotFoundError:  # in several files, perhaps
        index = _index(Path(hf_hub_download(name, INDEX)))
        for file in sorted(set(index.values())):
            hf_hub_download(name, file)
    return config.parent


def hub_config(name: str) -> Path:
    """Ask the hub once, and download the model's ``config.json`` if it answers.

    ``hf_hub_download`` alone would keep trying for half a minute without a network.
    """
    from huggingface_hub import hf_hub_download, hf_hub_url
    from huggingface_hub.utils import (  # type: ignore[attr-defined]
        get_session,
        hf_raise_for_status,
    )
    from huggingface_hub.utils.logging import set_verbosity_error

    set_verbosity_error()  # type: ignore[no-untyped-call]
    hf_raise_for_status(get_session().head(hf_hub_url(name, CONFIG), timeout=PATIENCE))
    return Path(hf_hub_download(name, CONFIG))


def within(seconds: float, ask: Callable[[], T]) -> T:
    """The answer of ``ask``, or TimeoutError: a network may never answer."""
    answers: list[T] = []
    faults: list[Exception] = []

    def run() -> None:
        try:
            answers.append(ask())
        except Exception as error:
            faults.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if faults:
        raise faults[0]
    if not answers:
        raise TimeoutError(f"no answer within {seconds:.0f} s")
    return answers[0]


def _reason(error: Exception) -> str:
    """Why a download failed, in words."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError | errors.RepositoryNotFoundError):
        return "the hub has no such model, or it is not public"
    if isinstance(error, errors.LocalEntryNotFoundError | ConnectionError):
        return "the hub cannot be reached"
    if isinstance(error, errors.EntryNotFoundError):
        return f"it lacks one of the files {', '.join(FILES)}"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full"
    if isinstance(error, TimeoutError):
        return f"the hub cannot be reached ({error})"
    if isinstance(error, errors.HfHubHTTPError):
        return f"the hub refused ({str(error).splitlines()[0]})"
    if isinstance(error, OSError) and error.errno is None:  # requests' own errors
        return "the hub cannot be reached"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


# From a folder


def read(folder: Path, name: str) -> Checkpoint:
    """Check a folder's files against each other.

    Raises:
        CheckpointError: a file is missing or damaged, the model is no GPT-2, or a
            tensor is missing or of another shape than the config says.
    """
    sharded = (folder / INDEX).is_file() and not (folder / WEIGHTS).is_file()
    files = sorted(set(_index(folder / INDEX).values())) if sharded else [WEIGHTS]
    for file in (*FILES[:-1], *files):
        if not (folder / file).is_file():
            raise CheckpointError(f"{name} has no {file}.")
    config = sizes(folder / CONFIG)
    return Checkpoint(
        name, folder, config, _match(_shapes(folder, files), config, name)
    )


def _index(path: Path) -> dict[str, str]:
    """Tensor -> the name of its file, which is in the same folder."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        files = {str(name): str(file) for name, file in found.items()}
    except (ValueError, OSError, LookupError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} cannot be read: {error!r}.") from error
    if strange := [file for file in files.values() if Path(file).name != file]:
        raise CheckpointError(f"{path} names {strange[0]}, which is no file beside it.")
    return files


def sizes(path: Path) -> Sizes:
    """The sizes in Hugging Face's ``config.json``, by the names of ``GPT2Config``."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}.") from error
    if not isinstance(config, dict) or config.get("model_type") != "gpt2":
        raise CheckpointError(f"{path} is not the config of a GPT-2.")
    found = {key: config[key] for key in _SIZES if isinstance(config.get(key), int)}
    if missing := [key for key in _SIZES if found.get(key, 0) < 1]:
        raise CheckpointError(f"{path}: {missing[0]} is missing or not positive.")
    if found["n_embd"] % found["n_head"]:
        raise CheckpointError(
            f"{path}: n_head cannot be {found['n_head']}, because n_embd = "
            f"{found['n_embd']} is not divisible by it."
        )
    _check_variant(path, config)
    found["n_inner"] = config.get("n_inner") or 4 * found["n_embd"]
    return {**found, "layer_norm_epsilon": config.get("layer_norm_epsilon", 1e-5)}


_SIZES = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head")

# What the course's model computes. A checkpoint that was trained with something else
# would load and then write nonsense.
_VARIANT = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
}


def _check_variant(path: Path, config: dict[str, Any]) -> None:
    for key, allowed in _VARIANT.items():
        if (value := config.get(key, allowed[0])) not in allowed:
            raise CheckpointError(
                f"{path}: {key} = {value} is not supported; GPT-2 has {allowed[0]}."
            )


def _shapes(folder: Path, files: list[str]) -> dict[str, tuple[str, Shape]]:
    """The tensors in the files, by the name they have there: file and shape."""
    found = {}
    for file in files:
        try:
            with safe_open(folder / file, framework="numpy") as opened:
                for name in opened.keys():  # noqa: SIM118  (no dictionary)
                    found[name] = file, tuple(opened.get_slice(name).get_shape())
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{folder / file} is damaged ({error}); download it again."
            ) from error
    return found


def _match(
    stored: dict[str, tuple[str, Shape]], config: Sizes, name: str
) -> dict[str, tuple[str, str]]:
    """For each tensor that GPT-2 has, the one in a file; both layouts, tied head."""
    full = {
        key if key.startswith(_PREFIXES) else f"transformer.{key}": key
        for key in stored
    }
    full.setdefault("lm_head.weight", full.get("transformer.wte.weight", ""))
    wanted = expected(config)
    for key, shape in wanted.items():
        if key not in full or full[key] not in stored:
            raise CheckpointError(f"{name} lacks the tensor {key}.")
        if (got := stored[full[key]][1]) != shape:
            raise CheckpointError(
                f"{name}: {key} has shape {list(got)}, "
                f"but its config.json says {list(shape)}."
            )
    return {key: (stored[full[key]][0], full[key]) for key in wanted}


_PREFIXES = ("transformer.", "lm_head.")


def expected(config: Sizes) -> dict[str, Shape]:
    """Name and shape of each tensor of a ``GPT2LMHeadModel`` with these sizes."""
    c, inner, vocabulary = config["n_embd"], config["n_inner"], config["vocab_size"]
    block: dict[str, Shape] = {
        "ln_1.weight": (c,),
        "ln_1.bias": (c,),
        "attn.c_attn.weight": (c, 3 * c),
        "attn.c_attn.bias": (3 * c,),
        "attn.c_proj.weight": (c, c),
        "attn.c_proj.bias": (c,),
        "ln_2.weight": (c,),
        "ln_2.bias": (c,),
        "mlp.c_fc.weight": (c, inner),
        "mlp.c_fc.bias": (inner,),
        "mlp.c_proj.weight": (inner, c),
        "mlp.c_proj.bias": (c,),
    }
    return {
        "transformer.wte.weight": (vocabulary, c),
        "transformer.wpe.weight": (config["n_positions"], c),
        **{
            f"transformer.h.{layer}.{key}": shape
            for layer in range(config["n_layer"])
            for key, shape in block.items()
        },
        "transformer.ln_f.weight": (c,),
        "transformer.ln_f.bias": (c,),
        "lm_head.weight": (vocabulary, c),
    }
