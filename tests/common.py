"""What several tables need: loud data, the learner's configuration, small formulas."""

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from checker.compare import same
from checker.table import Mistake

SIZES = {
    "vocab_size": 31,
    "n_positions": 17,
    "n_embd": 12,
    "n_layer": 2,
    "n_head": 3,
    "n_inner": 40,
    "layer_norm_epsilon": 0.1,
}
"""Small, and different from each other: sizes that are equal hide mistakes."""


NO_RETURN = Mistake(
    "nothing-returned",
    "It ends without a `return`: what it computed is lost.",
    raises="is None: is a `return` missing",
)


def name_missing(name: str) -> Mistake:
    """The mistake of a file without one of its public names."""
    return Mistake(
        "name-missing",
        f"The file offers nothing called `{name}`; other files look for this name.",
        raises=rf"^Unusable: \w+\.py has no `{name}`",
    )


def new_layers(calls_twice: Callable[[Any], list[np.ndarray]]) -> Mistake:
    """The mistake of making layers in the call: two calls on one input differ."""
    return Mistake(
        "new-layers",
        "Two calls on one input differ: the call makes new random layers.",
        probe=calls_twice,
        recognise=lambda got: not same(got[0], got[1], 1e-3),
    )


def noise(name: str, *shape: int) -> np.ndarray:
    """Normal random numbers of order one, float32; the same for a name and shape."""
    seed = zlib.crc32(f"{name} {shape}".encode())
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def config(**sizes: Any) -> Any:
    """A GPT2Config of ``SIZES`` with some replaced (worker only: it is config.py's)."""
    import importlib

    return importlib.import_module("config").GPT2Config(**{**SIZES, **sizes})


def affine(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """x W^T + b, as ``Linear`` computes it; weight is [out, in]."""
    return x @ weight.T + bias


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """exp(x) / sum(exp(x)) along ``axis``; a row of -inf gives NaN, as in MAX."""
    with np.errstate(all="ignore"):
        exp = np.exp(x - x.max(axis, keepdims=True))
        return exp / exp.sum(axis, keepdims=True)
