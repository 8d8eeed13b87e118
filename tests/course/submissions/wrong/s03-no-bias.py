# mistake: the bias is never added
# named: bias-ignored
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])
        self.eps = eps

    def __call__(self, x):
        zero = Tensor.zeros_like(self.bias.type)
        return F.layer_norm(x, self.weight, zero, self.eps)
