# right: MAX softmax, RandomState, an array for all the tokens made beforehand
import numpy as np
import max.experimental.functional as F
from max.experimental.tensor import Tensor


class TextGenerator:
    """Greedy or sampled text, one token at a time."""

    def __init__(self, model, tokenizer, *, context_length=1024):
        self.model = model
        self.tokenizer = tokenizer
        self.context_length = context_length

    def next_token(self, ids, do_sample, temperature, random):
        logits = self.model(Tensor.from_dlpack(np.ascontiguousarray(ids)))
        if not do_sample:
            return np.from_dlpack(logits).argmax(axis=-1)[0, -1]
        probs = F.softmax(logits[:, -1] / temperature)
        probs = np.from_dlpack(probs).astype(np.float64)[0]
        return random.choice(np.arange(probs.size), p=probs / probs.sum())

    def generate(self, prompt, *, max_new_tokens=50, temperature=0.8, do_sample=True, seed=None):
        if not prompt:
            raise ValueError("the prompt is empty")
        if max_new_tokens < 0:
            raise ValueError(f"max_new_tokens is {max_new_tokens}, less than 0")
        if do_sample and temperature <= 0:
            raise ValueError(f"temperature is {temperature}, not above 0")
        random = np.random.RandomState(seed)
        start = np.from_dlpack(self.tokenizer.encode(prompt))
        n = start.shape[1]
        ids = np.zeros((1, n + max_new_tokens), np.int64)
        ids[:, :n] = start
        for end in range(n, n + max_new_tokens):
            begin = max(end - self.context_length, 0)
            ids[0, end] = self.next_token(ids[:, begin:end], do_sample, temperature, random)
        return self.tokenizer.decode(Tensor.from_dlpack(ids))
