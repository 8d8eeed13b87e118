# mistake: the variance is the mean of squares, the mean not subtracted in it
# named: variance-around-zero
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
        mean = F.mean(x)
        return (x - mean) / F.sqrt(F.mean(x * x) + self.eps) * self.weight + self.bias
