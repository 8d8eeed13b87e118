# mistake: weight and bias exist but the normalized vector is returned without them
# named: weight-and-bias-ignored
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
        variance = F.mean((x - mean) ** 2, axis=-1)
        return (x - mean) / F.sqrt(variance + self.eps)
