# mistake: the cached columns are appended after the triangle, they come first
# named: cached-last
from max.experimental import functional as F
from max.experimental.tensor import Tensor


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    square = Tensor.full([sequence_length, sequence_length], float("-inf"), dtype=dtype, device=device)
    square = F.band_part(square, num_upper=0, exclude=True)
    if num_tokens == 0:
        return square
    cached = Tensor.zeros([sequence_length, num_tokens], dtype=dtype, device=device)
    return F.concat([square, cached], axis=-1)
