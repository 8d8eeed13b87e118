# hostile: recursion through C functions, the limit raised: the stack overflows
import functools
import sys

sys.setrecursionlimit(10**9)


def down(x, y):
    return functools.reduce(down, [x, y])

from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    return Tensor.zeros([sequence_length, n], dtype=dtype, device=device)


down(1, 2)
