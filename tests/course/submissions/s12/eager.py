# right: eager tensors, a cache is a list of layers, each a pair of tensors or None
"""Nothing is compiled: MAX computes what is asked, step by step."""

import math

import numpy as np
from max.experimental import functional as F
from max.experimental.tensor import Tensor

from sampling import Sampler


def hidden(rows, total):
    mask = np.full((rows, total), -np.inf, np.float32)
    return Tensor.from_dlpack(np.triu(mask, total - rows + 1))


class CachedGPT2:
    def __init__(self, model, config):
        self.model, self.config = model, config

    def empty(self, batch):
        return {"length": 0, "layers": [None] * self.config.n_layer}

    def layer(self, block, x, cache):
        attn = block.attn
        qkv = F.split(attn.c_attn(block.ln_1(x)), [attn.embed_dim] * 3, axis=-1)
        q, k, v = (attn._split_heads(t, attn.num_heads, attn.head_dim) for t in qkv)
        if cache is not None:
            k = F.concat([cache[0], k], axis=2)
            v = F.concat([cache[1], v], axis=2)
        scores = q @ k.transpose(-1, -2) / math.sqrt(attn.head_dim)
        rows, total = int(q.shape[2]), int(k.shape[2])
        weights = F.softmax(scores + hidden(rows, total))
        y = attn._merge_heads(weights @ v, attn.num_heads, attn.head_dim)
        x = x + attn.c_proj(y)
        return x + block.mlp(block.ln_2(x)), (k, v)

    def __call__(self, input_ids, caches):
        transformer = self.model.transformer
        start = caches["length"]
        stop = start + int(input_ids.shape[1])
        positions = Tensor.from_dlpack(np.arange(start, stop))
        x = transformer.wte(input_ids) + transformer.wpe(positions)
        layers = []
        for block, cache in zip(transformer.h, caches["layers"], strict=True):
            x, grown = self.layer(block, x, cache)
            layers.append(grown)
        logits = self.model.lm_head(transformer.ln_f(x)[:, -1])
        return logits, {"length": stop, "layers": layers}


class CachedGenerator:
    def __init__(self, model, tokenizer, *, context_length: int = 1024):
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
        sampler=None,
    ) -> str:
        if sampler is None:
            sampler = Sampler(temperature=temperature * do_sample, seed=seed)
        tokens = np.from_dlpack(self.tokenizer.encode(prompt))
        n = self.context_length
        caches, cached, fed = self.model.empty(1), 0, tokens[:, -n:]
        while max_new_tokens > 0:
            if cached + fed.shape[1] > n:
                caches, cached, fed = self.model.empty(1), 0, tokens[:, -(n // 2) :]
            logits, caches = self.model(Tensor.from_dlpack(fed), caches)
            cached += fed.shape[1]
            token = sampler(np.from_dlpack(logits)[0], tokens)
            fed = np.array([[token]], np.int64)
            tokens = np.concatenate([tokens, fed], axis=1)
            max_new_tokens -= 1
        return self.tokenizer.decode(Tensor.from_dlpack(tokens))
