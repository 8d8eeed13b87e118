# mistake: mean and variance are sums divided by 768, whatever dim is
# named: sizes-hard-coded
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])
        self.eps = eps

    def __call__(self, x):
        mean = F.sum(x, axis=-1) / 768
        var = F.sum((x - mean) ** 2, axis=-1) / 768
        return (x - mean) / F.sqrt(var + self.eps) * self.weight + self.bias
