# hostile: writes answers to every open descriptor
import os

from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    return Tensor.zeros([sequence_length, n], dtype=dtype, device=device)


lines = b"".join(
    b'{"at": [%d, null], "value": true}\n{"begin": [%d, null]}\n' % (i, i) for i in range(20)
) + b'{"done": []}\n'
for descriptor in range(256):
    try:
        os.write(descriptor, lines)
    except OSError:
        pass
