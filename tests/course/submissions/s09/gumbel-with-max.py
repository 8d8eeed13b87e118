# right: operations of MAX, eagerly, and Gumbel noise
import numpy as np
from max.driver import CPU
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor


def noise(rng, size):
    """Gumbel noise: argmax(logits + noise) is a draw from softmax(logits)."""
    array = rng.gumbel(size=size).astype(np.float32)
    return Tensor.from_dlpack(array)


class TextGenerator:
    def __init__(self, model, tokenizer, *, context_length=1024):
        self.model = model
        self.tokenizer = tokenizer
        self.context_length = context_length

    def generate(
        self, prompt, *, max_new_tokens=50, temperature=0.8, do_sample=True, seed=None
    ):
        if not prompt:
            raise ValueError("the prompt is empty")
        if max_new_tokens < 0:
            raise ValueError(f"max_new_tokens is {max_new_tokens}, less than 0")
        if do_sample and temperature <= 0:
            raise ValueError(f"temperature is {temperature}, not above 0")
        rng = np.random.default_rng(seed)
        tokens = self.tokenizer.encode(prompt)
        for _ in range(max_new_tokens):
            start = max(0, int(tokens.shape[1]) - self.context_length)
            logits = self.model(tokens[:, start:])
            logits = logits[0, -1]
            if do_sample:
                logits = logits / temperature
                logits = logits + noise(rng, int(logits.shape[0]))
            token = F.argmax(logits)
            token = F.reshape(F.cast(token, DType.int64), [1, 1])
            tokens = F.concat([tokens, token], axis=1)
        return self.tokenizer.decode(tokens)
