# mistake: num_tokens is not passed to band_part, cached positions shift the diagonal
# named: cached-not-shifted
import max.experimental.functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    mask = Tensor.full([sequence_length, n], -float("inf"), dtype=dtype, device=device)
    return F.band_part(mask, num_upper=0, exclude=True)
