# mistake: the mask is [T, T], the cached positions are missing
# named: cached-too-few-columns
from max.experimental import functional as F
from max.experimental.tensor import Tensor


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    shape = (sequence_length, sequence_length)
    mask = Tensor.full(shape, float("-inf"), dtype=dtype, device=device)
    return F.band_part(mask, num_upper=num_tokens, exclude=True)
