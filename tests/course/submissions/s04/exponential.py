# right: tanh written with exponentials of a negative number
import math

from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module

SQRT_2_OVER_PI = (2 / math.pi) ** 0.5


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)
        self.intermediate_size = intermediate_size

    def __call__(self, hidden_states):
        a = self.c_fc(hidden_states)
        z = SQRT_2_OVER_PI * a * (1 + 0.044715 * F.pow(a, 2))
        a = a / (1 + F.exp(-2 * z))
        return self.c_proj(a)
