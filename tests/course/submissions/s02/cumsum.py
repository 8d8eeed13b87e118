# right: a running sum of ones gives the positions, compared
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    shape = [Dim(sequence_length), Dim(sequence_length) + num_tokens]
    ones = F.broadcast_to(F.constant(1.0, dtype=DType.float32, device=device), shape)
    columns = F.cumsum(ones, axis=1)
    rows = F.cumsum(ones, axis=0)
    zero = F.constant(0.0, dtype=dtype, device=device)
    return F.where(columns <= rows + num_tokens, zero, F.constant(-float('inf'), dtype=dtype, device=device))
