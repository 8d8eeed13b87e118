"""Step 8: the tokenizer wrapper, between text and the tensors the model reads.

GPT-2 reads token ids. Hugging Face's GPT2Tokenizer turns text into ids with byte-pair
encoding and back; this wrapper turns its lists into MAX tensors on the model's device
and MAX tensors, by way of NumPy, into lists.

The two short properties are written out below.
"""

import numpy as np
from max import driver
from max.experimental.tensor import Tensor


class GPT2TokenizerWrapper:
    """Text to int64 [1, T] and back, with no special tokens added.

    Args:
        model_name: a model on the Hugging Face hub, or a folder with its files.
        device: where `encode` puts its tensors; None is the CPU.

    Source: Sennrich et al. 2016, arXiv:1508.07909; Radford et al. 2019, section 2.2.
    """

    def __init__(
        self,
        model_name: str = "openai-community/gpt2",
        *,
        device: driver.Device | None = None,
    ) -> None:
        from transformers import GPT2Tokenizer  # here, because it takes a second

        self.device = device or driver.CPU()
        # hole: load the tokenizer
        # Initialize Hugging Face's GPT2Tokenizer as `self.tokenizer`, with the
        # vocabulary and the merges of `model_name`, which is a name on the hub or a
        # folder: both are right for `from_pretrained`.
        # https://huggingface.co/docs/transformers/model_doc/gpt2#transformers.GPT2Tokenizer
        raise NotImplementedError("load the tokenizer")
        # end

    def encode(self, text: str) -> Tensor:
        """The ids of a text: str -> int64 [1, T], a batch of one."""
        # hole: encode
        # Text to ids: str -> a list of T numbers -> int64 [1, T], a batch of one text,
        # as a MAX tensor on `self.device`. Add no special tokens: what comes out stands
        # for the text and nothing else. `Tensor.from_dlpack` takes a NumPy array
        # without copy or graph; `driver.Tensor` has `.to(device)`, which costs no graph
        # either.
        # https://docs.modular.com/max/api/python/experimental/tensor/
        # https://docs.modular.com/max/api/python/driver/
        raise NotImplementedError("encode")
        # end

    def decode(self, tokens: Tensor) -> str:
        """The text of int64 [T] or [1, T], spaces as they were."""
        # hole: decode
        # Ids to text, by way of NumPy: int64 [T] or [1, T] -> a flat list of T numbers
        # -> str. Spaces are to stay as they were, so tell Hugging Face not to clean
        # them up. `driver.Tensor.from_dlpack(tokens).to(driver.CPU())` brings the ids
        # to the CPU, where `np.from_dlpack` can read them:
        # https://docs.modular.com/max/api/python/driver/
        raise NotImplementedError("decode")
        # end

    @property
    def eos_token_id(self) -> int:
        """The id of <|endoftext|>, which ends a text."""
        return self.tokenizer.eos_token_id

    @property
    def pad_token_id(self) -> int:
        """The id to fill up shorter rows of a batch with."""
        # hole: the padding token
        # Return the id that fills up rows. GPT-2 was trained without padding and its
        # tokenizer has none (`pad_token_id` is None there); by custom the end-of-text
        # token stands in.
        raise NotImplementedError("the padding token")
        # end

    @property
    def vocab_size(self) -> int:
        """V, the number of tokens."""
        return self.tokenizer.vocab_size
