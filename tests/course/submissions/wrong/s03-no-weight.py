# mistake: the weight is not multiplied
# named: weight-ignored
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])
        self.eps = eps

    def __call__(self, x):
        c = x - F.mean(x, axis=-1)
        return c * F.rsqrt(F.mean(c * c, axis=-1) + self.eps) + self.bias
