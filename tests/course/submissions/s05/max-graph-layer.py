# right: the layer keeps its config, head count asked of the shapes
from max.experimental.functional import add, matmul, mul, reshape, softmax, split, transpose
from max.nn import module_v3 as nn

from causal import causal_mask as mask
from config import GPT2Config as Config


class GPT2Attention(nn.Module):
    config: Config

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.c_proj = nn.Linear(config.n_embd, config.n_embd)
        self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd)

    def _split_heads(self, tensor, num_heads, attn_head_size):
        batch, tokens = tensor.shape[:-1]
        return transpose(reshape(tensor, (batch, tokens, num_heads, attn_head_size)), 1, 2)

    def _merge_heads(self, tensor, num_heads, attn_head_size):
        tensor = transpose(tensor, 1, 2)
        return reshape(tensor, (*tensor.shape[:2], num_heads * attn_head_size))

    def _attn(self, query, key, value):
        size = int(query.shape[3])
        logits = mul(matmul(query, transpose(key, 2, 3)), size**-0.5)
        logits = add(logits, mask(query.shape[2], 0, dtype=logits.dtype, device=logits.device))
        return matmul(softmax(logits), value)

    def __call__(self, hidden_states):
        width, heads = self.config.n_embd, self.config.n_head
        parts = split(self.c_attn(hidden_states), [width, width, width], axis=-1)
        parts = [self._split_heads(part, heads, width // heads) for part in parts]
        return self.c_proj(self._merge_heads(self._attn(*parts), heads, width // heads))
