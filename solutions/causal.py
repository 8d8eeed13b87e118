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
    shape = [sequence_length, Dim(sequence_length) + num_tokens]
    mask = Tensor.full(shape, float("-inf"), dtype=dtype, device=device)
    # end
    # hole: clear the past
    return F.band_part(mask, num_upper=num_tokens, exclude=True)
    # end
