"""Step 5: multi-head attention, where tokens look at the tokens before them.

One linear layer, `c_attn`, makes three vectors from a token: a query (what it looks
for), a key (what it can be found by) and a value (what it passes on). A token receives
a mean of the values, weighted by how well each key matches its query. Why heads: one
token may need several others for different reasons, so the C features are split across
H heads of D = C / H, and each head attends by itself; `c_proj` mixes their results.

Why divide by sqrt(D): a score is a sum of D products, so it grows with sqrt(D). At
D = 64 scores of +8 and -8 would be usual, and the softmax would put all the weight on
one token. Divided by 8 they are +1 and -1, and exp(1) is only 7 times exp(-1).

The two linear layers are already written; you know them from step 4.
"""

import math

from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Linear, Module

from causal import causal_mask
from config import GPT2Config


class GPT2Attention(Module):
    """softmax(Q K^T / sqrt(D) + mask) V in H heads, between two linear layers.

    Args:
        config: the sizes of the model; C is `n_embd`, H is `n_head`.

    Raises:
        ValueError: `n_embd` is not divisible by `n_head`.

    Source: Vaswani et al. 2017, "Attention Is All You Need", sections 3.2.1 to 3.2.3.
    """

    def __init__(self, config: GPT2Config) -> None:
        if config.n_embd % config.n_head:
            raise ValueError(
                f"n_embd must be divisible by n_head: {config.n_embd} features "
                f"do not split into {config.n_head} heads of equal size"
            )
        self.embed_dim = config.n_embd
        self.num_heads = config.n_head
        self.head_dim = config.n_embd // config.n_head
        self.c_attn = Linear(self.embed_dim, 3 * self.embed_dim)
        self.c_proj = Linear(self.embed_dim, self.embed_dim)

    def _split_heads(
        self, tensor: Tensor, num_heads: int, attn_head_size: int
    ) -> Tensor:
        """Give each head its own features: [B, T, C] -> [B, H, T, D]."""
        # hole: split the heads
        # Cut C into H = `num_heads` pieces of D = `attn_head_size`, then put the heads
        # before the tokens, where they become a batch-like axis: [B, T, C] ->
        # [B, T, H, D] -> [B, H, T, D]. With C = 4, the features [1, 2, 3, 4] of a token
        # are [1, 2] in head 0 and [3, 4] in head 1. That takes a reshape and a
        # transpose. `Tensor.reshape`, `Tensor.transpose`:
        # https://docs.modular.com/max/api/python/experimental/tensor/
        raise NotImplementedError("split the heads")
        # end

    def _merge_heads(
        self, tensor: Tensor, num_heads: int, attn_head_size: int
    ) -> Tensor:
        """Put the heads' features side by side again: [B, H, T, D] -> [B, T, C]."""
        # hole: merge the heads
        # The reverse of `_split_heads`, [B, H, T, D] -> [B, T, H, D] -> [B, T, C]: the
        # features of all heads side by side again, so that [1, 2] in head 0 and [3, 4]
        # in head 1 become [1, 2, 3, 4]. `Tensor.transpose`, `Tensor.reshape`:
        # https://docs.modular.com/max/api/python/experimental/tensor/
        raise NotImplementedError("merge the heads")
        # end

    def _attn(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """In each head, average the values of the tokens up to each token.

        Args:
            query, key, value: float32 [B, H, T, D] each.

        Returns:
            float32 [B, H, T, D], a weighted mean of the values for each token.
        """
        # hole: attend
        # Attention itself, in each head: softmax(Q K^T * 1/sqrt(head_dim) + mask) V.
        #
        # The attention scores `Q @ K.T`, [B, H, T, T], say how well each query matches
        # each key. They are scaled, and the causal mask [T, T] of your step 2 is added
        # before the softmax, so that what is left still sums to one. The softmax over
        # the keys makes weights of them, and `attention @ V` is the weighted mean of
        # the values. For the scaled scores [[3, 1], [2, 2]] the weights are [[1, 0],
        # [0.5, 0.5]]: the first token can only look at itself. Nothing is cached in
        # this step.
        #
        # `@` multiplies the last two dimensions. `Tensor.transpose`, `F.softmax`:
        # https://docs.modular.com/max/api/python/experimental/functional/#max.experimental.functional.softmax
        raise NotImplementedError("attend")
        # end

    def __call__(self, hidden_states: Tensor) -> Tensor:
        """Let the tokens look at each other: float32 [B, T, C] -> [B, T, C]."""
        # hole: project, split, attend, merge, project
        # The whole layer, [B, T, C] -> [B, T, C]: project the inputs, split the heads,
        # attend, merge the heads, project the output.
        #
        # `c_attn` gives Q, K and V at once, [B, T, 3C], because one large product is
        # faster than three. With C = 2 a token has [q0, q1, k0, k1, v0, v1]. Each of
        # the three is split into heads separately. `F.split`:
        # https://docs.modular.com/max/api/python/experimental/functional/#max.experimental.functional.split
        raise NotImplementedError("project, split, attend, merge, project")
        # end
