# right: the slow tokenizer, encode and decode as the tutorial has them
from max.driver import CPU, Device
from max.experimental.tensor import Tensor
from transformers import GPT2Tokenizer
import numpy as np


class GPT2TokenizerWrapper:
    def __init__(self, model_name="openai-community/gpt2", *, device: Device | None = None):
        self.tokenizer = GPT2Tokenizer.from_pretrained(model_name)
        self.device = device if device is not None else CPU()

    def encode(self, text: str) -> Tensor:
        tokens = self.tokenizer.encode(text)
        array = np.array([tokens], dtype=np.int64)
        return Tensor.from_dlpack(array).to(self.device)

    def decode(self, tokens: Tensor) -> str:
        array = np.from_dlpack(tokens.to(CPU()))
        return self.tokenizer.decode(array.flatten().tolist())

    @property
    def eos_token_id(self) -> int:
        return self.tokenizer.eos_token_id

    @property
    def pad_token_id(self) -> int:
        return self.tokenizer.eos_token_id

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.vocab_size
