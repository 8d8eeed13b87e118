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
        self.c_fc = Linear(config.n_embd, intermediate_size)
        self.c_proj = Linear(intermediate_size, config.n_embd)
        # end

    def __call__(self, hidden_states: Tensor) -> Tensor:
        """Transform each token: float32 [B, T, C] -> [B, T, C]."""
        # hole: expand, bend, project
        hidden_states = self.c_fc(hidden_states)  # [B, T, C] -> [B, T, 4C]
        hidden_states = F.gelu(hidden_states, approximate="tanh")
        return self.c_proj(hidden_states)  # [B, T, 4C] -> [B, T, C]
        # end
