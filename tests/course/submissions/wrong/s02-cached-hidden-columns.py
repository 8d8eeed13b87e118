# mistake: the cached positions are minus infinity
# named: cached-hidden
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    square = Tensor.full([sequence_length, sequence_length], float('-inf'), dtype=dtype, device=device)
    square = F.band_part(square, num_upper=0, exclude=True)
    if not num_tokens:
        return square
    cached = Tensor.full([sequence_length, num_tokens], float('-inf'), dtype=dtype, device=device)
    return F.concat([cached, square], axis=1)
