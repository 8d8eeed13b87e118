# mistake: new random layers are made in each call
# named: new-layers
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.n_embd = config.n_embd
        self.inner = intermediate_size
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def __call__(self, x):
        x = Linear(self.n_embd, self.inner)(x)
        x = F.gelu(x, approximate="tanh")
        return Linear(self.inner, self.n_embd)(x)
