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
        self.tokenizer = GPT2Tokenizer.from_pretrained(model_name)
        # end

    def encode(self, text: str) -> Tensor:
        """The ids of a text: str -> int64 [1, T], a batch of one."""
        # hole: encode
        ids = self.tokenizer.encode(text, add_special_tokens=False)
        array = np.array([ids], dtype=np.int64)  # [1, T]
        return Tensor.from_dlpack(driver.Tensor.from_dlpack(array).to(self.device))
        # end

    def decode(self, tokens: Tensor) -> str:
        """The text of int64 [T] or [1, T], spaces as they were."""
        # hole: decode
        array = np.from_dlpack(driver.Tensor.from_dlpack(tokens).to(driver.CPU()))
        ids = array.reshape(-1).tolist()  # [T] or [1, T] -> [T]
        return self.tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        # end

    @property
    def eos_token_id(self) -> int:
        """The id of <|endoftext|>, which ends a text."""
        return self.tokenizer.eos_token_id

    @property
    def pad_token_id(self) -> int:
        """The id to fill up shorter rows of a batch with."""
        # hole: the padding token
        return self.tokenizer.eos_token_id
        # end

    @property
    def vocab_size(self) -> int:
        """V, the number of tokens."""
        return self.tokenizer.vocab_size
