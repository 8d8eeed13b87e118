# mistake: init=False on every field, so no size can be passed
# named: field-missing
from dataclasses import dataclass, field


@dataclass
class GPT2Config:
    vocab_size: int = field(default=50257, init=False)
    n_positions: int = field(default=1024, init=False)
    n_embd: int = field(default=768, init=False)
    n_layer: int = field(default=12, init=False)
    n_head: int = field(default=12, init=False)
    n_inner: int = field(default=3072, init=False)
    layer_norm_epsilon: float = field(default=1e-5, init=False)
