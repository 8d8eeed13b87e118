# right: helper methods, F.add
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module

from attention import GPT2Attention as Attention
from layernorm import LayerNorm
from mlp import GPT2MLP as MLP


class GPT2Block(Module):
    def __init__(self, config) -> None:
        eps = config.layer_norm_epsilon
        self.mlp = MLP(intermediate_size=config.n_inner, config=config)
        self.ln_2 = LayerNorm(config.n_embd, eps=eps)
        self.attn = Attention(config)
        self.ln_1 = LayerNorm(dim=config.n_embd, eps=eps)

    def _attend(self, x: Tensor) -> Tensor:
        return F.add(x, self.attn(self.ln_1(x)))

    def _transform(self, x: Tensor) -> Tensor:
        return F.add(x, self.mlp(self.ln_2(x)))

    def __call__(self, hidden_states: Tensor) -> Tensor:
        return self._transform(self._attend(hidden_states))
