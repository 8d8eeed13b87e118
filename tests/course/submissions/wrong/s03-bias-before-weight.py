# mistake: the bias is added before the weight is multiplied
# named: bias-before-weight
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])
        self.eps = eps

    def __call__(self, x):
        mu = x.mean(axis=-1)
        sigma = F.sqrt(((x - mu) * (x - mu)).mean(axis=-1) + self.eps)
        return ((x - mu) / sigma + self.bias) * self.weight
