# mistake: the vector is normalized twice
# named: normalized-before
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])
        self.eps = eps

    def __call__(self, x):
        mean = F.mean(x, axis=-1)
        x = (x - mean) * F.rsqrt(F.mean((x - mean) ** 2, axis=-1) + self.eps)
        return F.layer_norm(x, self.weight, self.bias, self.eps)
