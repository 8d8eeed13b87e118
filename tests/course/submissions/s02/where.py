# right: F.range for rows and columns, compared, F.where
from max.driver import Device
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim, DimLike


@F.functional
def causal_mask(
    sequence_length: DimLike, num_tokens: int, *, dtype: DType, device: Device
) -> Tensor:
    queries = Dim(sequence_length)
    keys = queries + num_tokens
    i = F.range(0, queries, 1, out_dim=queries, dtype=DType.int64, device=device)
    j = F.range(0, keys, 1, out_dim=keys, dtype=DType.int64, device=device)
    visible = F.unsqueeze(j, 0) <= F.unsqueeze(i, 1) + num_tokens
    zero = F.constant(0.0, dtype=dtype, device=device)
    return F.where(visible, zero, F.constant(float("-inf"), dtype=dtype, device=device))
