# right: NumPy and Generator.choice
import numpy as np
from max.experimental.tensor import Tensor


class TextGenerator:
    def __init__(self, model, tokenizer, *, context_length=1024):
        self.model = model
        self.tokenizer = tokenizer
        self.context_length = context_length

    def generate(self, prompt, *, max_new_tokens=50, temperature=0.8, do_sample=True, seed=None):
        if not prompt:
            raise ValueError("the prompt is empty")
        if max_new_tokens < 0:
            raise ValueError(f"max_new_tokens is {max_new_tokens}, less than 0")
        if do_sample and temperature <= 0:
            raise ValueError(f"temperature is {temperature}, not above 0")
        rng = np.random.default_rng(seed)
        tokens = np.from_dlpack(self.tokenizer.encode(prompt)).copy()
        for _ in range(max_new_tokens):
            window = tokens[:, -self.context_length:]
            logits = self.model(Tensor.from_dlpack(window.copy()))
            last = np.from_dlpack(logits)[0, -1, :]
            if do_sample:
                scaled = last.astype(np.float64) / temperature
                exp = np.exp(scaled - np.max(scaled))
                probs = exp / exp.sum()
                next_token = rng.choice(len(probs), p=probs)
            else:
                next_token = np.argmax(last)
            tokens = np.concatenate([tokens, np.array([[next_token]], dtype=np.int64)], axis=1)
        return self.tokenizer.decode(Tensor.from_dlpack(tokens))
