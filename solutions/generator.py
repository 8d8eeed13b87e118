"""Step 9: the text generator, which writes by predicting one token after another.

Autoregressive generation: predict the next token, append it, repeat. Greedy decoding
always takes the most probable token; sampling draws from softmax(logits / temperature)
(Hinton et al. 2015, section 2). The logits [2, 1] give the probabilities [0.73, 0.27]
at temperature 1. At 0.5 they are [0.88, 0.12]: the likely token gains, and the text is
more predictable. At 2 they are [0.62, 0.38], and the text is more surprising.
"""

from typing import Any

import numpy as np
from max.experimental.tensor import Tensor


class TextGenerator:
    """Continues a prompt. `model` maps token ids, int64 [1, T], to logits [1, T, V]."""

    def __init__(self, model: Any, tokenizer: Any, *, context_length: int = 1024):
        self.model = model
        self.tokenizer = tokenizer
        self.context_length = context_length  # the most tokens that the model can read

    def generate(
        self,
        prompt: str,
        *,
        max_new_tokens: int = 50,
        temperature: float = 0.8,
        do_sample: bool = True,
        seed: int | None = None,
    ) -> str:
        """The prompt and its continuation; the same seed gives the same text."""
        if not prompt:
            raise ValueError("prompt is '', must hold at least one token")
        if max_new_tokens < 0:
            raise ValueError(f"max_new_tokens is {max_new_tokens}, must be 0 or more")
        if do_sample and not temperature > 0:
            raise ValueError(f"temperature is {temperature}, must be above 0 to sample")
        rng = np.random.default_rng(seed)
        # hole: encode the prompt
        tokens = np.from_dlpack(self.tokenizer.encode(prompt))  # [1, T]
        # end
        # hole: predict, choose, append
        for _ in range(max_new_tokens):
            context = Tensor.from_dlpack(tokens[:, -self.context_length :])
            logits = np.from_dlpack(self.model(context))[0, -1]  # [1, T, V] -> [V]
            token = _sample(logits, temperature, rng) if do_sample else logits.argmax()
            tokens = np.append(tokens, [[token]], axis=1)  # [1, T] -> [1, T + 1]
        return self.tokenizer.decode(Tensor.from_dlpack(tokens))
        # end


def _sample(logits: np.ndarray, temperature: float, rng: np.random.Generator) -> int:
    """Draw a token id from softmax(logits / temperature): float32 [V] -> int."""
    # hole: sample
    scaled = (logits - logits.max()).astype(np.float64) / temperature
    probabilities = np.exp(scaled) / np.exp(scaled).sum()  # [V], the softmax
    return int(rng.choice(len(probabilities), p=probabilities))
    # end
