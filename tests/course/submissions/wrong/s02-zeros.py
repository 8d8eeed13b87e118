# mistake: the mask is filled with zero, so nothing is hidden
# named: nothing-hidden
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    mask = Tensor.zeros([sequence_length, n], dtype=dtype, device=device)
    return F.band_part(mask, num_upper=num_tokens, exclude=True)
