# hostile: attention and MLP of the siblings are made to do nothing
import attention
import layernorm
import mlp
from max.nn.module_v3 import Module

attention.GPT2Attention.__call__ = lambda self, x: x * 0
mlp.GPT2MLP.__call__ = lambda self, x: x * 0
layernorm.LayerNorm.__call__ = lambda self, x: x


class GPT2Block(Module):
    def __init__(self, config):
        self.ln_1 = layernorm.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.attn = attention.GPT2Attention(config)
        self.ln_2 = layernorm.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.mlp = mlp.GPT2MLP(config.n_inner, config)

    def __call__(self, hidden_states):
        return hidden_states
