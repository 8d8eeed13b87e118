"""TEMP"""
import numpy as np
from checker.table import Table
from tests.support.formulas import affine, causal_mask, softmax


def attention(x, w, heads, prefix=""):
    b, t, c = x.shape
    qkv = affine(x, w[f"{prefix}c_attn.weight"], w[f"{prefix}c_attn.bias"])
    q, k, v = (p.reshape(b, t, heads, -1).swapaxes(1, 2) for p in np.split(qkv, 3, -1))
    s = q @ k.swapaxes(-1, -2) * (c // heads) ** -0.5 + causal_mask(t)
    y = (softmax(s) @ v).swapaxes(1, 2).reshape(b, t, c)
    return affine(y, w[f"{prefix}c_proj.weight"], w[f"{prefix}c_proj.bias"]).astype(np.float32)


TABLE = Table(checks=(), uses=("config", "causal"))
