"""Step 5: multi-head attention, where tokens look at the tokens before them.

From each token come three vectors: a query (what it looks for), a key (what it can be
found by) and a value (what it hands over), all three from a single linear layer,
`c_attn`. A token takes a weighted mean of the values, the more of each the better its
key answers the query. The C features are split across H heads of D = C / H, and each
head does this by itself, so that one token can look at several others for different
reasons; `c_proj` mixes what the heads found.

The two layers, a task of this step, are written out below: you know them from step 4.
"""

import math

from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Linear, Module

from causal import causal_mask
from config import GPT2Config


class GPT2Attention(Module):
    """softmax(Q K^T / sqrt(D) + mask) V, in H heads, between two linear layers.

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
        """Cut the features into heads: [B, T, C] -> [B, H, T, D]."""
        # hole: split the heads
        # Reshape and transpose, [B, T, C] -> [B, T, H, D] -> [B, H, T, D] with H =
        # `num_heads` and D = `attn_head_size`: each head takes D features that lie side
        # by side, and comes to stand before the tokens, like a second batch.
        # `Tensor.reshape`, `Tensor.transpose`:
        # https://docs.modular.com/max/api/python/experimental/tensor/
        raise NotImplementedError("split the heads")
        # end

    def _merge_heads(
        self, tensor: Tensor, num_heads: int, attn_head_size: int
    ) -> Tensor:
        """Put the heads side by side again: [B, H, T, D] -> [B, T, C]."""
        # hole: merge the heads
        # The reverse of `_split_heads`, [B, H, T, D] -> [B, T, H, D] -> [B, T, C]: the
        # heads' features side by side again. The order of the two steps is reversed as
        # well. `Tensor.transpose`, `Tensor.reshape`:
        # https://docs.modular.com/max/api/python/experimental/tensor/
        raise NotImplementedError("merge the heads")
        # end

    def _attn(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Let each position take from those before it, in each head.

        Args:
            query, key, value: float32 [B, H, T, D] each.

        Returns:
            float32 [B, H, T, D]: for each position a weighted mean of the values.
        """
        # hole: attend
        # In each head, all shapes [B, H, T, D] in and out:
        #   - scores: Q @ K^T, how well each query is answered by each key, [B, H, T, T]
        #   - scaled by 1/sqrt(head_dim), D, so that they stay of order one
        #   - plus the causal mask [T, T] of step 2 (dtype and device of the query,
        #     nothing cached): added before the softmax, so that the rest still sums to
        #     one
        #   - softmax over the last axis, the keys
        #   - attention @ V
        # `F.softmax`:
        # https://docs.modular.com/max/api/python/experimental/functional/#max.experimental.functional.softmax
        # `@` multiplies the last two dimensions; `Tensor.transpose` swaps two.
        raise NotImplementedError("attend")
        # end

    def __call__(self, hidden_states: Tensor) -> Tensor:
        """Attend: float32 [B, T, C] -> [B, T, C]."""
        # hole: project, split, attend, merge, project
        # The whole of the layer, [B, T, C] -> [B, T, C]:
        #   - c_attn projects to Q, K and V at once, [B, T, 3C]; cut it into three [B,
        #     T, C], in this order (the checkpoints have it so)
        #   - split each into heads, attend, merge the heads
        #   - project the output with c_proj
        # `F.split`:
        # https://docs.modular.com/max/api/python/experimental/functional/#max.experimental.functional.split
        raise NotImplementedError("project, split, attend, merge, project")
        # end
