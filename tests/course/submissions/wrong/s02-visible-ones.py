# mistake: visible entries are one, hidden ones minus infinity
# named: one-where-visible
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    shape = [sequence_length, n]
    ones = Tensor.ones(shape, dtype=dtype, device=device)
    hidden = Tensor.full(shape, float('-inf'), dtype=dtype, device=device)
    return F.band_part(ones, num_upper=num_tokens) + F.band_part(hidden, num_upper=num_tokens, exclude=True)
