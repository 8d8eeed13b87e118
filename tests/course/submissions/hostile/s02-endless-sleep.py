# hostile: sleeps for an hour at the second call
import time

calls = []

from max.driver import Device
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    calls.append(1)
    if len(calls) > 1:
        time.sleep(3600)
    n = Dim(sequence_length) + num_tokens
    mask = Tensor.full([sequence_length, n], float("-inf"), dtype=dtype, device=device)
    return F.band_part(mask, num_lower=-1, num_upper=num_tokens, exclude=True)
