# mistake: the layers are called fc1 and fc2
# named: layer-missing
from max.experimental import functional as F
from max.nn.module_v3 import Linear, Module


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.fc1 = Linear(config.n_embd, intermediate_size)
        self.fc2 = Linear(intermediate_size, config.n_embd)

    def __call__(self, x):
        return self.fc2(F.gelu(self.fc1(x), approximate="tanh"))
