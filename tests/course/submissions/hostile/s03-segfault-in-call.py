# hostile: writes to address 0 in a call
import ctypes

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
        ctypes.memset(0, 1, 8)
        return F.layer_norm(x, self.weight, self.bias, self.eps)
