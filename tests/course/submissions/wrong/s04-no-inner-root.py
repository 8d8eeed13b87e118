# mistake: tanh of x + 0.044715 x^3 without sqrt(2 / pi)
# named: root-missing
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
        return self.c_proj(0.5 * h * (1 + F.tanh(h + 0.044715 * h**3)))
