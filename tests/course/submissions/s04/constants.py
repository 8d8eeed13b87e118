# right: sqrt(2 / pi) as a number, factored polynomial
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
        z = 0.7978845608028654 * h * (1.0 + 0.044715 * (h * h))
        return self.c_proj(h * (0.5 + 0.5 * F.tanh(z)))
