# hostile: opens the repository's folder and writes relative to it
import os
import sys

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


for path in sys.path:
    try:
        folder = os.open(path or ".", os.O_RDONLY)
        os.close(os.open("hacked.txt", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
        os.fchdir(folder)
        open("hacked-too.txt", "x").close()
    except OSError:
        pass
