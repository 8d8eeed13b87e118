"""Checkpoints for steps 8 and 10, and what a tokenizer answers: byte-level BPE.

Two vocabularies, so that a file which loads another one than it was told is seen:
the bundled one (``models/austen``) and one of 259 tokens, which stands for
``openai-community/gpt2`` on a Hugging Face hub that is a folder in the scratch
directory. Nothing here needs a network, and the learner's own cache is left alone.

Sources: Sennrich et al. 2016, arXiv:1508.07909; Radford et al. 2019, section 2.2;
``GPT2Tokenizer`` in Hugging Face's tokenization_gpt2.py.
"""

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from checker.probe import replaced

from checker.table import ROOT
from tests.common import affine, noise
from tests.s05_attention import attention

BUNDLED = ROOT / "models" / "austen"
DEFAULT = "openai-community/gpt2"
END = "<|endoftext|>"

# Contractions, letters, digits, other signs: each with the space before it; spaces.
PIECES = re.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+"
)


def _letters() -> dict[int, str]:
    """GPT-2 writes a byte as a letter: itself where printable, else 256 and up."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    codes = {byte: byte for byte in printable}
    codes |= {byte: 256 + number for number, byte in enumerate(others)}
    return {byte: chr(code) for byte, code in codes.items()}


LETTERS = _letters()
BYTES = {letter: byte for byte, letter in LETTERS.items()}


@dataclass(frozen=True)
class Bpe:
    """A byte-level BPE vocabulary: token -> id, and pairs -> rank of their merge."""

    vocab: dict[str, int]
    ranks: dict[tuple[str, str], int]
    known: dict[str, list[int]] = field(default_factory=dict)

    def encode(self, text: str) -> list[int]:
        return [one for piece in PIECES.findall(text) for one in self._piece(piece)]

    def _piece(self, piece: str) -> list[int]:
        if piece not in self.known:
            tokens = self._merge([LETTERS[byte] for byte in piece.encode()])
            self.known[piece] = [self.vocab[token] for token in tokens]
        return self.known[piece]

    def _merge(self, parts: list[str]) -> list[str]:
        while len(parts) > 1:
            pairs = list(pairwise(parts))
            best = min(pairs, key=lambda pair: self.ranks.get(pair, 1 << 30))
            if best not in self.ranks:
                return parts
            at = pairs.index(best)
            parts = [*parts[:at], "".join(best), *parts[at + 2 :]]
        return parts

    def tokens(self, ids: list[int]) -> list[str]:
        """As they stand in the vocabulary, with Ġ for a space."""
        token_of = {number: token for token, number in self.vocab.items()}
        return [token_of[number] for number in ids]

    def decode(self, ids: list[int], errors: str = "replace") -> str:
        letters = "".join(self.tokens(ids))
        return bytes(BYTES[letter] for letter in letters).decode("utf-8", errors)


@cache
def bundled() -> Bpe:
    vocab = json.loads((BUNDLED / "vocab.json").read_text(encoding="utf-8"))
    lines = (BUNDLED / "merges.txt").read_text(encoding="utf-8").splitlines()
    pairs = [tuple(line.split()) for line in lines if not line.startswith("#version")]
    return Bpe(vocab, {pair: rank for rank, pair in enumerate(pairs)})  # type: ignore[misc]


@cache
def other() -> Bpe:
    """The vocabulary on the stand-in hub: 256 bytes, two merges, the end of text."""
    pairs = [("t", "h"), ("th", "e")]
    tokens = [*LETTERS.values(), *map("".join, pairs), END]
    vocab = {token: number for number, token in enumerate(tokens)}
    return Bpe(vocab, {pair: rank for rank, pair in enumerate(pairs)})


# The hub, in the worker only.


@contextmanager
def hub() -> Iterator[None]:
    """For a while, the Hugging Face cache holds DEFAULT and nothing else, offline."""
    folder = _hub(os.getcwd())
    import huggingface_hub.constants as constants

    places = [(constants, "HF_HUB_CACHE"), (constants, "HUGGINGFACE_HUB_CACHE")]
    if "transformers.utils.hub" in sys.modules:
        places.append((sys.modules["transformers.utils.hub"], "TRANSFORMERS_CACHE"))
    with ExitStack() as stack:
        for owner, name in places:
            stack.enter_context(replaced(owner, name, folder))
        # transformers reads these when it is imported
        changed = {"HF_HUB_CACHE": folder, "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1"}
        before = {name: os.environ.get(name) for name in changed}
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
        files = model / "snapshots" / ("0" * 40)
        files.mkdir(parents=True, exist_ok=True)
        (model / "refs").mkdir(exist_ok=True)
        (model / "refs" / "main").write_text("0" * 40)
        write_checkpoint(files, other(), HUB_SIZES)
    return str(root)


def write_vocabulary(folder: Path, bpe: Bpe) -> None:
    (folder / "vocab.json").write_text(json.dumps(bpe.vocab), encoding="utf-8")
    pairs = "".join(f"{a} {b}\n" for a, b in bpe.ranks)
    (folder / "merges.txt").write_text(f"#version: 0.2\n{pairs}", encoding="utf-8")


# Whole checkpoints, with random weights.

Sizes = dict[str, Any]
Weights = dict[str, np.ndarray]

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
    """Random numbers of order one, matrices of order one half; always the same."""
    return {
        name: noise(f"tiny {name}", *shape) / np.float32(len(shape))
        for name, shape in shapes(sizes).items()
    }


@cache
def tiny(scratch: str) -> str:
    """The folder of a checkpoint of SIZES with the bundled vocabulary."""
    folder = Path(scratch) / "tiny"
    folder.mkdir(exist_ok=True)
    write_checkpoint(folder, bundled(), SIZES)
    return str(folder)


def write_checkpoint(folder: Path, bpe: Bpe, sizes: Sizes) -> None:
    """The four files. The tensors are there by both sets of names.

    The hub's file says ``wte.weight``, ``save_pretrained`` ``transformer.wte.weight``.
    Neither holds ``lm_head.weight``: it is ``wte.weight``.
    """
    write_vocabulary(folder, bpe)
    config = {
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "n_ctx": sizes["n_positions"],
        "bos_token_id": bpe.vocab[END],
        "eos_token_id": bpe.vocab[END],
        **sizes,
    }
    (folder / "config.json").write_text(json.dumps(config))
    own = weights(sizes)
    both = own | {f"transformer.{name}": own[name] for name in own}
    (folder / "model.safetensors").write_bytes(safetensors(both))


def safetensors(tensors: Weights) -> bytes:
    """The bytes of a safetensors file: the header's length, the header, the data."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, value in tensors.items():
        ends = [at, at := at + value.nbytes]
        shape = list(value.shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": ends}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    data = b"".join(value.tobytes() for value in tensors.values())
    return len(text).to_bytes(8, "little") + text + data


def norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, eps: float) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt(x.var(-1, keepdims=True) + eps) * weight + bias


def gelu(x: np.ndarray) -> np.ndarray:
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def logits(ids: list[int], w: Weights, sizes: Sizes = SIZES) -> np.ndarray:
    """GPT-2's logits after the last of ``ids``, float32 [V], from weights as above."""
    eps = sizes["layer_norm_epsilon"]
    x = w["wte.weight"][ids] + w["wpe.weight"][: len(ids)]
    for n in range(sizes["n_layer"]):
        own = {k.split(".", 2)[2]: v for k, v in w.items() if k.startswith(f"h.{n}.")}
        linear = {k: v.T for k, v in own.items()}  # [in, out] -> [out, in]
        attn = {k[5:]: v for k, v in linear.items() if k.startswith("attn.")}
        y = norm(x, own["ln_1.weight"], own["ln_1.bias"], eps)
        x = x + attention(y[None], attn, sizes["n_head"])[0]
        y = norm(x, own["ln_2.weight"], own["ln_2.bias"], eps)
        y = gelu(affine(y, linear["mlp.c_fc.weight"], own["mlp.c_fc.bias"]))
        x = x + affine(y, linear["mlp.c_proj.weight"], own["mlp.c_proj.bias"])
    last = norm(x[-1], w["ln_f.weight"], w["ln_f.bias"], eps)
    return np.asarray(last @ w["wte.weight"].T, np.float32)
