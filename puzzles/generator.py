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
        # Encode the prompt to `tokens`, an int64 array [1, T]: "Hello," is
        # [[15496, 11]]. The tokenizer of step 8 gives a MAX tensor, and
        # `np.from_dlpack` reads a MAX tensor without copying it. The tokens stay in
        # NumPy, because appending to a MAX tensor would build a new graph for each
        # length.
        # https://numpy.org/doc/stable/reference/generated/numpy.from_dlpack.html
        raise NotImplementedError("encode the prompt")
        # end
        # hole: predict, choose, append
        # Loop for `max_new_tokens` iterations:
        #   - get the model's predictions (logits) for the tokens so far, at most the
        #     last `context_length` of them: with 3, [[5, 6, 7, 8]] is read as
        #     [[6, 7, 8]]
        #   - extract the logits for the last position, [1, T, V] -> [V]: the only ones
        #     about a token that is not there yet
        #   - choose a token: `_sample` below if `do_sample`, else (greedy) the argmax
        #   - append the new token to the sequence, [1, T] -> [1, T + 1]
        # Then decode the sequence and return the final text, prompt included. Model and
        # tokenizer take MAX tensors: `Tensor.from_dlpack` makes one of an array.
        # https://numpy.org/doc/stable/reference/generated/numpy.append.html
        # https://docs.modular.com/max/api/python/experimental/tensor/
        raise NotImplementedError("predict, choose, append")
        # end


def _sample(logits: np.ndarray, temperature: float, rng: np.random.Generator) -> int:
    """Draw a token id from softmax(logits / temperature): float32 [V] -> int."""
    # hole: sample
    # Draw one token, float32 [V] -> int. Temperature scaling comes first, then the
    # softmax makes probabilities, and `rng`, which has the seed, samples a token from
    # the distribution. At temperature 1 the logits [0, 1.0986] become [1, 3] by exp,
    # and divided by their sum [0.25, 0.75].
    #
    # exp(1000) is infinite, so subtract the greatest logit first: the proportions stay
    # the same. In float64 the sum is close enough to 1 for `rng.choice`:
    # https://numpy.org/doc/stable/reference/random/generated/numpy.random.Generator.choice.html
    raise NotImplementedError("sample")
    # end
