# mistake: (1 - triangle) * -inf makes NaN of every visible position
# named: zero-times-infinity
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    shape = [sequence_length, Dim(sequence_length) + num_tokens]
    lower = F.band_part(Tensor.ones(shape, dtype=dtype, device=device), num_upper=num_tokens)
    return (1.0 - lower) * float("-inf")
