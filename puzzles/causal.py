"""Step 2: the causal mask, which hides the tokens that come after.

GPT-2 writes one token at a time from the tokens before it (autoregressive generation),
so in training and in use no position may look at a later one. Attention gives every
pair of positions a score; the mask is added to the scores before the softmax, and
exp(-inf) = 0 leaves a hidden position no weight.

Of the step's tasks the imports and the decorator are written out below: read them.
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
    """0 where position i may look at position j, -inf where j is in the future.

    mask[i, j] = 0 if j <= i + num_tokens, else -inf. `@F.functional` lets the body
    run on eager tensors and inside a graph that is being traced alike; without it
    there is no arithmetic on a symbolic `sequence_length`.

    Args:
        sequence_length: T, an int or a dimension without a number yet ("seqlen").
        num_tokens: positions before these T, already computed and cached; 0 without.
        dtype: of the mask; that of the scores it is added to.
        device: where the mask is made; that of the scores.

    Returns:
        A tensor [T, num_tokens + T] of `dtype`.

    Source: Vaswani et al. 2017, "Attention Is All You Need", section 3.2.3.
    """
    # hole: fill with minus infinity
    # Make `mask`, a tensor of the shape that is returned, [T, num_tokens + T], filled
    # with -inf, with the dtype and the device of the arguments. T may be a dimension
    # without a number yet; `Dim(sequence_length)` can be added to. `Tensor.full`:
    # https://docs.modular.com/max/api/python/experimental/tensor/
    raise NotImplementedError("fill with minus infinity")
    # end
    # hole: clear the past
    # Return the mask with 0 where j <= i + num_tokens, and -inf kept elsewhere: the
    # lower triangular part, shifted to the right by the cached tokens, is what may be
    # seen. `F.band_part` copies a matrix and sets everything outside a band around the
    # diagonal to zero; read what `num_lower`, `num_upper` and `exclude` do.
    # https://docs.modular.com/max/api/python/experimental/functional/#max.experimental.functional.band_part
    # Without network, help(F.band_part) in Python shows the same text.
    raise NotImplementedError("clear the past")
    # end
