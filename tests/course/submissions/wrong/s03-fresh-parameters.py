# mistake: new ones and zeros are made in each call, loaded weights have no effect
# named: weight-and-bias-ignored
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        self.dim, self.eps = dim, eps
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])

    def __call__(self, x):
        gamma = Tensor.ones([self.dim])
        beta = Tensor.zeros([self.dim])
        return F.layer_norm(x, gamma, beta, self.eps)
