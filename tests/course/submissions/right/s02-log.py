# right: the logarithm of a triangle of ones is 0 and minus infinity
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


def _mask(sequence_length, num_tokens, *, dtype, device):
    ones = Tensor.ones([sequence_length, Dim(sequence_length) + num_tokens], dtype=DType.float32, device=device)
    seen = F.band_part(ones, num_lower=None, num_upper=num_tokens)
    return F.log(seen).cast(dtype)


causal_mask = F.functional(_mask)
