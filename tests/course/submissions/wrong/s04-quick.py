# mistake: approximate="quick" is x sigmoid(1.702 x)
# named: gelu-quick
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def __call__(self, hidden_states):
        return self.c_proj(F.gelu(self.c_fc(hidden_states), approximate="quick"))
