# right: NumPy's triangle where the length is a number, F.range where it is a symbol
import numpy as np
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim, StaticDim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    length = Dim(sequence_length)
    if isinstance(length, StaticDim):
        n = int(length)
        hidden = np.triu(np.full((n, n + num_tokens), -np.inf, np.float32), k=num_tokens + 1)
        return F.cast(F.constant(hidden, dtype=DType.float32, device=device), dtype)
    total = length + num_tokens
    rows = F.range(0, length, 1, out_dim=length, dtype=DType.float32, device=device)
    columns = F.range(0, total, 1, out_dim=total, dtype=DType.float32, device=device)
    future = F.reshape(columns, [1, total]) > F.reshape(rows, [length, 1]) + num_tokens
    return F.where(future, F.constant(-np.inf, dtype=dtype, device=device), F.constant(0, dtype=dtype, device=device))
