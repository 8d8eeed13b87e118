# right: static methods for splitting and merging, weights taken apart in a method
from math import sqrt

from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Linear, Module

from causal import causal_mask
from config import GPT2Config


class GPT2Attention(Module):
    def __init__(self, config: GPT2Config):
        self.embed_dim = config.n_embd
        self.num_heads = config.n_head
        self.head_dim = self.embed_dim // self.num_heads
        self.split_size = self.embed_dim
        self.c_attn = Linear(self.embed_dim, 3 * self.embed_dim, bias=True)
        self.c_proj = Linear(self.embed_dim, self.embed_dim, bias=True)

    @staticmethod
    def _split_heads(tensor, num_heads, attn_head_size):
        batch, tokens = tensor.shape[0], tensor.shape[1]
        return tensor.reshape((batch, tokens, num_heads, attn_head_size)).permute([0, 2, 1, 3])

    @staticmethod
    def _merge_heads(tensor, num_heads, attn_head_size):
        batch, tokens = tensor.shape[0], tensor.shape[2]
        return tensor.permute([0, 2, 1, 3]).reshape((batch, tokens, num_heads * attn_head_size))

    def _weights(self, query, key):
        scores = (query @ key.transpose(-1, -2)) / sqrt(self.head_dim)
        hide = causal_mask(query.shape[-2], 0, dtype=scores.dtype, device=scores.device)
        return F.softmax(scores + hide)

    def _attn(self, query, key, value):
        return self._weights(query, key) @ value

    def __call__(self, hidden_states):
        query, key, value = F.split(
            self.c_attn(hidden_states),
            [self.split_size, self.split_size, self.split_size],
            axis=2,
        )
        query = self._split_heads(query, self.num_heads, self.head_dim)
        key = self._split_heads(key, self.num_heads, self.head_dim)
        value = self._split_heads(value, self.num_heads, self.head_dim)
        attn_output = self._attn(query, key, value)
        attn_output = self._merge_heads(attn_output, self.num_heads, self.head_dim)
        return self.c_proj(attn_output)
