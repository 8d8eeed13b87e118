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
        """The text of int64 [T] or [1, T], with its spaces as they were."""
        # hole: decode
        array = np.from_dlpack(driver.Tensor.from_dlpack(tokens).to(CPU()))
        ids = array.reshape(-1).tolist()  # [T] or [1, T] -> [T]
        return self.tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        # end

    @property
    def eos_token_id(self) -> int:
        return self.tokenizer.eos_token_id

    @property
    def pad_token_id(self) -> int:
        """The id that fills up the shorter rows of a batch."""
        # hole: the padding token
        return self.tokenizer.eos_token_id
        # end

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.vocab_size
