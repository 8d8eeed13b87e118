# mistake: init=False leaves the dataclass without its __init__
# named: no-arguments
from dataclasses import dataclass


@dataclass(init=False)
class GPT2Config:
    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int = 3072
    layer_norm_epsilon: float = 1e-5
