# mistake: the result of F.gelu is not kept
# named: gelu-missing
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def __call__(self, hidden_states):
        hidden_states = self.c_fc(hidden_states)
        F.gelu(hidden_states, approximate="tanh")
        hidden_states = self.c_proj(hidden_states)
        return hidden_states
