"""Step 4: the MLP, where a block works on each token by itself.

Two linear layers with a bend between them: expand C features to the intermediate size
(4 C in GPT-2), apply GELU, project back to C. Attention moves information between
tokens; the MLP works on what has arrived. The names `c_fc` (expand) and `c_proj`
(project) are Hugging Face's, so that pretrained weights find their place.
"""

from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Linear, Module

from config import GPT2Config


class GPT2MLP(Module):
    """c_proj(gelu(c_fc(x))), each token by itself.

    GPT-2 was trained with the tanh approximation of GELU,
    0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), up to 5e-4 from the exact one.

    Args:
        intermediate_size: the width between the two layers, `n_inner`.
        config: the sizes of the model; C is `n_embd`.

    Source: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units", arXiv:1606.08415.
    """

    def __init__(self, intermediate_size: int, config: GPT2Config) -> None:
        # hole: two linear layers
        # Create `self.c_fc`, which expands C features to `intermediate_size`, and
        # `self.c_proj`, which projects them back to C. Both have a bias, as Linear does
        # unless told otherwise. `Linear`:
        # https://docs.modular.com/max/api/python/nn/module_v3
        raise NotImplementedError("two linear layers")
        # end

    def __call__(self, hidden_states: Tensor) -> Tensor:
        """Transform each token: float32 [B, T, C] -> [B, T, C]."""
        # hole: expand, bend, project
        # The forward pass, Linear -> GELU -> Linear: [B, T, C] -> [B, T, 4C] -> [B, T,
        # C]. GPT-2 needs the tanh approximation of GELU, `F.gelu` with
        # `approximate="tanh"`; without the bend the two layers would be worth only one.
        # https://docs.modular.com/max/api/python/experimental/functional/#max.experimental.functional.gelu
        raise NotImplementedError("expand, bend, project")
        # end
