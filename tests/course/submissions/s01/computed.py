# right: sizes computed from each other, another order of the fields, a property
from dataclasses import dataclass, field

HEAD_SIZE = 64


@dataclass()
class GPT2Config:
    n_layer: int = 12
    n_head: int = 12
    n_embd: int = HEAD_SIZE * 12
    n_inner: int = field(default=4 * HEAD_SIZE * 12)
    n_positions: int = 2**10
    vocab_size: int = 256 + 50000 + 1
    layer_norm_epsilon: float = 10**-5

    @property
    def head_dim(self) -> int:
        return self.n_embd // self.n_head
