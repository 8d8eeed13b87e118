# mistake: the mean is used in the variance but not subtracted from x
# named: mean-not-subtracted
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
        var = F.mean((x - mean) ** 2, axis=-1)
        return x / F.sqrt(var + self.eps) * self.weight + self.bias
