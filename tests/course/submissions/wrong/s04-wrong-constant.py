# mistake: 0.44715 in place of 0.044715
# named: constant-ten-times
import math

from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def gelu(self, x):
        return 0.5 * x * (1 + F.tanh(math.sqrt(2 / math.pi) * (x + 0.44715 * x**3)))

    def __call__(self, x):
        return self.c_proj(self.gelu(self.c_fc(x)))
