# mistake: the parameters have 768 entries whatever dim is
# named: dim-hard-coded
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.weight = Tensor.ones([768])
        self.bias = Tensor.zeros([768])
        self.eps = eps

    def __call__(self, x):
        return F.layer_norm(x, self.weight, self.bias, self.eps)
