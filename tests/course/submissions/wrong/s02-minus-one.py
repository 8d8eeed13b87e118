# mistake: the future is -1
# named: minus-one
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    mask = Tensor.full([sequence_length, n], -1.0, dtype=dtype, device=device)
    return F.band_part(mask, num_upper=num_tokens, exclude=True)
