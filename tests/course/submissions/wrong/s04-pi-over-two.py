# mistake: sqrt(pi / 2) in place of sqrt(2 / pi)
# named: pi-over-two
import math

from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def __call__(self, x):
        h = self.c_fc(x)
        t = F.tanh(math.sqrt(math.pi / 2) * (h + 0.044715 * F.pow(h, 3)))
        return self.c_proj(0.5 * h * (1.0 + t))
