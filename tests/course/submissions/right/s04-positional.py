# right: F.gelu with a positional argument, other local names
import math

from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module

from config import GPT2Config


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config: GPT2Config):
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def __call__(self, x):
        up = self.c_fc(x)
        bent = F.gelu(up, 'tanh')
        down = self.c_proj(bent)
        return down
