# mistake: the weight is added and the bias multiplied
# named: weight-and-bias-swapped
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.dim = dim
        self.eps = eps
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])

    def __call__(self, x):
        c = x - F.mean(x)
        c = c * F.rsqrt(F.mean(c * c) + self.eps)
        return c * self.bias + self.weight
