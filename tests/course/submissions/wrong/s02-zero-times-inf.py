# mistake: 0 times minus infinity is not a number
# named: zero-times-infinity
from max.dtype import DType
from max.experimental import functional as F
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    T, S = Dim(sequence_length), Dim(sequence_length) + num_tokens
    i = F.range(0, T, 1, out_dim=T, dtype=DType.int64, device=device)
    j = F.range(0, S, 1, out_dim=S, dtype=DType.int64, device=device)
    future = F.unsqueeze(j, 0) > F.unsqueeze(i, -1) + num_tokens
    return F.cast(future, dtype) * float("-inf")
