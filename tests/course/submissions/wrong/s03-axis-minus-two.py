# mistake: the statistics run over axis -2, the tokens
# named: over-tokens
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])
        self.eps = eps

    def _statistics(self, x):
        mean = x.mean(axis=-2)
        return mean, ((x - mean) ** 2).mean(axis=-2)

    def __call__(self, x):
        mean, variance = self._statistics(x)
        normed = (x - mean) / F.sqrt(variance + self.eps)
        return normed * self.weight + self.bias
