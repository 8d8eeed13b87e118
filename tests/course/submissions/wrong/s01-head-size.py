# mistake: n_head is 64, the size of a head, not the number of heads
# named: n_head-head-size
from dataclasses import dataclass


@dataclass
class GPT2Config:
    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 64
    n_inner: int = 3072
    layer_norm_epsilon: float = 1e-5
