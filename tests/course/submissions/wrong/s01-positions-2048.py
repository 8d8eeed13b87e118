# mistake: n_positions is 2048, the context of a later model
# named: n_positions-gpt-3
from dataclasses import dataclass as dc


@dc
class GPT2Config:
    vocab_size: int = 50257
    n_positions: int = 2048
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int = 3072
    layer_norm_epsilon: float = 1e-5
