# mistake: the sizes of GPT-2 large
# named: n_embd-large
from dataclasses import dataclass


@dataclass
class GPT2Config:
    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 1280
    n_layer: int = 36
    n_head: int = 20
    n_inner: int = 5120
    layer_norm_epsilon: float = 1e-5
