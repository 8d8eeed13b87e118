# mistake: the exact GELU with erf, written by hand
# named: gelu-exact
import math

from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module

from config import GPT2Config


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config: GPT2Config):
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def __call__(self, x):
        h = self.c_fc(x)
        return self.c_proj(h * 0.5 * (1 + F.erf(h / math.sqrt(2))))
