# mistake: num_tokens is not used at all
# named: cached-ignored
from max.experimental.functional import band_part, functional
from max.experimental.tensor import Tensor


@functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    t = Tensor.full([sequence_length, sequence_length], float("-inf"), dtype=dtype, device=device)
    return band_part(t, num_upper=0, exclude=True)
