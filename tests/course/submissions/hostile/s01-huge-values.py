# hostile: a configuration whose numbers have a million digits
from dataclasses import dataclass


@dataclass
class GPT2Config:
    vocab_size: int = 10**1_000_000
    n_positions: int = -(10**400)
    n_embd: float = float("nan")
    n_layer: str = "x" * 10**7
    n_head: int = True
    n_inner: complex = 1j
    layer_norm_epsilon: object = object()
