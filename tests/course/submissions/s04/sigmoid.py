# right: the same GELU with a sigmoid: 1 + tanh(z) = 2 sigmoid(2 z)
import math

import max.experimental.functional as F
import max.nn.module_v3 as nn

import config


def _gelu(x):
    return x * F.sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x))


class GPT2MLP(nn.Module):
    def __init__(self, intermediate_size, config: "config.GPT2Config"):
        super().__init__()
        width = config.n_embd
        self.c_fc = nn.Linear(width, intermediate_size)
        self.c_proj = nn.Linear(intermediate_size, width)

    def __call__(self, x):
        y = self.c_fc(x)
        y = _gelu(y)
        y = self.c_proj(y)
        return y
