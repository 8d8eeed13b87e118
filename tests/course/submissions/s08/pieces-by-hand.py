# right: tokenize and convert_tokens_to_ids, property objects without decorators
# tokenize, then look the pieces up; the way back by hand as well
import numpy as np
from max.driver import CPU, Tensor as DriverTensor
from max.experimental.tensor import Tensor


class GPT2TokenizerWrapper:
    def __init__(self, model_name="openai-community/gpt2", *, device=None):
        from transformers import GPT2Tokenizer

        self.tok = GPT2Tokenizer.from_pretrained(model_name)
        self.device = CPU() if device is None else device

    def encode(self, text):
        pieces = self.tok.tokenize(text)
        ids = self.tok.convert_tokens_to_ids(pieces)
        array = np.asarray(ids, dtype="int64")[None, :]
        return Tensor.from_dlpack(DriverTensor.from_dlpack(array).to(self.device))

    def decode(self, tokens):
        ids = np.from_dlpack(tokens).reshape(-1)
        pieces = self.tok.convert_ids_to_tokens(ids.tolist())
        return self.tok.convert_tokens_to_string(pieces)

    def _special(self):
        return self.tok.eos_token_id

    eos_token_id = property(_special)
    pad_token_id = property(_special)
    vocab_size = property(lambda self: self.tok.vocab_size)
