"""Step 3: layer normalization, which keeps the numbers between layers in range.

Each vector of C features is shifted to mean 0 and scaled to variance 1, across the
feature dimension and not across tokens or the batch: [1, 2] and [10, 20] both become
[-1, 1]. Why: every block adds to the vectors, so they would grow from layer to layer,
and no layer could rely on the size of its input; with the norm, training is stable.
Two learned vectors, `weight` (gamma) and `bias` (beta), then give each feature the
scale and the offset that the next layer needs.
"""

from max.driver import CPU
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module


class LayerNorm(Module):
    """y = (x - mean(x)) / sqrt(var(x) + eps) * weight + bias, over the last dimension.

    Args:
        dim: C, the size of the last dimension.
        eps: keeps the root away from zero (numerical stability); 1e-5 in GPT-2.

    Source: Ba, Kiros and Hinton 2016, "Layer Normalization", arXiv:1607.06450.
    """

    def __init__(self, dim: int, *, eps: float = 1e-5) -> None:
        self.eps = eps
        # hole: weight and bias
        self.weight = Tensor.ones([dim], dtype=DType.float32, device=CPU())
        self.bias = Tensor.zeros([dim], dtype=DType.float32, device=CPU())
        # end

    def __call__(self, x: Tensor) -> Tensor:
        """Normalize the last dimension: float32 [..., C] -> [..., C]."""
        # hole: normalize
        return F.layer_norm(x, self.weight, self.bias, self.eps)
        # end
