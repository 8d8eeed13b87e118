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
        # Create the parts, with these names: `self.ln_1` and `self.ln_2` (two LayerNorm
        # layers, because each learns its own weight and bias), `self.attn`
        # (GPT2Attention) and `self.mlp` (GPT2MLP). The norms work on the C features of
        # a token, with the epsilon of the config. Your steps 3, 4 and 5 show the
        # arguments. Modules:
        # https://docs.modular.com/max/api/python/nn/module_v3
        raise NotImplementedError("the four parts")
        # end

    def __call__(self, hidden_states: Tensor) -> Tensor:
        """Refine each token: float32 [B, T, C] -> [B, T, C]."""
        # hole: attention and MLP
        # The forward pass, [B, T, C] at every point: two sub-layers, first attention
        # with `ln_1`, then the MLP with `ln_2`. The plan of a sub-layer is above: keep
        # its input, normalize, transform, add what was kept (a residual connection).
        # The second sub-layer starts from what the first one made. `+` adds two tensors
        # of the same shape, element by element.
        raise NotImplementedError("attention and MLP")
        # end
