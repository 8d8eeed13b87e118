"""Loud data that the probes of several steps use, and the learner's configuration.

The worker imports this module: there is no right answer in it.
"""

import importlib
import os
import zlib
from typing import Any

import numpy as np

from checker import course

Array = np.ndarray
Weights = dict[str, Array]
Sizes = dict[str, Any]

SEED = int(os.environ.get(course.SEED, "0"))
"""All data is drawn from it. Both processes read it from their environment."""

SIZES: Sizes = {
    "vocab_size": 31,
    "n_positions": 17,
    "n_embd": 12,
    "n_layer": 2,
    "n_head": 3,
    "n_inner": 40,
    "layer_norm_epsilon": 0.1,
}
"""Small, and different from each other: sizes that are equal hide mistakes."""


def noise(name: str, *shape: int) -> Array:
    """Normal random numbers of order one, float32; the same for a name and shape."""
    seed = zlib.crc32(f"{name} {shape}".encode())
    generator = np.random.default_rng([seed, SEED] if SEED else seed)
    return generator.standard_normal(shape, np.float32)


def config(**sizes: Any) -> Any:
    """A GPT2Config of ``SIZES`` with some replaced (worker only: it is config.py's)."""
    known = {name: value for name, value in {**SIZES, **sizes}.items() if name in SIZES}
    return importlib.import_module("config").GPT2Config(**known)
