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
        # Create the two learned vectors, float32 [C] each: `self.weight` (gamma) starts
        # with ones and `self.bias` (beta) with zeros, so that at first they change
        # nothing: [-1, 1] * 1 + 0 is [-1, 1]. A Tensor that is assigned to an attribute
        # of a Module becomes a parameter of that name. Pass dtype and device
        # explicitly, DType.float32 and CPU(); loading moves them later. `Tensor.ones`,
        # `Tensor.zeros`:
        # https://docs.modular.com/max/api/python/experimental/tensor/
        raise NotImplementedError("weight and bias")
        # end

    def __call__(self, x: Tensor) -> Tensor:
        """Normalize the last dimension: float32 [..., C] -> [..., C]."""
        # hole: normalize
        # First on paper, with weight 1, bias 0 and eps 0: what are the mean and the
        # variance of [1, 2, 3, 4] (the sum is divided by C, not by C - 1), and what
        # does the formula above make of the 4? The first hint has the answer.
        #
        # Then return `x` normalized in this way over its last dimension, [..., C] ->
        # [..., C]. MAX has the whole formula as one operation, which takes this
        # module's weight, bias and epsilon. `F.layer_norm`:
        # https://docs.modular.com/max/api/python/experimental/functional/#max.experimental.functional.layer_norm
        raise NotImplementedError("normalize")
        # end
