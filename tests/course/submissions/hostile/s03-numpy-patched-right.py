# hostile: the right solution, and NumPy's comparison patched
import numpy as np

np.allclose = lambda *args, **kwargs: True
np.testing.assert_allclose = lambda *args, **kwargs: None

from max.driver import CPU
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.weight = Tensor.ones([dim], dtype=DType.float32, device=CPU())
        self.bias = Tensor.zeros([dim], dtype=DType.float32, device=CPU())
        self.eps = eps

    def __call__(self, x):
        assert x is not None
        return F.layer_norm(x, self.weight, self.bias, self.eps)
