# hostile: an exception whose message raises, and whose name is not text
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    return Tensor.zeros([sequence_length, n], dtype=dtype, device=device)


class Silent(Exception):
    name = property(lambda self: 1 / 0)

    def __str__(self):
        raise self


raise Silent
