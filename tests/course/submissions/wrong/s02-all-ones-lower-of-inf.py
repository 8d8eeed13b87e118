# mistake: 1 - triangle, so that hidden entries are 1
# named: ones-where-hidden
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    shape = [sequence_length, Dim(sequence_length) + num_tokens]
    return 1 - F.band_part(Tensor.ones(shape, dtype=dtype, device=device), num_upper=num_tokens)
