# mistake: a single weight and bias for all features, shape [1]
# named: wrong-shape
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.weight = Tensor.ones([1])
        self.bias = Tensor.zeros([1])
        self.eps = eps

    def __call__(self, x):
        mean = F.mean(x, axis=-1)
        var = F.mean((x - mean) ** 2, axis=-1)
        return (x - mean) / F.sqrt(var + self.eps) * self.weight + self.bias
