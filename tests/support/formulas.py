"""Small formulas that several oracles share. The parent process alone imports them."""

import numpy as np


def affine(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """x W^T + b, as ``Linear`` computes it; weight is [out, in]."""
    return x @ weight.T + bias


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """exp(x) / sum(exp(x)) along ``axis``; a row of -inf gives NaN, as in MAX."""
    with np.errstate(all="ignore"):
        exp = np.exp(x - x.max(axis, keepdims=True))
        return exp / exp.sum(axis, keepdims=True)


def causal_mask(rows: int, cached: int = 0) -> np.ndarray:
    """0 where column j <= row i + cached, -inf elsewhere, [rows, cached + rows]."""
    i, j = np.ogrid[:rows, : rows + cached]
    return np.where(j <= i + cached, 0.0, -np.inf).astype(np.float32)
