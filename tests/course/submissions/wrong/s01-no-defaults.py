# mistake: the fields have types but no values
# named: vocab_size-no-default
from dataclasses import dataclass


@dataclass
class GPT2Config:
    vocab_size: int
    n_positions: int
    n_embd: int
    n_layer: int
    n_head: int
    n_inner: int
    layer_norm_epsilon: float
