# mistake: square of T + num_tokens
# named: cached-rows
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    mask = Tensor.full([n, n], float('-inf'), dtype=dtype, device=device)
    return F.band_part(mask, num_upper=0, exclude=True)
