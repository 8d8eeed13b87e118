# mistake: bias and weight are passed to F.layer_norm in the wrong order
# named: weight-and-bias-swapped
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])
        self.eps = eps

    def __call__(self, x):
        return F.layer_norm(x, self.bias, self.weight, self.eps)
