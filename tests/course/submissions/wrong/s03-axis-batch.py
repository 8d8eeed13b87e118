# mistake: the statistics are taken over axis 0
# named: over-batch
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])
        self.eps = eps

    def __call__(self, x):
        avg = F.mean(x, axis=0)
        var = F.mean(F.pow(x - avg, 2), axis=0)
        y = (x - avg) / F.sqrt(var + self.eps)
        return y * self.weight + self.bias
