# right: a band from the lowest diagonal up to the cached tokens
from max.driver import Device
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    mask = Tensor.full([sequence_length, n], float("-inf"), dtype=dtype, device=device)
    return F.band_part(mask, num_lower=-1, num_upper=num_tokens, exclude=True)
