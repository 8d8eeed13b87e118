# right: module_dataclass with its own __init__
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module, module_dataclass


@module_dataclass
class LayerNorm(Module):
    weight: Tensor
    bias: Tensor
    eps: float = 1e-5

    def __init__(self, dim, *, eps=1e-5):
        self.weight = Tensor.constant([1.0] * dim)
        self.bias = Tensor.constant([0.0] * dim)
        self.eps = eps

    def __call__(self, x):
        return F.layer_norm(x, self.weight, self.bias, self.eps)
