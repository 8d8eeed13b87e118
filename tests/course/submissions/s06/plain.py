# right: the steps of the tutorial, one at a time
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

    def __call__(self, hidden_states):
        residual = hidden_states
        hidden_states = self.ln_1(hidden_states)
        attn_output = self.attn(hidden_states)
        hidden_states = attn_output + residual
        residual = hidden_states
        hidden_states = self.ln_2(hidden_states)
        feed_forward = self.mlp(hidden_states)
        hidden_states = residual + feed_forward
        return hidden_states
