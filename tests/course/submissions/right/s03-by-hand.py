# right: mean, variance and root by hand
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.eps = eps
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])

    def __call__(self, x):
        mean = F.mean(x, axis=-1)
        centred = x - mean
        variance = F.mean(centred * centred, axis=-1)
        return centred / F.sqrt(variance + self.eps) * self.weight + self.bias
