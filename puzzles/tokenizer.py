"""Step 8: the tokenizer wrapper, between text and the tensors that the model reads.

GPT-2 reads token ids. Why not words or letters: there are too many words, and letters
make long sequences. In byte-pair encoding a frequent word is one token and a rare one
several: "Hello, world!" is [15496, 11, 995, 0]. Hugging Face's GPT2Tokenizer converts
text to lists of ids and back; this wrapper adds the step from lists to MAX tensors.
"""

import numpy as np
from max import driver
from max.driver import CPU, Device
from max.experimental.tensor import Tensor


class GPT2TokenizerWrapper:
    """Text to int64 [1, T] and back; `model_name` is a name on the hub or a folder.

    Source: Sennrich et al. 2016, arXiv:1508.07909; Radford et al. 2019, section 2.2.
    """

    def __init__(
        self, model_name: str = "openai-community/gpt2", *, device: Device | None = None
    ) -> None:
        from transformers import GPT2Tokenizer  # here, because it takes a second

        self.device = device or CPU()  # where `encode` puts its tensors
        # hole: load the tokenizer
        # Initialize Hugging Face's GPT2Tokenizer as `self.tokenizer`, with the
        # vocabulary and the merges of `model_name`. Whether that is a name on the hub
        # or a folder, `from_pretrained` takes it as it is.
        # https://huggingface.co/docs/transformers/model_doc/gpt2#transformers.GPT2Tokenizer
        raise NotImplementedError("load the tokenizer")
        # end

    def encode(self, text: str) -> Tensor:
        """The ids of a text: str -> int64 [1, T], a batch of one."""
        # hole: encode
        # From text to a tensor of token ids: str -> a list of T ids -> int64 [1, T], a
        # batch of one text, as a MAX tensor on `self.device`. For "Hello," that is
        # [[15496, 11]]. No special tokens are added, so the ids hold the text and
        # nothing else. `Tensor.from_dlpack` takes a NumPy array or a `driver.Tensor`
        # without a copy, and a `driver.Tensor` can be moved to a device with `.to`.
        # https://docs.modular.com/max/api/python/experimental/tensor/
        # https://docs.modular.com/max/api/python/driver/
        raise NotImplementedError("encode")
        # end

    def decode(self, tokens: Tensor) -> str:
        """The text of int64 [T] or [1, T], with its spaces as they were."""
        # hole: decode
        # From a tensor to text, by way of NumPy: int64 [T] or [1, T] -> a flat list of
        # T ids -> str. Hugging Face would tidy up spaces ("a , b" -> "a, b"); tell it
        # not to, so that the text comes back exactly.
        # `driver.Tensor.from_dlpack(tokens).to(CPU())` brings the ids to the CPU, where
        # `np.from_dlpack` can read them.
        # https://docs.modular.com/max/api/python/driver/
        raise NotImplementedError("decode")
        # end

    @property
    def eos_token_id(self) -> int:
        return self.tokenizer.eos_token_id

    @property
    def pad_token_id(self) -> int:
        """The id that fills up the shorter rows of a batch."""
        # hole: the padding token
        # Return the id of the padding token. GPT-2 was trained without one, and its
        # tokenizer's `pad_token_id` is None; by convention the end-of-text token is
        # used. The other two properties are already written.
        raise NotImplementedError("the padding token")
        # end

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.vocab_size
