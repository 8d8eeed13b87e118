# hostile: an exception whose message clears the screen and is no valid text
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    return Tensor.zeros([sequence_length, n], dtype=dtype, device=device)


raise ValueError("\x1b[2J\x1b[H\u2713 all passed \ud800\udfff\x00\r\u202e")
