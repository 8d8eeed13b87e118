# right: annotated members, a loop over the steps
from functools import partial

from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module, module_dataclass

from config import GPT2Config


@module_dataclass
class GPT2MLP(Module):
    c_fc: Linear
    c_proj: Linear

    def __init__(self, intermediate_size: int, config: GPT2Config):
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)

    def __call__(self, hidden_states):
        for step in (self.c_fc, partial(F.gelu, approximate="tanh"), self.c_proj):
            hidden_states = step(hidden_states)
        return hidden_states
