"""Weights of 4 bits: Q4_0, as llama.cpp's GGUF files have them.

A block of 32 weights shares one scale d, a float16, and each weight is a code from 0 to
15 that stands for (code - 8) d: 18 bytes instead of 128. `ops.qmatmul` multiplies with
them without unpacking. Packed once, they are kept in the user's cache folder, and read
without the float32 weights.
Source: `quantize_row_q4_0_ref` in llama.cpp's ggml-quants.c.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import ops
from max.graph.quantization import QuantizationEncoding
from max.nn.module_v3 import Linear, Module

from models.checkpoint import CONV1D, Checkpoint

BLOCK = 32
_qmatmul = F.functional(ops.qmatmul)


class QuantizedLinear(Module):
    """A `Linear` with packed weights, uint8 [out, in / 32 * 18].

    Args:
        packed: the weights, rows padded with zeros to a multiple of 32.
        out: how many rows there are without padding.
        bias: float32 [out], or None.
    """

    def __init__(self, packed: np.ndarray, out: int, bias: np.ndarray | None) -> None:
        self.weight = Tensor.from_dlpack(packed)
        self.out = out
        self.bias = None if bias is None else Tensor.from_dlpack(bias)

    def __call__(self, x: Tensor) -> Tensor:
        """float32 [..., in] -> [..., out]."""
        y = _qmatmul(QuantizationEncoding.Q4_0, None, x, self.weight)
        if int(y.shape[-1]) != self.out:
            y = y[..., : self.out]
        return y if self.bias is None else y + self.bias


def pack_q4_0(weights: np.ndarray) -> np.ndarray:
    """float32 [out, in] -> uint8 [out, in / 32 * 18], rows padded to a multiple of 32.

    Raises ValueError where the rows are no multiple of 32 long.
    """
    if weights.shape[1] % BLOCK:
        raise ValueError(f"rows of {weights.shape[1]} are no multiple of {BLOCK}")
    rows = np.pad(weights, ((0, -len(weights) % BLOCK), (0, 0)))
    blocks = rows.reshape(-1, BLOCK)
    largest = np.abs(blocks).argmax(-1)[:, None]
    d = np.take_along_axis(blocks, largest, -1) / -8
    inverse = np.divide(1, d, out=np.zeros_like(d), where=d != 0)
    codes = np.clip(np.trunc(blocks * inverse + 8.5), 0, 15).astype(np.uint8)
    halves = codes[:, : BLOCK // 2] | codes[:, BLOCK // 2 :] << 4
    packed = np.concatenate([d.astype(np.float16).view(np.uint8), halves], 1)
    return packed.reshape(len(rows), -1)


def unpack_q4_0(packed: np.ndarray, out: int) -> np.ndarray:
    """What the packed weights stand for, float32 [out, in]."""
    blocks = packed.reshape(-1, 2 + BLOCK // 2)
    d = np.ascontiguousarray(blocks[:, :2]).view(np.float16).astype(np.float32)
    codes = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], 1)
    return ((codes.astype(np.float32) - 8) * d).reshape(len(packed), -1)[:out]


def packed_file(checkpoint: Checkpoint) -> Path:
    """The packed weights of a checkpoint; made where there are none, or older ones."""
    from safetensors.numpy import save_file

    source = checkpoint.folder.stat().st_mtime_ns
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    name = f"{checkpoint.folder.name}-{source:x}-q4_0.safetensors"
    path = cache / "gpt2-with-max" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}")
        try:
            save_file(_packed(checkpoint), partial)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    return path


def _packed(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    state = checkpoint.state_dict()
    packed = {}
    for name, array in state.items():
        linear = name.endswith(CONV1D) or name == "lm_head.weight"
        weights = array.T if name.endswith(CONV1D) else array
        packed[name] = pack_q4_0(np.asarray(weights, np.float32)) if linear else array
    return packed


def load_packed(model: Any, checkpoint: Checkpoint) -> None:
    """Put the packed weights of a checkpoint into a MaxGPT2Model: each `Linear` becomes
    a `QuantizedLinear`, all else is float32."""
    from safetensors import safe_open

    with safe_open(packed_file(checkpoint), "numpy") as file:
        names = {*file.keys()}
        for path, layer in list(model.descendants):
            if isinstance(layer, Linear):
                out = int(layer.weight.shape[0])
                bias = f"{path}.bias"
                own = file.get_tensor(bias) if bias in names else None
                made = QuantizedLinear(file.get_tensor(f"{path}.weight"), out, own)
                _put(model, path, made)
        rest = {
            name: Tensor.from_dlpack(file.get_tensor(name))
            for name, parameter in model.parameters
            if not hasattr(_owner(model, name), "out")
        }
    for name, tensor in rest.items():
        _put(model, name, tensor)


def _owner(model: Any, path: str) -> Any:
    for name in path.split(".")[:-1]:
        model = model[int(name)] if name.isdigit() else getattr(model, name)
    return model


def _put(model: Any, path: str, value: Module | Tensor) -> None:
    setattr(_owner(model, path), path.rpartition(".")[2], value)
