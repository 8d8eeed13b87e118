"""Step 3: layer normalization, which keeps the numbers between layers in range.

Each vector of C features is shifted to mean 0 and scaled to variance 1, by itself:
across the feature dimension, not across tokens or the batch. Two learned vectors,
`weight` (gamma) and `bias` (beta), then give each feature a scale and an offset.
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
        eps: keeps the root away from zero; GPT-2 has 1e-5.

    Source: Ba, Kiros and Hinton 2016, "Layer Normalization", arXiv:1607.06450.
    """

    def __init__(self, dim: int, *, eps: float = 1e-5) -> None:
        self.eps = eps
        # hole: weight and bias
        # Give the module its two learned vectors, [C] each and float32: `self.weight`
        # (gamma) starts with ones and `self.bias` (beta) with zeros, so that a fresh
        # layer changes nothing after the normalization. A Tensor assigned to an
        # attribute of a Module is a parameter of it. Say dtype and device,
        # DType.float32 and CPU(): loading moves them. `Tensor.ones`, `Tensor.zeros`:
        # https://docs.modular.com/max/api/python/experimental/tensor/
        raise NotImplementedError("weight and bias")
        # end

    def __call__(self, x: Tensor) -> Tensor:
        """Normalize the last dimension: float32 [..., C] -> [..., C]."""
        # hole: normalize
        # Return `x` normalized over its last dimension, with this module's weight, bias
        # and epsilon: [..., C] -> [..., C]. MAX has the whole formula as one operation:
        # `F.layer_norm`:
        # https://docs.modular.com/max/api/python/experimental/functional/#max.experimental.functional.layer_norm
        raise NotImplementedError("normalize")
        # end
