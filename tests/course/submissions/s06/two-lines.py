# right: two lines, other import styles
import max.nn.module_v3 as nn

import attention
import layernorm
import mlp


class GPT2Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        norm = lambda: layernorm.LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)  # noqa: E731
        self.ln_1, self.ln_2 = norm(), norm()
        self.attn = attention.GPT2Attention(config)
        self.mlp = mlp.GPT2MLP(config.n_inner, config)

    def __call__(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))
