# mistake: the intermediate size is halved
# named: other-sizes
import math

from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module

from config import GPT2Config


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config: GPT2Config):
        intermediate_size = intermediate_size // 2
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def __call__(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate='tanh'))
