"""TEMP"""
from tests.support.data import Sizes, Weights, noise


def weights(sizes: Sizes, prefix: str = "") -> Weights:
    channels = sizes["n_embd"]
    width = channels**-0.5
    return {
        f"{prefix}c_attn.weight": noise(f"{prefix}qkv", 3 * channels, channels) * width,
        f"{prefix}c_attn.bias": noise(f"{prefix}qkv.b", 3 * channels) / 2,
        f"{prefix}c_proj.weight": noise(f"{prefix}proj", channels, channels) * width,
        f"{prefix}c_proj.bias": noise(f"{prefix}proj.b", channels),
    }
