"""Step 4: what is asked of the learner's GPT2MLP, and the data it is asked with.

The sizes differ: C=12, the intermediate size 28 (the argument), n_inner 40, 4 C = 48.
GELU's two forms are at most 5e-4 apart, near 2.2 and 2.7 on both sides of zero: what
goes into GELU here reaches beyond 3.
"""

from typing import Any

from checker.worker.probe import Learner, array, tensor
from tests.support.data import SIZES, Array, Sizes, Weights, config, noise
from tests.support.layers import Layer

C, INNER = SIZES["n_embd"], 28


def weights(sizes: Sizes, prefix: str = "") -> Weights:
    """c_fc and c_proj, matrices as ``Linear`` stores them: [out, in]."""
    channels, inner = sizes["n_embd"], sizes["inner"]
    into, out = channels**-0.5, inner**-0.5
    return {
        f"{prefix}c_fc.weight": noise(f"{prefix}c_fc.w", inner, channels) * into,
        f"{prefix}c_fc.bias": noise(f"{prefix}c_fc.b", inner),
        f"{prefix}c_proj.weight": noise(f"{prefix}c_proj.w", channels, inner) * out,
        f"{prefix}c_proj.bias": noise(f"{prefix}c_proj.b", channels),
    }


def loud(sizes: Sizes) -> Array:
    return 2 * noise("x", sizes["batch"], sizes["tokens"], sizes["n_embd"])


def build(mlp: Learner, sizes: Sizes) -> Any:
    return mlp.GPT2MLP(sizes["inner"], config(**sizes))


layer = Layer(
    "GPT2MLP",
    build,
    weights,
    x=loud,
    sizes={"batch": 2, "tokens": 5, "n_embd": C, "inner": INNER},
    others={"batch": 3, "tokens": 19, "n_embd": 20, "n_head": 4, "inner": 3101},
    symbolic=(C,),
    extreme=lambda sizes: 50 * loud(sizes),
)
SQUARE: Sizes = {**layer.sizes, "inner": C}
"""As wide inside as outside: the layers can be swapped without an exception."""


def are_two_layers(mlp: Learner) -> bool:
    made = [build(mlp, sizes) for sizes in (layer.sizes, SQUARE)]
    return all(each.c_fc is not each.c_proj for each in made)


def square(mlp: Learner) -> Array:
    return array(layer.made(mlp, SQUARE)(tensor(loud(SQUARE))), "GPT2MLP(...)(...)")
