# mistake: __post_init__ overwrites whatever the caller passes with GPT-2 small's sizes
# named: arguments-overwritten
from dataclasses import dataclass


@dataclass
class GPT2Config:
    vocab_size: int = 0
    n_positions: int = 0
    n_embd: int = 0
    n_layer: int = 0
    n_head: int = 0
    n_inner: int = 0
    layer_norm_epsilon: float = 0.0

    def __post_init__(self):
        self.vocab_size = 50257
        self.n_positions = 1024
        self.n_embd = 768
        self.n_layer = 12
        self.n_head = 12
        self.n_inner = 4 * self.n_embd
        self.layer_norm_epsilon = 1e-5
