"""Step 12: a KV cache, which makes each new token cost the same.

Step 9 runs the whole text through the model for each token. All but the last token have
been there before: their keys and values in every layer are the same as last time,
because no token sees a later one. A cache keeps them. Then a new token runs through the
blocks alone, and attends to the cached keys and values of all tokens before it.
"""

import math
from typing import Any

import numpy as np
from max.experimental import functional as F
from max.experimental.tensor import Tensor

from config import GPT2Config
from models.caching import Cache, Caches, CompiledStep
from sampling import Sampler


def attend(
    attn: Any, hidden_states: Tensor, past: Tensor, keys: Cache, values: Cache
) -> Tensor:
    """Let new tokens look at all tokens so far: float32 [B, T, C] -> [B, T, C]."""
    # hole: project, split, extend the caches
    # The new tokens need queries, and the keys and values of all tokens so far. Make q,
    # k and v of the new tokens as in step 5, split into heads, [B, H, T, D]. Then let
    # the caches have the new keys and values: `keys.extend(k)` puts them behind the
    # cached ones and returns all of them, [B, H, past + T, D]; `values` likewise.
    raise NotImplementedError("project, split, extend the caches")
    # end
    # hole: attend to all tokens so far
    # Attention as in step 5, with T queries and past + T keys and values: scores,
    # scale, `mask_after(past, scores)`, softmax, times the values; then merge the heads
    # and project.
    raise NotImplementedError("attend to all tokens so far")
    # end


def mask_after(past: Tensor, scores: Tensor) -> Tensor:
    """-inf where a new token would see a later one, 0 elsewhere: [T, past + T].

    The mask of step 2 with `num_tokens=past`. Here `past` is known when the graph runs,
    not when it is traced, and F.band_part takes a number only.
    """
    tokens, total = scores.shape[-2:]
    like = {"dtype": past.dtype, "device": scores.device}
    # hole: hide the future
    # Return the mask [T, past + T]: 0 where column j <= past + i, and -inf elsewhere.
    # With past = 2 and T = 2 it is
    #
    #      0    0    0  -inf
    #      0    0    0    0
    #
    # `F.range(0, n, out_dim=n, **like)` makes 0 .. n - 1 for a size n of the graph.
    # Compare the numbers of columns, [1, past + T], with those of rows, [T, 1], to
    # which past is added: F.unsqueeze makes the axes. F.where chooses between a Tensor
    # and a number; F.constant makes a Tensor of one number.
    raise NotImplementedError("hide the future")
    # end


class CachedGPT2:
    """The model of step 7 with a cache of keys and values in each layer."""

    def __init__(self, model: Any, config: GPT2Config) -> None:
        self.model = model
        self.compiled = CompiledStep(self.step, model, config)

    def empty(self, batch: int) -> Caches:
        """The caches of `batch` texts without a token."""
        return self.compiled.empty(batch)

    def step(self, input_ids: Tensor, past: Tensor, caches: Any) -> Tensor:
        """Logits of the last position; the caches grow: int64 [B, T] -> [B, V]."""
        transformer = self.model.transformer
        # hole: embed at the positions after the cached ones
        # The sum of the token embeddings and the position embeddings, as in step 7. But
        # the first new token is not the first of the text: its position is `past`.
        # Positions are [T] numbers; `past` is a Tensor of one number to add.
        raise NotImplementedError("embed at the positions after the cached ones")
        # end
        # hole: run the blocks
        # Do what the block of step 6 does, for each block of `transformer.h` with its
        # keys and values from `caches`, but attend with `attend`. Then normalize, and
        # let lm_head score the last position alone: the logits are [B, V].
        raise NotImplementedError("run the blocks")
        # end

    def __call__(self, input_ids: Tensor, caches: Caches) -> tuple[Any, Caches]:
        """Feed int64 [B, T]: the logits after the last of them, float32 [B, V], and the
        caches of all tokens so far, in the same memory."""
        return self.compiled(input_ids, caches)


class CachedGenerator:
    """Writes like the TextGenerator of step 9, one token at a time."""

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
        sampler: Any = None,
    ) -> str:
        """The prompt and its continuation. A `sampler` chooses from logits [V] and the
        ids so far; then temperature, do_sample and seed do not count."""
        if not prompt:
            raise ValueError("prompt is '', must hold at least one token")
        if max_new_tokens < 0:
            raise ValueError(f"max_new_tokens is {max_new_tokens}, must be 0 or more")
        if sampler is None and do_sample and not temperature > 0:
            raise ValueError(f"temperature is {temperature}, must be above 0 to sample")
        sampler = sampler or Sampler(
            temperature=temperature if do_sample else 0, seed=seed
        )
        tokens = np.from_dlpack(self.tokenizer.encode(prompt))  # [1, T]
        fed = tokens[:, -self.context_length :]
        caches, cached = self.model.empty(1), 0
        half = max(self.context_length // 2, 1)
        for _ in range(max_new_tokens):
            if cached + fed.shape[1] > self.context_length:  # full: start again
                fed = tokens[:, -half:]
                caches, cached = self.model.empty(1), 0
            # hole: feed what is new, choose, append
            # Feed what the model has not read yet, `fed`: at first the prompt, int64
            # [1, T], afterwards the one token that was chosen last, [1, 1]. The model
            # takes a Tensor and the caches, and returns the logits [1, V] and the
            # caches to hand on; the old ones are spent. Count in `cached` what the new
            # ones hold: it tells above when they are full. The sampler of step 11
            # chooses: `sampler(logits, ids)`, logits being the model's own, [V], and
            # ids all of the text so far, `tokens`, which grows by the new token.
            raise NotImplementedError("feed what is new, choose, append")
            # end
        return self.tokenizer.decode(Tensor.from_dlpack(tokens))
