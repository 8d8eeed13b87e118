"""What a whole GPT-2 answers, in NumPy. The parent process alone imports it.

Sources: Radford et al. 2019, section 2.3; ``GPT2LMHeadModel`` in Hugging Face's
modeling_gpt2.py.
"""

import numpy as np

from tests.support.data import Array, Sizes, Weights
from tests.support.formulas import causal_mask, softmax
from tests.support.stand_ins import SIZES


def logits(ids: list[int], w: Weights, sizes: Sizes = SIZES) -> Array:
    """The logits after the last of ``ids``, float32 [V]; weights by the hub's names."""
    eps = sizes["layer_norm_epsilon"]
    x = w["wte.weight"][ids] + w["wpe.weight"][: len(ids)]
    for n in range(sizes["n_layer"]):
        own = {k.split(".", 2)[2]: v for k, v in w.items() if k.startswith(f"h.{n}.")}
        x = x + attention(norm(x, own, "ln_1", eps), own, sizes["n_head"])
        inner = gelu(conv1d(norm(x, own, "ln_2", eps), own, "mlp.c_fc"))
        x = x + conv1d(inner, own, "mlp.c_proj")
    last = norm(x[-1], w, "ln_f", eps)
    return np.asarray(last @ w["wte.weight"].T, np.float32)


def conv1d(x: Array, w: Weights, path: str) -> Array:
    """x W + b: the checkpoints have their matrices [in, out]."""
    return x @ w[f"{path}.weight"] + w[f"{path}.bias"]


def norm(x: Array, w: Weights, path: str, eps: float) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    normal = centred / np.sqrt(x.var(-1, keepdims=True) + eps)
    return normal * w[f"{path}.weight"] + w[f"{path}.bias"]


def gelu(x: Array) -> Array:
    return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))


def attention(x: Array, w: Weights, heads: int) -> Array:
    """Causal attention of several heads, [T, C] -> [T, C]."""
    tokens, channels = x.shape
    qkv = conv1d(x, w, "attn.c_attn").reshape(tokens, 3, heads, -1)
    q, k, v = qkv.transpose(1, 2, 0, 3)  # each [H, T, D]
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(channels // heads)
    heard = softmax(scores + causal_mask(tokens)) @ v
    merged = heard.transpose(1, 0, 2).reshape(tokens, channels)
    return conv1d(merged, w, "attn.c_proj")
