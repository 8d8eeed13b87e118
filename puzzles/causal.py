"""Step 2: the causal mask, which hides the future.

GPT-2 predicts each token from the tokens before it (autoregressive generation), so no
position may look at a later one. Attention gives every pair of positions a score. The
mask is added to the scores before the softmax, where exp(-inf) = 0 gives a hidden
position no weight. Left: three tokens. Right: one new token after two cached ones.

     0  -inf  -inf
     0    0   -inf               0    0    0
     0    0    0

`num_tokens` counts the cached ones. It is for a KV cache, which keeps what
attention needs of earlier tokens; a new token may look at all of them. Until then it
is 0. The imports and the decorator are already written; read them first.
"""

from max.driver import Device
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim, DimLike


@F.functional
def causal_mask(
    sequence_length: DimLike, num_tokens: int, *, dtype: DType, device: Device
) -> Tensor:
    """mask[i, j] is 0 where j <= i + num_tokens, and -inf elsewhere (the future).

    MAX runs your code in three ways. Eager code computes with numbers right away.
    Traced code runs once with placeholders, to record its operations as a graph; a
    size may then be a name, such as "seqlen". Compiled code is that graph as machine
    code, for any number in place of the name. `@F.functional` allows all three.

    Args:
        sequence_length: T, the number of new tokens, an int or a name ("seqlen").
        num_tokens: the number of cached tokens before them.
        dtype, device: those of the scores to which the mask is added.

    Returns:
        A tensor [T, num_tokens + T] of `dtype`.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.3.
    """
    # hole: fill with minus infinity
    # Make `mask`: a tensor of the shape that is returned, [T, num_tokens + T], filled
    # with -inf, with the dtype and the device of the arguments. Everything is hidden at
    # first; the next hole uncovers the past. With T = 2 and one cached token it has two
    # rows and three columns. T may be a name such as "seqlen", so add to
    # `Dim(sequence_length)`, which allows both. `Tensor.full`:
    # https://docs.modular.com/max/api/python/experimental/tensor/
    raise NotImplementedError("fill with minus infinity")
    # end
    # hole: clear the past
    # Return the mask with 0 where j <= i + num_tokens, and -inf elsewhere. The zeros
    # are the lower triangular portion (past tokens), shifted to the right by the number
    # of cached tokens. `F.band_part` copies a matrix and sets everything outside a band
    # to zero: with num_upper=0 it makes [[5, 5], [5, 5]] into [[5, 0], [5, 5]]. Which
    # part is to be zero here? Look up `num_lower`, `num_upper` and `exclude`;
    # help(F.band_part) in Python shows the same text without a network.
    # https://docs.modular.com/max/api/python/experimental/functional/#max.experimental.functional.band_part
    raise NotImplementedError("clear the past")
    # end
