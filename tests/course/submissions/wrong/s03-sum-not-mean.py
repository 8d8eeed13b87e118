# mistake: the sum of squares in place of their mean
# named: variance-summed
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
        return c * F.rsqrt(F.sum(c * c) + self.eps) * self.weight + self.bias
