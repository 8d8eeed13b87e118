# right: a dataclass that inherits some fields from another dataclass
from dataclasses import dataclass


@dataclass
class Sizes:
    vocab_size: int = 50257
    n_positions: int = 1024


@dataclass
class GPT2Config(Sizes):
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int = 3072
    layer_norm_epsilon: float = 1e-5
