# mistake: -1e9 stands in the place of minus infinity
# named: finite
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim

NEG = -1e9


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    mask = Tensor.full([sequence_length, n], NEG, dtype=dtype, device=device)
    return F.band_part(mask, num_upper=num_tokens, exclude=True)
