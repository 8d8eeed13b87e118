# mistake: GELU is applied to the input, before c_fc
# named: gelu-before-c_fc
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def __call__(self, x):
        x = F.gelu(x, approximate="tanh")
        x = self.c_fc(x)
        return self.c_proj(x)
