# right: AutoTokenizer called with return_tensors="np", a cached property
from functools import cached_property

import numpy as np
from max.driver import CPU
from max.experimental.tensor import Tensor
from transformers import AutoTokenizer


class GPT2TokenizerWrapper:
    """AutoTokenizer with return_tensors="np"."""

    def __init__(self, model_name="openai-community/gpt2", *, device=None):
        self.inner = AutoTokenizer.from_pretrained(model_name)
        self.device = device or CPU()

    def encode(self, text):
        batch = self.inner(text, return_tensors="np")
        ids = np.ascontiguousarray(batch.input_ids, dtype=np.int64)
        return Tensor.from_dlpack(ids).to(self.device)

    def decode(self, tokens):
        ids = [int(i) for i in np.asarray(np.from_dlpack(tokens)).ravel()]
        return self.inner.decode(ids, clean_up_tokenization_spaces=False)

    @cached_property
    def eos_token_id(self):
        return self.inner.convert_tokens_to_ids("<|endoftext|>")

    @property
    def pad_token_id(self):
        return self.eos_token_id

    @property
    def vocab_size(self):
        return len(self.inner.get_vocab())
