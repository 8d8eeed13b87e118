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
        shape = [*tensor.shape[:-1], num_heads, attn_head_size]
        return tensor.reshape(shape).transpose(1, 2)  # [B, T, H, D] -> [B, H, T, D]
        # end

    def _merge_heads(
        self, tensor: Tensor, num_heads: int, attn_head_size: int
    ) -> Tensor:
        """Put the heads' features side by side again: [B, H, T, D] -> [B, T, C]."""
        # hole: merge the heads
        tensor = tensor.transpose(1, 2)  # [B, H, T, D] -> [B, T, H, D]
        return tensor.reshape([*tensor.shape[:-2], num_heads * attn_head_size])
        # end

    def _attn(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """In each head, average the values of the tokens up to each token.

        Args:
            query, key, value: float32 [B, H, T, D] each.

        Returns:
            float32 [B, H, T, D], a weighted mean of the values for each token.
        """
        # hole: attend
        scores = query @ key.transpose(-1, -2)  # [B, H, T, D] -> [B, H, T, T]
        scores = scores / math.sqrt(int(query.shape[-1]))
        mask = causal_mask(query.shape[-2], 0, dtype=query.dtype, device=query.device)
        weights = F.softmax(scores + mask)  # [B, H, T, T], each row sums to 1
        return weights @ value  # [B, H, T, T] -> [B, H, T, D]
        # end

    def __call__(self, hidden_states: Tensor) -> Tensor:
        """Let the tokens look at each other: float32 [B, T, C] -> [B, T, C]."""
        # hole: project, split, attend, merge, project
        qkv = self.c_attn(hidden_states)  # [B, T, C] -> [B, T, 3C]
        q_k_v = F.split(qkv, [self.embed_dim] * 3, axis=-1)  # 3 x [B, T, C]
        q, k, v = (self._split_heads(x, self.num_heads, self.head_dim) for x in q_k_v)
        attended = self._attn(q, k, v)  # [B, H, T, D]
        merged = self._merge_heads(attended, self.num_heads, self.head_dim)
        return self.c_proj(merged)  # [B, T, C]
        # end
