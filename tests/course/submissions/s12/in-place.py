# right: memory that a compiled graph changes in place
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
    qkv = F.split(attn.c_attn(hidden_states), [attn.embed_dim] * 3, axis=-1)
    q, k, v = (attn._split_heads(x, attn.num_heads, attn.head_dim) for x in qkv)
    k, v = keys.extend(k), values.extend(v)  # [B, H, T, D] -> [B, H, past + T, D]
    scores = q @ k.transpose(-1, -2) / math.sqrt(attn.head_dim)
    weights = F.softmax(scores + mask_after(past, scores))  # [B, H, T, past + T]
    merged = attn._merge_heads(weights @ v, attn.num_heads, attn.head_dim)
    return attn.c_proj(merged)


def mask_after(past: Tensor, scores: Tensor) -> Tensor:
    """-inf where a new token would see a later one, 0 elsewhere: [T, past + T].

    The mask of step 2 with `num_tokens=past`. Here `past` is known when the graph runs,
    not when it is traced, and F.band_part takes a number only.
    """
    tokens, total = scores.shape[-2:]
    like = {"dtype": past.dtype, "device": scores.device}
    columns = F.range(0, total, out_dim=total, **like)
    rows = F.range(0, tokens, out_dim=tokens, **like) + past
    future = F.unsqueeze(columns, 0) > F.unsqueeze(rows, 1)
    hidden = F.constant(float("-inf"), dtype=scores.dtype, device=scores.device)
    return F.where(future, hidden, 0.0)


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
        tokens = input_ids.shape[1]
        like = {"dtype": past.dtype, "device": input_ids.device}
        positions = F.range(0, tokens, out_dim=tokens, **like) + past  # [T]
        hidden_states = transformer.wte(input_ids) + transformer.wpe(positions)
        for block, (keys, values) in zip(transformer.h, caches, strict=True):
            normed = block.ln_1(hidden_states)
            hidden_states += attend(block.attn, normed, past, keys, values)
            hidden_states += block.mlp(block.ln_2(hidden_states))
        last = transformer.ln_f(hidden_states[:, -1])  # [B, C]
        return self.model.lm_head(last)

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
        for _ in range(max_new_tokens):
            if cached + fed.shape[1] > self.context_length:
                fed = tokens[:, -(self.context_length // 2) :]
                caches, cached = self.model.empty(1), 0
            logits, caches = self.model(Tensor.from_dlpack(fed), caches)
            cached += fed.shape[1]
            fed = np.array([[sampler(np.from_dlpack(logits)[0], tokens)]])
            tokens = np.append(tokens, fed, axis=1)
        return self.tokenizer.decode(Tensor.from_dlpack(tokens))
