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
from max import _core
from max.experimental.tensor import GRAPH, Tensor


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
        # hole: encode the prompt
        # Encode the prompt to `tokens`, an int64 array [1, T]. The tokenizer of step 8
        # gives a MAX tensor; NumPy reads its memory, no copy, no graph:
        # `np.from_dlpack`,
        # https://numpy.org/doc/stable/reference/generated/numpy.from_dlpack.html
        raise NotImplementedError("encode the prompt")
        # end
        # hole: predict, choose, append
        # Loop for `max_new_tokens` iterations:
        #   - get the model's logits: `self._predict` takes tokens [1, T], at most the
        #     last `context_length` of them, and returns an array [1, T, V]
        #   - extract those of the last position, [V]; a copy, so that the rest can go
        #   - take a token: `_sample` below if `do_sample`, else the one with the
        #     highest logit
        #   - append it, [1, T] -> [1, T + 1]
        # Then decode all tokens, prompt and continuation, and return the text.
        # https://numpy.org/doc/stable/reference/generated/numpy.append.html
        # https://docs.modular.com/max/api/python/experimental/tensor/
        raise NotImplementedError("predict, choose, append")
        # end

    def _predict(self, tokens: np.ndarray) -> np.ndarray:
        """Ask the model, no graph made: int64 [1, T] -> float32 [1, T, V]."""
        with _forgetting() as made:
            input_ids = Tensor.from_dlpack(np.ascontiguousarray(tokens))
            logits = self.model(input_ids)
            array = np.from_dlpack(logits)
            made += [t for t in (input_ids, logits) if isinstance(t, Tensor)]
            del input_ids, logits
        return array


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


@contextmanager
def _forgetting() -> Iterator[list[Tensor]]:
    """Take the listed tensors out of MAX's global graph, unless somebody holds them.

    MAX keeps each tensor it makes as a source of that graph, and an argument for it:
    13 MB a token for GPT-2's logits, and 100 MB for the arguments of 900 tokens.
    """
    graph, made = GRAPH.graph, []
    function = _core.Operation._from_cmlir(graph._mlir_op)
    before = function.function_type
    yield made
    refs = {t._value._mlir_value: weakref.ref(t) for t in made if not _used(t)}
    complete = len(refs) == len(made) and graph is GRAPH.graph
    made.clear()
    for value in refs:
        GRAPH.sources.pop(value, None)
    held = {value: t for value, ref in refs.items() if (t := ref()) is not None}
    GRAPH.sources.update(held)
    block = function.regions[0].front
    first = len(block.arguments) - len(refs)
    added = [block.arguments[first + i] for i in range(len(refs))]
    if complete and not held and added == list(refs):  # nothing else came in between
        for _ in added:
            block.erase_argument(first)
        function.function_type = before


def _used(tensor: Tensor) -> bool:
    return tensor._value._mlir_value.num_uses > 0


def _check(prompt: str, max_new_tokens: int, temperature: float) -> None:
    if not prompt:
        raise ValueError("prompt is empty: the model needs a token to continue from")
    if max_new_tokens < 0:
        raise ValueError(f"max_new_tokens is {max_new_tokens}, must be 0 or more")
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}, must be above 0 to sample")
