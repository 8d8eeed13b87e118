# mistake: a NumPy array is returned, not a tensor
# named: not-a-tensor
import numpy as np
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = sequence_length
    return np.triu(np.full((n, n + num_tokens), -np.inf, dtype=np.float32), k=num_tokens + 1)
