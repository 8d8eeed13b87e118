"""Step 6: what is asked of the learner's GPT2Block, and the data it is asked with."""

from typing import Any

from checker.worker.probe import Learner, attribute
from tests.s03_layernorm import probes as norm
from tests.s04_mlp import probes as mlp
from tests.s05_attention import probes as attn
from tests.support.data import SIZES, Sizes, Weights, config
from tests.support.layers import Layer, features


def weights(sizes: Sizes, prefix: str = "") -> Weights:
    """All parameters of a block, matrices as ``Linear`` stores them: [out, in]."""
    inner = {**sizes, "inner": sizes["n_inner"]}
    return {
        **norm.weights(sizes, f"{prefix}ln_1."),
        **attn.weights(sizes, f"{prefix}attn."),
        **norm.weights(sizes, f"{prefix}ln_2."),
        **mlp.weights(inner, f"{prefix}mlp."),
    }


def build(block: Learner, sizes: Sizes) -> Any:
    return block.GPT2Block(config(**sizes))


layer = Layer(
    "GPT2Block",
    build,
    weights,
    sizes={"batch": 2, "tokens": 5, **SIZES},
    others={"batch": 3, "tokens": 37, "n_embd": 20, "n_head": 2, "n_inner": 90,
            "layer_norm_epsilon": 0.5},
    symbolic=(SIZES["n_embd"],),
    extreme=lambda sizes: 1e5 * features(sizes),
)  # fmt: skip


def are_two_norms(block: Learner) -> bool:
    made = build(block, layer.sizes)
    return attribute(made, "ln_1") is not attribute(made, "ln_2")
