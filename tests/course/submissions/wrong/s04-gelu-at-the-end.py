# mistake: a second GELU after c_proj
# named: gelu-after-both
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def __call__(self, x):
        for layer in (self.c_fc, self.c_proj):
            x = F.gelu(layer(x), approximate="tanh")
        return x
