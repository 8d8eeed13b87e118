# mistake: c_fc does not expand, it is n_embd by n_embd
# named: not-expanded
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_fc = Linear(config.n_embd, config.n_embd)
        self.c_proj = Linear(config.n_embd, config.n_embd)

    def __call__(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))
