# mistake: no eps at all under the root
# named: eps-ignored
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
        mu = F.mean(x, axis=-1)
        var = F.mean((x - mu) ** 2, axis=-1)
        return (x - mu) / F.sqrt(var) * self.weight + self.bias
