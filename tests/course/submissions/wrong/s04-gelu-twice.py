# mistake: GELU is applied twice between the layers
# named: gelu-twice
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


def act(x):
    return F.gelu(x, approximate="tanh")


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def __call__(self, hidden_states):
        expanded = act(self.c_fc(hidden_states))
        return self.c_proj(act(expanded))
