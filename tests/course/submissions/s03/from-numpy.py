# right: parameters from NumPy arrays, standardize as a function of the module
import numpy as np
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


def standardize(x, eps):
    x = x - F.mean(x, axis=-1)
    return x / (F.mean(x * x, axis=-1) + eps) ** 0.5


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.weight = Tensor.from_dlpack(np.ones(dim, dtype=np.float32))
        self.bias = Tensor.from_dlpack(np.zeros(dim, dtype=np.float32))
        self.eps = eps

    def __call__(self, x):
        y = standardize(x, self.eps)
        y = y * self.weight
        y = y + self.bias
        return y
