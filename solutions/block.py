"""Step 6: the transformer block, attention and MLP around one stream of vectors.

Two sub-layers with the same plan: keep the input (the residual), normalize it,
transform it, and add the kept input. So a sub-layer computes only a correction: if a
token is [1, 2] and attention returns [0.5, -1], the result is [1.5, 1]. Why: the sum
carries the token, and in training its gradient, past every layer unchanged. GPT-2
normalizes before each sub-layer (pre-normalization), not after the sum as the first
transformer did. Then nothing but additions happens to the stream, and even 48 blocks
in a row can be trained.
"""

from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module

from attention import GPT2Attention
from config import GPT2Config
from layernorm import LayerNorm
from mlp import GPT2MLP


class GPT2Block(Module):
    """x + f(norm(x)), twice: f is the attention, then the MLP.

    Args:
        config: the sizes of the model; `n_inner` is the MLP's intermediate size.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask
    Learners", section 2.3, which moves the normalization before each sub-layer.
    """

    def __init__(self, config: GPT2Config) -> None:
        # hole: the four parts
        self.ln_1 = LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.attn = GPT2Attention(config)
        self.ln_2 = LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        self.mlp = GPT2MLP(config.n_inner, config)
        # end

    def __call__(self, hidden_states: Tensor) -> Tensor:
        """Refine each token: float32 [B, T, C] -> [B, T, C]."""
        # hole: attention and MLP
        residual = hidden_states
        hidden_states = self.attn(self.ln_1(hidden_states)) + residual
        residual = hidden_states
        return self.mlp(self.ln_2(hidden_states)) + residual
        # end
