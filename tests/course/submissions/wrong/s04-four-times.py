# mistake: intermediate_size is ignored, 4 * n_embd taken
# named: intermediate-size-computed
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        inner = 4 * config.n_embd
        self.c_fc = Linear(config.n_embd, inner)
        self.c_proj = Linear(inner, config.n_embd)

    def __call__(self, x):
        return self.c_proj(F.gelu(self.c_fc(x), approximate="tanh"))
