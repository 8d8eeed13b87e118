# right: zeros for the cached positions, then a square triangle
from max.experimental.functional import band_part, concat, functional
from max.experimental.tensor import Tensor


@functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    minus_inf = float("-inf")
    square = Tensor.full((sequence_length, sequence_length), minus_inf, dtype=dtype, device=device)
    square = band_part(square, num_upper=0, exclude=True)
    cached = Tensor.zeros((sequence_length, num_tokens), dtype=dtype, device=device)
    return concat([cached, square], axis=1)
