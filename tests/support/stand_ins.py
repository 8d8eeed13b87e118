"""Checkpoints for steps 8 and 10, and a Hugging Face hub that is a folder.

There are two vocabularies, so that a file which loads another one than it was told is
seen: the bundled one (``models/austen``) and one of 259 tokens, which stands in for
``openai-community/gpt2``. Nothing here needs a network, and the learner's own cache is
left alone. The worker imports this module: what a tokenizer or a model answers is in
``bpe.py`` and ``gpt2.py``, for the parent process.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from checker.course import ROOT
from checker.worker.probe import replaced
from tests.support.data import Sizes, Weights, noise

BUNDLED = ROOT / "models" / "austen"
DEFAULT = "openai-community/gpt2"
END = "<|endoftext|>"
REVISION = "0" * 40

SIZES: Sizes = {
    "vocab_size": 2048,
    "n_positions": 320,
    "n_embd": 12,
    "n_layer": 1,
    "n_head": 3,
    "n_inner": 40,
    "layer_norm_epsilon": 0.01,
}
HUB_SIZES: Sizes = {
    "vocab_size": 259,
    "n_positions": 288,
    "n_embd": 8,
    "n_layer": 2,
    "n_head": 4,
    "n_inner": 36,
    "layer_norm_epsilon": 0.02,
}


def _letters() -> dict[int, str]:
    """GPT-2 writes a byte as a letter: itself where printable, else 256 and up."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    codes = {byte: byte for byte in printable}
    codes |= {byte: 256 + number for number, byte in enumerate(others)}
    return {byte: chr(code) for byte, code in codes.items()}


LETTERS = _letters()
HUB_MERGES = (("t", "h"), ("th", "e"))
HUB_VOCABULARY = {
    token: number
    for number, token in enumerate([*LETTERS.values(), *map("".join, HUB_MERGES), END])
}
"""256 bytes, two merges, the end of text."""


@contextmanager
def hub() -> Iterator[None]:
    """For a while, the Hugging Face cache holds DEFAULT and nothing else, offline."""
    folder = _hub(os.getcwd())
    import huggingface_hub.constants as constants

    places = [(constants, "HF_HUB_CACHE"), (constants, "HUGGINGFACE_HUB_CACHE")]
    if "transformers.utils.hub" in sys.modules:
        places.append((sys.modules["transformers.utils.hub"], "TRANSFORMERS_CACHE"))
    # transformers reads these when it is imported
    changed = {"HF_HUB_CACHE": folder, "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1"}
    before = {name: os.environ.get(name) for name in changed}
    with ExitStack() as stack:
        for owner, name in places:
            stack.enter_context(replaced(owner, name, folder))
        os.environ.update(changed)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


@cache
def _hub(scratch: str) -> str:
    root = Path(scratch) / "hub"
    for name in (DEFAULT, "gpt2"):  # the hub forwards the old name to the new one
        model = root / f"models--{name.replace('/', '--')}"
        files = model / "snapshots" / REVISION
        files.mkdir(parents=True, exist_ok=True)
        (model / "refs").mkdir(exist_ok=True)
        (model / "refs" / "main").write_text(REVISION)
        (files / "vocab.json").write_text(json.dumps(HUB_VOCABULARY), encoding="utf-8")
        pairs = "".join(f"{one} {other}\n" for one, other in HUB_MERGES)
        (files / "merges.txt").write_text(f"#version: 0.2\n{pairs}", encoding="utf-8")
        write_model(files, HUB_SIZES)
    return str(root)


@cache
def tiny(scratch: str) -> str:
    """The folder of a checkpoint of SIZES with the bundled vocabulary."""
    folder = Path(scratch) / "tiny"
    folder.mkdir(exist_ok=True)
    for name in ("vocab.json", "merges.txt"):
        shutil.copyfile(BUNDLED / name, folder / name)
    write_model(folder, SIZES)
    return str(folder)


def shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """By the names on Hugging Face's hub and in its layouts: Conv1D is [in, out]."""
    c, inner = sizes["n_embd"], sizes["n_inner"]
    layer = {
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
    layers = range(sizes["n_layer"])
    return {
        "wte.weight": (sizes["vocab_size"], c),
        "wpe.weight": (sizes["n_positions"], c),
        **{f"h.{n}.{name}": shape for n in layers for name, shape in layer.items()},
        "ln_f.weight": (c,),
        "ln_f.bias": (c,),
    }


def weights(sizes: Sizes = SIZES) -> Weights:
    """Random numbers, the same for the same data.

    Loud positions and tokens of one length: the most likely next token is another one
    at each position. It is of the vocabulary's second half, numbers that a demo does
    not print by chance.
    """
    made = {name: noise(f"tiny {name}", *size) for name, size in shapes(sizes).items()}
    for name, value in made.items():
        value *= 0.1 if name.endswith("bias") else 1 / value.ndim
    tokens = made["wte.weight"]
    tokens *= 1.75 / np.linalg.norm(tokens, axis=1, keepdims=True)
    tokens[: len(tokens) // 2] *= 0.4
    made["wpe.weight"] *= 4
    made["ln_f.weight"] = np.sign(made["ln_f.weight"]) + 0.3 * made["ln_f.weight"]
    return made


def write_model(folder: Path, sizes: Sizes) -> None:
    """A model's configuration and its tensors, by both sets of names.

    The hub's file says ``wte.weight``, ``save_pretrained`` ``transformer.wte.weight``.
    Neither holds ``lm_head.weight``: it is ``wte.weight``.
    """
    from safetensors.numpy import save_file

    end = sizes["vocab_size"] - 1
    config: dict[str, Any] = {
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "n_ctx": sizes["n_positions"],
        "bos_token_id": end,
        "eos_token_id": end,
        **sizes,
    }
    (folder / "config.json").write_text(json.dumps(config))
    own = weights(sizes)
    both = own | {f"transformer.{name}": own[name] for name in own}
    save_file(both, folder / "model.safetensors", {"format": "pt"})
