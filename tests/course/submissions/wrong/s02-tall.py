# mistake: the shape is [T + num_tokens, T], rows and columns exchanged
# named: cached-rows
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    mask = Tensor.full([n, sequence_length], float("-inf"), dtype=dtype, device=device)
    return F.band_part(mask, num_upper=num_tokens, exclude=True)
