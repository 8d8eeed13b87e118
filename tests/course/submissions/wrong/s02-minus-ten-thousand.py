# mistake: -10000 instead of minus infinity, by comparison
# named: finite
from max.dtype import DType
from max.experimental import functional as F
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    T, S = Dim(sequence_length), Dim(sequence_length) + num_tokens
    i = F.range(0, T, 1, out_dim=T, dtype=DType.int32, device=device).reshape([T, 1])
    j = F.range(0, S, 1, out_dim=S, dtype=DType.int32, device=device).reshape([1, S])
    future = F.cast(j > i + num_tokens, dtype)
    return future * -10000.0
