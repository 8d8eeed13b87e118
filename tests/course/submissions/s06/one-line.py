# right: one expression with an assignment inside
from max.nn.module_v3 import Module

from attention import GPT2Attention
from config import GPT2Config
from layernorm import LayerNorm
from mlp import GPT2MLP


class GPT2Block(Module):
    def __init__(self, config: GPT2Config):
        hidden_size = config.n_embd
        inner_dim = config.n_inner
        self.ln_1 = LayerNorm(hidden_size, eps=config.layer_norm_epsilon)
        self.attn = GPT2Attention(config)
        self.ln_2 = LayerNorm(hidden_size, eps=config.layer_norm_epsilon)
        self.mlp = GPT2MLP(inner_dim, config)

    def __call__(self, x):
        return (h := x + self.attn(self.ln_1(x))) + self.mlp(self.ln_2(h))
