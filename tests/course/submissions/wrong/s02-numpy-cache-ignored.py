# mistake: the triangle from NumPy forgets num_tokens
# named: cached-not-shifted
import numpy as np
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = int(sequence_length)
    hidden = np.triu(np.full((n, n + num_tokens), -np.inf, dtype=np.float32), k=1)
    return F.cast(F.constant(hidden, dtype=DType.float32, device=device), dtype)
