# mistake: two leading dimensions of one are added
# named: extra-dimensions
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    mask = Tensor.full([1, 1, sequence_length, n], float("-inf"), dtype=dtype, device=device)
    return F.band_part(mask, num_upper=num_tokens, exclude=True)
