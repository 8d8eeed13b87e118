# mistake: ClassVar makes class attributes of the sizes, not fields
# named: field-missing
from dataclasses import dataclass
from typing import ClassVar


@dataclass
class GPT2Config:
    vocab_size: ClassVar[int] = 50257
    n_positions: ClassVar[int] = 1024
    n_embd: ClassVar[int] = 768
    n_layer: ClassVar[int] = 12
    n_head: ClassVar[int] = 12
    n_inner: ClassVar[int] = 3072
    layer_norm_epsilon: ClassVar[float] = 1e-5
