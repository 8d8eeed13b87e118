# mistake: both layers are made without a bias
# named: no-bias
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_fc = Linear(config.n_embd, intermediate_size, bias=False)
        self.c_proj = Linear(intermediate_size, config.n_embd, bias=False)

    def __call__(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))
