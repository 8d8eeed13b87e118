# mistake: the argument is called epsilon, not eps
# named: eps-not-taken
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, epsilon=1e-5):
        self.dim = dim
        self.eps = epsilon
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])

    def __call__(self, x):
        return F.layer_norm(x, self.weight, self.bias, self.eps)
