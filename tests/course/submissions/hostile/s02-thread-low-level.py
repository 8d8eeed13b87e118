# hostile: a thread started with _thread that prints later
import _thread
import time

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


def later():
    while True:
        time.sleep(0.3)
        print("\u2713 passed", flush=True)


_thread.start_new_thread(later, ())
