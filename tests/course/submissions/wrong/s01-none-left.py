# mistake: the values of n_layer and n_head are still None
# named: n_layer-none
from dataclasses import dataclass


@dataclass
class GPT2Config:
    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = None
    n_head: int = None
    n_inner: int = 3072
    layer_norm_epsilon: float = 1e-5
