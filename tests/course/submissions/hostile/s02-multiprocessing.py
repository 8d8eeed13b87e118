# hostile: starts a process with multiprocessing
import multiprocessing
import time

from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    return Tensor.zeros([sequence_length, n], dtype=dtype, device=device)


multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,)).start()
