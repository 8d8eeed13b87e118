# right: F.chunk along the last axis, F.transpose, a helper for the mask
import math

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

    def _split_heads(self, tensor, num_heads, attn_head_size):
        new_shape = list(tensor.shape[:-1]) + [num_heads, attn_head_size]
        tensor = tensor.reshape(new_shape)
        return tensor.transpose(-3, -2)

    def _merge_heads(self, tensor, num_heads, attn_head_size):
        tensor = tensor.transpose(-3, -2)
        new_shape = list(tensor.shape[:-2]) + [num_heads * attn_head_size]
        return tensor.reshape(new_shape)

    def _mask(self, like):
        return causal_mask(like.shape[-2], num_tokens=0, dtype=like.dtype, device=like.device)

    def _attn(self, query, key, value):
        scores = F.matmul(query, F.transpose(key, -2, -1))
        scores = F.div(scores, math.sqrt(self.head_dim))
        return F.matmul(F.softmax(F.add(scores, self._mask(query)), axis=-1), value)

    def __call__(self, x):
        heads = [
            self._split_heads(third, self.num_heads, self.head_dim)
            for third in F.chunk(self.c_attn(x), 3, axis=-1)
        ]
        return self.c_proj(self._merge_heads(self._attn(*heads), self.num_heads, self.head_dim))
