# mistake: a lower triangle of ones, to be multiplied, not an additive mask
# named: zeros-and-ones
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    shape = [sequence_length, Dim(sequence_length) + num_tokens]
    ones = Tensor.ones(shape, dtype=dtype, device=device)
    return F.band_part(ones, num_upper=num_tokens)
