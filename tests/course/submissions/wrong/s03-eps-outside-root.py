# mistake: eps is added to the standard deviation, after the root
# named: eps-outside-the-root
import max.experimental.functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    def __init__(self, dim: int, *, eps: float = 1e-5):
        self.epsilon = eps
        self.weight = Tensor.ones([dim])
        self.bias = Tensor.zeros([dim])

    def __call__(self, x: Tensor) -> Tensor:
        centred = x - F.mean(x, axis=-1)
        std = F.sqrt(F.mean(centred * centred, axis=-1))
        return self.weight * (centred / (std + self.epsilon)) + self.bias
