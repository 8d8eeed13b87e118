# mistake: GELU by hand without the factor one half
# named: half-missing
import math

from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def __call__(self, x):
        h = self.c_fc(x)
        inner = math.sqrt(2 / math.pi) * (h + 0.044715 * h * h * h)
        return self.c_proj(h * (1 + F.tanh(inner)))
