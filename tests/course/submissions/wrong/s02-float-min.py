# mistake: the smallest float32 stands in the place of minus infinity
# named: finite
import numpy as np
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    lowest = float(np.finfo(np.float32).min)
    n = Dim(sequence_length) + num_tokens
    mask = Tensor.full([sequence_length, n], lowest, dtype=dtype, device=device)
    return F.band_part(mask, num_upper=num_tokens, exclude=True)
