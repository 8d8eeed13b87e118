# mistake: GELU comes after both layers, not between them
# named: gelu-after-c_proj
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def __call__(self, x):
        return F.gelu(self.c_proj(self.c_fc(x)), approximate="tanh")
