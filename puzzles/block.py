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
        # Create the parts, with these names: `self.ln_1` (LayerNorm before the
        # attention), `self.attn` (GPT2Attention), `self.ln_2` (LayerNorm before the
        # MLP), `self.mlp` (GPT2MLP). Both norms work on `config.n_embd` features with
        # the epsilon of the config, and are two: each learns its own weight and bias.
        # See your steps 3, 4 and 5 for the arguments. Modules:
        # https://docs.modular.com/max/api/python/nn/module_v3
        raise NotImplementedError("the four parts")
        # end

    def __call__(self, hidden_states: Tensor) -> Tensor:
        """Refine each token: float32 [B, T, C] -> [B, T, C]."""
        # hole: attention and MLP
        # The forward pass, [B, T, C] all the way. Two sub-layers with residual
        # connections around attention and MLP, and the norm before each
        # (pre-normalization):
        #     residual = x;  x = ln_1(x);  x = attention(x) + residual
        #     residual = x;  x = ln_2(x);  x = mlp(x) + residual
        # `+` adds tensors of one shape, element by element.
        raise NotImplementedError("attention and MLP")
        # end
