# mistake: the variance is divided by n - 1
# named: unbiased
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.dim = dim
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])
        self.eps = eps

    def __call__(self, x):
        d = x - F.mean(x)
        variance = F.sum(d * d) / (self.dim - 1)
        return d / F.sqrt(variance + self.eps) * self.weight + self.bias
