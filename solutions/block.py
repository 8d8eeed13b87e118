"""Step 6: the transformer block, attention and MLP around one stream of vectors.

Two sub-layers, each on the same plan: keep the input (the residual), normalize a copy
(pre-normalization: LayerNorm comes before attention and MLP, not after), transform it,
and add the kept input. What a block adds is a correction; the stream itself runs from
the embeddings to the last layer without passing through anything.
"""

from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module

from attention import GPT2Attention
from config import GPT2Config
from layernorm import LayerNorm
from mlp import GPT2MLP


class GPT2Block(Module):
    """x + attn(ln_1(x)), then x + mlp(ln_2(x)).

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
