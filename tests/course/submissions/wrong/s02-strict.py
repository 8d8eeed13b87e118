# mistake: the diagonal is hidden too, a token cannot see itself
# named: strict
from max.driver import Device
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim, DimLike


@F.functional
def causal_mask(sequence_length: DimLike, num_tokens: int, *, dtype: DType, device: Device):
    total = Dim(sequence_length) + num_tokens
    rows = F.range(0, sequence_length, 1, out_dim=sequence_length, dtype=DType.int64, device=device)
    cols = F.range(0, total, 1, out_dim=total, dtype=DType.int64, device=device)
    future = F.unsqueeze(cols, 0) >= F.unsqueeze(rows, 1) + num_tokens
    hidden = F.constant(float("-inf"), dtype=dtype, device=device)
    return F.where(future, hidden, F.constant(0.0, dtype=dtype, device=device))
