"""Step 4: the MLP, where a block works on each token separately.

Two linear layers with a nonlinearity between them: expand the C features to the
intermediate size, apply GELU, project back to C. Attention moves information between
tokens; the MLP processes what has arrived. Why 4 C in the middle: each middle feature
can detect a different pattern, and four times as many features as inputs have worked
well since the first transformer (512 to 2048). This is where most of a block's weights
are: 4 C^2 in each of the two layers, and another 4 C^2 in all of the attention.
"""

from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Linear, Module

from config import GPT2Config


class GPT2MLP(Module):
    """Linear -> GELU -> Linear, with Hugging Face's names `c_fc` and `c_proj`.

    GELU passes large numbers and almost blocks negative ones: 3 -> 2.996, 0 -> 0 and
    -3 -> -0.004. GPT-2 was trained with the tanh approximation of it, which differs by
    up to 5e-4: 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))).

    Args:
        intermediate_size: the width between the two layers, `n_inner`.
        config: the sizes of the model; C is `n_embd`.

    Source: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", arXiv:1606.08415.
    """

    def __init__(self, intermediate_size: int, config: GPT2Config) -> None:
        # hole: two linear layers
        # Create `self.c_fc`, which expands C features to `intermediate_size`, and
        # `self.c_proj`, which projects them back to C. Both have a bias, as Linear has
        # by default. For example Linear(2, 8) takes float32 [B, T, 2] to [B, T, 8].
        # `Linear`:
        # https://docs.modular.com/max/api/python/nn/module_v3
        raise NotImplementedError("two linear layers")
        # end

    def __call__(self, hidden_states: Tensor) -> Tensor:
        """Transform each token: float32 [B, T, C] -> [B, T, C]."""
        # hole: expand, activate, project
        # The forward pass, Linear -> GELU -> Linear: [B, T, C] -> [B, T, 4C] ->
        # [B, T, C]. Why the activation: without a nonlinearity the two layers collapse
        # into one, as (x A) B = x (A B). `F.gelu` computes the exact GELU unless its
        # `approximate` is "tanh", which is what GPT-2 was trained with.
        # https://docs.modular.com/max/api/python/experimental/functional/#max.experimental.functional.gelu
        raise NotImplementedError("expand, activate, project")
        # end
