# right: a constant broadcast to the shape; lower bound given as -1, helper function
from max.experimental import functional as F
from max.graph import Dim, ops


def _all_hidden(shape, dtype, device):
    return F.broadcast_to(F.constant(float("-inf"), dtype=dtype, device=device), shape)


@F.functional
def causal_mask(sequence_length, num_tokens=0, *, dtype, device):
    shape = [Dim(sequence_length), Dim(sequence_length) + Dim(num_tokens)]
    return F.band_part(_all_hidden(shape, dtype, device), num_lower=-1, num_upper=num_tokens, exclude=True)
