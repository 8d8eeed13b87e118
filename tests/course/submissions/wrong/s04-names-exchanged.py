# mistake: c_proj expands and c_fc projects back, the names are exchanged
# named: layers-swapped
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_proj = Linear(config.n_embd, intermediate_size)
        self.c_fc = Linear(intermediate_size, config.n_embd)

    def __call__(self, x):
        return self.c_fc(F.gelu(self.c_proj(x), approximate="tanh"))
