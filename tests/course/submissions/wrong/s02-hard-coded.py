# mistake: the mask is always [1024, 1024], whatever length is asked for
# named: size-hard-coded
from max.experimental import functional as F
from max.experimental.tensor import Tensor


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    mask = Tensor.full([1024, 1024], float("-inf"), dtype=dtype, device=device)
    return F.band_part(mask, num_upper=num_tokens, exclude=True)
