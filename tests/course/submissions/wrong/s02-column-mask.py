# mistake: rows are compared with themselves: every row is open or hidden as a whole
# named: hides-other-tokens
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    T, S = Dim(sequence_length), Dim(sequence_length) + num_tokens
    j = F.range(0, S, 1, out_dim=S, dtype=DType.int64, device=device)
    hidden = F.broadcast_to(F.unsqueeze(j, 0) > num_tokens, [T, S])
    return F.where(hidden, F.constant(float('-inf'), dtype=dtype, device=device), F.constant(0.0, dtype=dtype, device=device))
