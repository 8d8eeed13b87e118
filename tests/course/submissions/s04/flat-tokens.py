# right: batch and tokens flattened into rows for the products
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module

from config import GPT2Config


class GPT2MLP(Module):
    def __init__(self, intermediate_size: int, config: GPT2Config):
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def __call__(self, hidden_states):
        batch, tokens, width = hidden_states.shape
        rows = F.flatten(hidden_states, 0, 1)
        rows = self.c_proj(F.gelu(self.c_fc(rows), approximate="tanh"))
        return rows.reshape([batch, tokens, width])
