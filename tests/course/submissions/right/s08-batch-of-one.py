# right: batch_decode of a batch of one, ids as a list from F
from max.driver import CPU, Device
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from transformers import GPT2Tokenizer
import numpy as np


class GPT2TokenizerWrapper:
    def __init__(self, model_name="openai-community/gpt2", *, device: Device | None = None):
        self.tokenizer = GPT2Tokenizer.from_pretrained(model_name)
        self.device = device if device is not None else CPU()

    def encode(self, text: str) -> Tensor:
        tokens = Tensor.from_dlpack(np.array(self.tokenizer.encode(text)))
        return F.unsqueeze(tokens, 0).to(self.device)

    def decode(self, tokens: Tensor) -> str:
        array = np.from_dlpack(tokens.to(CPU()))
        if array.ndim == 1:
            array = np.expand_dims(array, 0)
        (text,) = self.tokenizer.batch_decode(array.tolist())
        return text

    @property
    def eos_token_id(self) -> int:
        return self.tokenizer.eos_token_id

    @property
    def pad_token_id(self) -> int:
        return self.tokenizer.eos_token_id

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.vocab_size
