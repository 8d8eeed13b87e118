"""Step 9: the text generator, which writes by predicting one token after the other.

Autoregressive generation: predict the next token, append it, repeat. Greedy decoding
always takes the token of the highest probability. Sampling draws from the distribution
instead; the temperature scales the logits first: below 1 the likely tokens gain (more
deterministic), above 1 the unlikely ones do (more random).
"""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from max.experimental import tensor
from max.experimental.tensor import Tensor


@contextmanager
def forgetting() -> Iterator[None]:
    """Free what the model returned once it is read.

    MAX keeps each result as a source of its global graph, 13 MB a token with GPT-2.
    Sources which no operation uses are let go; those held elsewhere survive that.
    """
    yield
    sources = tensor.GRAPH.sources
    unused = [value for value in sources if not value.num_uses]
    held = {value: weakref.ref(sources.pop(value)) for value in unused}
    sources.update({v: t for v, ref in held.items() if (t := ref()) is not None})


class TextGenerator:
    """Continues a prompt.

    Args:
        model: the callable from token ids, int64 [1, T], to logits, float32 [1, T, V]:
            the module itself, or what its `compile` returned.
        tokenizer: of step 8.
        context_length: the most tokens the model can read, `n_positions`.
    """

    def __init__(self, model: Any, tokenizer: Any, *, context_length: int = 1024):
        self.model = model
        self.tokenizer = tokenizer
        self.context_length = context_length

    def generate(
        self,
        prompt: str,
        *,
        max_new_tokens: int = 50,
        temperature: float = 0.8,
        do_sample: bool = True,
        seed: int | None = None,
    ) -> str:
        """The prompt and `max_new_tokens` more tokens; the same for the same `seed`.

        Raises:
            ValueError: an empty prompt, `max_new_tokens` below 0, or a `temperature`
                that is not above 0 while sampling.
        """
        _check(prompt, max_new_tokens, temperature if do_sample else 1.0)
        rng = np.random.default_rng(seed)
        # hole: predict, choose, append
        # Generate, with `_last_logits` and `_sample` below:
        #   - encode the prompt to tokens [1, T], read as a NumPy array
        #   - loop for `max_new_tokens` iterations: get the logits [V] after the last
        #     token; take a token, sampled if `do_sample` and else the one with the
        #     highest logit (argmax); append it, [1, T] -> [1, T + 1]
        #   - decode all tokens, prompt and continuation, and return the text
        # `np.from_dlpack`, `np.append`: https://numpy.org/doc/stable/reference/
        # `Tensor.from_dlpack`:
        # https://docs.modular.com/max/api/python/experimental/tensor/
        raise NotImplementedError("predict, choose, append")
        # end

    @forgetting()
    def _last_logits(self, tokens: np.ndarray) -> np.ndarray:
        """The scores of the token after the last: int64 [1, T] -> float32 [V]."""
        # hole: logits of the last position
        # Ask the model for the token after the last, [1, T] -> [V]:
        #   - give it at most the last `context_length` tokens, as a MAX tensor
        #   - it returns logits [1, T, V]; those of the last position are about the next
        #     token. Find it with the index -1: the demo's model returns only [1, 1, V]
        #   - return them as a NumPy array [V] of your own (a copy), so that the rest
        #     can go
        # Reading with `np.from_dlpack` costs nothing; slicing the tensor would compile
        # a graph for every new length:
        # https://docs.modular.com/max/api/python/experimental/tensor/
        raise NotImplementedError("logits of the last position")
        # end


def _sample(logits: np.ndarray, temperature: float, rng: np.random.Generator) -> int:
    """Draw a token id from softmax(logits / temperature), logits [V]."""
    # hole: sample
    # Draw one token id from the distribution, logits [V] -> int:
    #   - temperature scaling: logits / temperature, before the softmax
    #   - softmax to probabilities: exp, divided by the sum of exp. Subtract the
    #     greatest logit first, so that exp does not overflow, and use float64, so that
    #     the sum is one
    #   - draw with the generator `rng`, which has the seed
    # https://numpy.org/doc/stable/reference/random/generated/numpy.random.Generator.choice.html
    raise NotImplementedError("sample")
    # end


def _check(prompt: str, max_new_tokens: int, temperature: float) -> None:
    if not prompt:
        raise ValueError("prompt is empty: the model needs a token to continue from")
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens is {max_new_tokens}, must be 0 or more")
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}, must be above 0 to sample")
