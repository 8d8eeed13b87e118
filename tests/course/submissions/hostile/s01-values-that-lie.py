# hostile: numbers that equal everything
from dataclasses import dataclass


class Any(int):
    def __eq__(self, other):
        return True

    def __hash__(self):
        return 0

    def __repr__(self):
        return "50257"


@dataclass
class GPT2Config:
    vocab_size: int = Any(1)
    n_positions: int = Any(2)
    n_embd: int = Any(3)
    n_layer: int = Any(4)
    n_head: int = Any(5)
    n_inner: int = Any(6)
    layer_norm_epsilon: float = Any(7)
