# right: the tanh GELU by hand in a static method
import math

from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Linear, Module

from config import GPT2Config


class GPT2MLP(Module):
    def __init__(self, intermediate_size: int, config: GPT2Config) -> None:
        self.c_fc = Linear(config.n_embd, intermediate_size, bias=True)
        self.c_proj = Linear(intermediate_size, config.n_embd, bias=True)

    @staticmethod
    def gelu(x: Tensor) -> Tensor:
        inner = math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)
        return 0.5 * x * (1.0 + F.tanh(inner))

    def __call__(self, hidden_states: Tensor) -> Tensor:
        return self.c_proj(self.gelu(self.c_fc(hidden_states)))
