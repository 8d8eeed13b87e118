"""Step 1: the sizes of GPT-2, in one place.

Every other part of the model is built from these seven numbers. They have to equal
those of the GPT-2 on Hugging Face, because its pretrained weights only fit a model of
the same sizes. Other values give other models: `GPT2Config(n_layer=48, n_embd=1600,
n_head=25, n_inner=6400)` is GPT-2 XL, twelve times as large.
"""

# hole: the import
# Task 1. Import `dataclass` from the `dataclasses` module, which comes with Python.
# https://docs.python.org/3/library/dataclasses.html
# end


# hole: the decorator
# Task 2. Add the dataclass decorator to GPT2Config, so that Python writes its __init__
# from the attributes below. Then GPT2Config() has the values below, and
# GPT2Config(n_layer=2) is the same model with two blocks.
# https://docs.python.org/3/library/dataclasses.html#dataclasses.dataclass
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
    # Tasks 3 and 4. Run `pixi run huggingface` (`python hugging-face-model.py`) to get
    # the values of Hugging Face's GPT-2, and replace each None with the correct one.
    # https://huggingface.co/openai-community/gpt2
    vocab_size: int = None
    n_positions: int = None
    n_embd: int = None
    # end
    # hole: the blocks
    # The other four values come from the same command. Hugging Face's configuration
    # leaves `n_inner` out, which means 4 x n_embd; the command prints that number.
    n_layer: int = None
    n_head: int = None
    n_inner: int = None
    layer_norm_epsilon: float = None
    # end
