# hostile: the right attention, and causal.py's function replaced by its own
import math

import causal
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module

original = causal.causal_mask
causal.causal_mask = lambda *args, **kwargs: original(*args, **kwargs)


class GPT2Attention(Module):
    def __init__(self, config):
        self.embed_dim, self.num_heads = config.n_embd, config.n_head
        self.head_dim = config.n_embd // config.n_head
        self.c_attn = Linear(config.n_embd, 3 * config.n_embd)
        self.c_proj = Linear(config.n_embd, config.n_embd)

    def _split_heads(self, tensor, num_heads, attn_head_size):
        return tensor.reshape([*tensor.shape[:-1], num_heads, attn_head_size]).transpose(-3, -2)

    def _merge_heads(self, tensor, num_heads, attn_head_size):
        tensor = tensor.transpose(-3, -2)
        return tensor.reshape([*tensor.shape[:-2], num_heads * attn_head_size])

    def _attn(self, query, key, value):
        scores = query @ key.transpose(-1, -2) / math.sqrt(int(query.shape[-1]))
        mask = causal.causal_mask(query.shape[-2], 0, dtype=query.dtype, device=query.device)
        return F.softmax(scores + mask) @ value

    def __call__(self, x):
        q, k, v = F.chunk(self.c_attn(x), 3, axis=-1)
        q, k, v = (self._split_heads(t, self.num_heads, self.head_dim) for t in (q, k, v))
        return self.c_proj(self._merge_heads(self._attn(q, k, v), self.num_heads, self.head_dim))
