# mistake: n_inner is three times n_embd
# named: n_inner-multiple
import dataclasses

WIDTH = 768


@dataclasses.dataclass
class GPT2Config:
    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = WIDTH
    n_layer: int = 12
    n_head: int = 12
    n_inner: int = 3 * WIDTH
    layer_norm_epsilon: float = 1e-5
