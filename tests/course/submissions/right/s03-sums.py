# right: sums divided by the size, power -0.5, static helper, eps not keyword-only
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim: int, eps: float = 1e-5):
        self.dim = dim
        self.eps = eps
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])

    @staticmethod
    def average(values: Tensor, n: int) -> Tensor:
        return F.sum(values, axis=-1) / n

    def __call__(self, x: Tensor) -> Tensor:
        mean = self.average(x, self.dim)
        variance = self.average((x - mean) * (x - mean), self.dim)
        return self.bias + self.weight * (x - mean) * F.pow(variance + self.eps, -0.5)
