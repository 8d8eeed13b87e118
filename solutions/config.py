"""Step 1: the sizes of GPT-2, in one place.

Every other part of the model is built from these seven numbers. They have to equal
those of the GPT-2 on Hugging Face, because its pretrained weights only fit a model of
the same sizes. Other values give other models: `GPT2Config(n_layer=48, n_embd=1600,
n_head=25, n_inner=6400)` is GPT-2 XL, twelve times as large.
"""

# hole: the import
from dataclasses import dataclass

# end


# hole: the decorator
@dataclass
# end
class GPT2Config:
    """The sizes of one GPT-2; the defaults are GPT-2 small, 124 million parameters.

    Attributes:
        vocab_size: V, the number of tokens the model knows.
        n_positions: the longest sequence it can read (the context window), in tokens.
        n_embd: C, the length of the vector that represents a token (hidden size).
        n_layer: the number of transformer blocks, one after the other.
        n_head: H, the number of attention heads in a block; it divides `n_embd`.
        n_inner: the width of the MLP's middle layer, 4 x `n_embd` in GPT-2.
        layer_norm_epsilon: added to a variance so that its root is never zero.

    Source: Radford et al. 2019, "Language Models are Unsupervised Multitask
    Learners", section 2.3 and table 2.
    """

    # hole: the vocabulary and the vectors
    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    # end
    # hole: the blocks
    n_layer: int = 12
    n_head: int = 12
    n_inner: int = 3072
    layer_norm_epsilon: float = 1e-5
    # end
