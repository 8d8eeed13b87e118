# mistake: the size comes from config.n_inner, the argument intermediate_size is ignored
# named: intermediate-size-from-config
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_fc = Linear(config.n_embd, config.n_inner)
        self.c_proj = Linear(config.n_inner, config.n_embd)

    def __call__(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))
