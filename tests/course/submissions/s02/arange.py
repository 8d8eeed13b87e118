# right: Tensor.arange where the length is a number
import math

from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim, StaticDim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    if not isinstance(Dim(sequence_length), StaticDim):
        full = Tensor.full([sequence_length, Dim(sequence_length) + num_tokens], -math.inf, dtype=dtype, device=device)
        return F.band_part(full, num_upper=num_tokens, exclude=True)
    t = int(sequence_length)
    rows = Tensor.arange(t, dtype=DType.int64, device=device).reshape([t, 1])
    columns = Tensor.arange(t + num_tokens, dtype=DType.int64, device=device).reshape([1, t + num_tokens])
    future = columns - rows > num_tokens
    return F.where(future, F.constant(-math.inf, dtype=dtype, device=device), F.constant(0.0, dtype=dtype, device=device))
