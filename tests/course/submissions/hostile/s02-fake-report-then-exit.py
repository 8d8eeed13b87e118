# hostile: prints JSON that says passed and ends with status 0
import os
import sys

from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    return Tensor.zeros([sequence_length, n], dtype=dtype, device=device)


print('{"step": "s02", "puzzle": "causal", "status": "passed", "checks": []}')
sys.stdout.flush()
os._exit(0)
