# mistake: n_layer is 6, the number of layers of distilgpt2
# named: n_layer-original-transformer
from dataclasses import dataclass, field


@dataclass
class GPT2Config:
    vocab_size: int = field(default=50257)
    n_positions: int = field(default=1024)
    n_embd: int = field(default=768)
    n_layer: int = field(default=6)
    n_head: int = field(default=12)
    n_inner: int = field(default=3072)
    layer_norm_epsilon: float = field(default=1e-5)
