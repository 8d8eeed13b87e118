"""Step 3: what is asked of the learner's LayerNorm, and the data it is asked with.

An eps of 0.1 is loud beside variances from 0.001 to 4; the default of 1e-5 is asked for
with data whose variance is 1e-6.
"""

from typing import Any

import numpy as np

from checker.worker.probe import Learner, Unusable, array, fill, tensor
from tests.support.data import SIZES, Array, Sizes, Weights, noise
from tests.support.layers import Layer

C, EPS = SIZES["n_embd"], 0.1


def weights(sizes: Sizes, prefix: str = "") -> Weights:
    """Loud ones, in place of ones and zeros; every fifth weight is negative."""
    channels = sizes["n_embd"]
    sign = np.where(np.arange(channels) % 5 == 2, -1, 1).astype(np.float32)
    return {
        f"{prefix}weight": sign * (1 + noise(f"{prefix}ln.weight", channels) / 2),
        f"{prefix}bias": noise(f"{prefix}ln.bias", channels),
    }


def uneven(sizes: Sizes) -> Array:
    """Tokens of different variance, none around 0."""
    scales = np.geomspace(0.03, 2, sizes["tokens"], dtype=np.float32)[:, None]
    x = noise("x", sizes["batch"], sizes["tokens"], sizes["n_embd"])
    return x * scales + np.float32(0.7)


def extreme(sizes: Sizes) -> Array:
    """Values of several hundred, and a token whose features are all equal."""
    x = 300 * uneven(sizes)
    x[0, 0] = 0.7
    return x


def build(layernorm: Learner, sizes: Sizes) -> Any:
    return layernorm.LayerNorm(sizes["n_embd"], eps=sizes["layer_norm_epsilon"])


def values(value: Any, name: str) -> Array:
    if value is None:
        raise Unusable(f"{name} is None, not a MAX Tensor")
    return array(value, name)


layer = Layer(
    "LayerNorm",
    build,
    weights,
    x=uneven,
    sizes={"batch": 2, "tokens": 5, "n_embd": C, "layer_norm_epsilon": EPS},
    others={"batch": 3, "tokens": 37, "n_embd": 1000, "layer_norm_epsilon": 0.5},
    symbolic=(C,),
    look=values,
    extreme=extreme,
)
FAINT = noise("faint", 2, 5, C) / 1000


def starts_twice(layernorm: Learner) -> dict[str, list[Array]]:
    """What two new layers start with."""
    made = [build(layernorm, layer.sizes) for _ in "12"]
    return {
        name: [values(getattr(each, name), name) for each in made]
        for name in ("weight", "bias")
    }


def calls_by_default(layernorm: Learner) -> Array:
    made = fill(layernorm.LayerNorm(C), weights(layer.sizes))
    return array(made(tensor(FAINT)), "LayerNorm(...)(...)")
