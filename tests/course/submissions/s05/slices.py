# right: slices for F.split, permute, the scale kept in __init__
import max.experimental.functional as F
from max.nn.module_v3 import Linear, Module

import causal


class GPT2Attention(Module):
    def __init__(self, config):
        self.n_head = config.n_head
        self.n_embd = config.n_embd
        self.d = config.n_embd // config.n_head
        self.scale = self.d**-0.5
        self.c_attn = Linear(config.n_embd, config.n_embd * 3)
        self.c_proj = Linear(config.n_embd, config.n_embd)

    def _split_heads(self, t, h, d):
        B, T, _ = t.shape
        return F.permute(F.reshape(t, [B, T, h, d]), [0, 2, 1, 3])

    def _merge_heads(self, t, h, d):
        B, _, T, _ = t.shape
        return F.reshape(F.permute(t, [0, 2, 1, 3]), [B, T, h * d])

    def _attn(self, q, k, v):
        scores = F.matmul(q, k.transpose(2, 3)) * self.scale
        scores = scores + causal.causal_mask(q.shape[2], 0, dtype=q.dtype, device=q.device)
        return F.matmul(F.softmax(scores), v)

    def __call__(self, x):
        qkv = self.c_attn(x)
        c = self.n_embd
        q, k, v = qkv[..., :c], qkv[..., c : 2 * c], qkv[..., 2 * c :]
        q, k, v = (self._split_heads(t, self.n_head, self.d) for t in (q, k, v))
        y = self._attn(q, k, v)
        return self.c_proj(self._merge_heads(y, self.n_head, self.d))
