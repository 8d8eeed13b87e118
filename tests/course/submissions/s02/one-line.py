# right: one line, module imported by its full name
import max.experimental.functional as mf
from max.experimental.tensor import Tensor
from max.graph import Dim


@mf.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    return mf.band_part(Tensor.full([sequence_length, Dim(sequence_length) + num_tokens], -float("inf"), dtype=dtype, device=device), None, num_tokens, True)
