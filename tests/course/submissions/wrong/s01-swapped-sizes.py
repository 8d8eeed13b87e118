# mistake: the values of n_positions and n_embd are exchanged
# named: n_positions-another-field
from dataclasses import dataclass


@dataclass
class GPT2Config:
    vocab_size: int = 50257
    n_positions: int = 768
    n_embd: int = 1024
    n_layer: int = 12
    n_head: int = 12
    n_inner: int = 3072
    layer_norm_epsilon: float = 1e-5
