# right: random.Random and math, a function chosen once, ids as [T]
import math
import random

import numpy as np
from max.experimental.tensor import Tensor


def softmax(values):
    top = max(values)
    weights = [math.exp(v - top) for v in values]
    total = sum(weights)
    return [w / total for w in weights]


class TextGenerator:
    def __init__(self, model, tokenizer, *, context_length=1024):
        self.model = model
        self.tokenizer = tokenizer
        self.context_length = context_length

    def generate(
        self,
        prompt,
        *,
        max_new_tokens=50,
        temperature=0.8,
        do_sample=True,
        seed=None,
    ):
        if not prompt:
            raise ValueError("the prompt is empty")
        if max_new_tokens < 0:
            raise ValueError(f"max_new_tokens is {max_new_tokens}, less than 0")
        if do_sample and temperature <= 0:
            raise ValueError(f"temperature is {temperature}, not above 0")
        dice = random.Random(seed)

        def greedy(logits):
            return max(range(len(logits)), key=logits.__getitem__)

        def sampled(logits):
            weights = softmax([x / temperature for x in logits])
            return dice.choices(range(len(weights)), weights=weights)[0]

        choose = sampled if do_sample else greedy
        prompt_ids = self.tokenizer.encode(prompt)
        ids = [int(i) for i in np.from_dlpack(prompt_ids).reshape(-1)]
        new = []
        for _ in range(max_new_tokens):
            context = (ids + new)[-self.context_length:]
            x = Tensor.from_dlpack(np.array(context, dtype=np.int64).reshape(1, -1))
            logits = np.from_dlpack(self.model(x))[0, -1].tolist()
            new.append(choose(logits))
        return self.tokenizer.decode(Tensor.from_dlpack(np.array(ids + new, dtype=np.int64)))
