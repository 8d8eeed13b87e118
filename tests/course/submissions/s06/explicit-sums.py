# right: two names for the two sums, the configuration kept
from max.nn.module_v3 import Module

import config as settings
from attention import GPT2Attention
from layernorm import LayerNorm
from mlp import GPT2MLP


class GPT2Block(Module):
    def __init__(self, config: settings.GPT2Config):
        self.config = config
        self.attn = GPT2Attention(config)
        self.mlp = GPT2MLP(config.n_inner, config)
        for name in ("ln_1", "ln_2"):
            setattr(self, name, LayerNorm(config.n_embd, eps=config.layer_norm_epsilon))

    def __call__(self, hidden_states):
        normed = self.ln_1(hidden_states)
        after_attention = hidden_states + self.attn(normed)
        normed = self.ln_2(after_attention)
        after_mlp = after_attention + self.mlp(normed)
        return after_mlp
