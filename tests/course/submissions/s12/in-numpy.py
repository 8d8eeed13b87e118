# right: the whole model again in NumPy, with lists of keys and values
"""NumPy alone: the parameters are read from the model once."""

import math

import numpy as np
from max.experimental.tensor import Tensor


def numbers(parameter):
    return np.array(np.from_dlpack(parameter))


class CachedGPT2:
    def __init__(self, model, config):
        self.w = {name: numbers(each) for name, each in model.parameters}
        self.config = config

    def empty(self, batch):
        return [[] for _ in range(self.config.n_layer)]

    def norm(self, x, name):
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        x = (x - mean) / np.sqrt(var + self.config.layer_norm_epsilon)
        return x * self.w[f"{name}.weight"] + self.w[f"{name}.bias"]

    def linear(self, x, name):
        return x @ self.w[f"{name}.weight"].T + self.w[f"{name}.bias"]

    def heads(self, x):
        b, t, c = x.shape
        h = self.config.n_head
        return x.reshape(b, t, h, c // h).transpose(0, 2, 1, 3)

    def attend(self, x, name, cache):
        q, k, v = map(self.heads, np.split(self.linear(x, f"{name}.c_attn"), 3, -1))
        cache.append((k, v))
        k = np.concatenate([k for k, _ in cache], 2)
        v = np.concatenate([v for _, v in cache], 2)
        scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
        t, total = scores.shape[-2:]
        scores = np.where(np.tri(t, total, total - t, dtype=bool), scores, -np.inf)
        exp = np.exp(scores - scores.max(-1, keepdims=True))
        y = (exp / exp.sum(-1, keepdims=True)) @ v
        y = y.transpose(0, 2, 1, 3).reshape(x.shape)
        return self.linear(y, f"{name}.c_proj")

    def mlp(self, x, name):
        x = self.linear(x, f"{name}.c_fc")
        x = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
        return self.linear(x, f"{name}.c_proj")

    def __call__(self, input_ids, caches):
        ids = np.from_dlpack(input_ids)
        past = sum(k.shape[2] for k, _ in caches[0])
        caches = [[*cache] for cache in caches]
        places = np.arange(past, past + ids.shape[1])
        tables = (self.w[f"transformer.{name}.weight"] for name in ("wte", "wpe"))
        x = sum(table[at] for table, at in zip(tables, (ids, places)))
        for n, cache in enumerate(caches):
            name = f"transformer.h.{n}"
            x = x + self.attend(self.norm(x, f"{name}.ln_1"), f"{name}.attn", cache)
            x = x + self.mlp(self.norm(x, f"{name}.ln_2"), f"{name}.mlp")
        last = self.norm(x[:, -1], "transformer.ln_f")
        return (last @ self.w["lm_head.weight"].T).astype(np.float32), caches


class CachedGenerator:
    def __init__(self, model, tokenizer, *, context_length=1024):
        self.model, self.tokenizer = model, tokenizer
        self.context_length = context_length

    def choose(self, logits, temperature, do_sample, rng):
        if not do_sample:
            return int(logits.argmax())
        scaled = logits.astype(np.float64) / temperature
        return int((scaled + rng.gumbel(size=scaled.shape)).argmax())

    def generate(
        self, prompt, *, max_new_tokens=50, temperature=0.8, do_sample=True, seed=None,
        sampler=None,
    ):
        if not prompt:
            raise ValueError("an empty prompt")
        rng = np.random.default_rng(seed)
        text = list(np.from_dlpack(self.tokenizer.encode(prompt)).reshape(-1))
        caches, cached, wait = None, 0, text[-self.context_length :]
        for _ in range(max_new_tokens):
            if caches is None or cached + len(wait) > self.context_length:
                if caches is not None:
                    wait = text[-(self.context_length // 2) :]
                caches, cached = self.model.empty(1), 0
            ids = Tensor.from_dlpack(np.array([wait], dtype=np.int64))
            logits, caches = self.model(ids, caches)
            cached += len(wait)
            logits = np.from_dlpack(logits)[0]
            if sampler is None:
                token = self.choose(logits, temperature, do_sample, rng)
            else:
                token = int(sampler(logits, text))
            wait = [token]
            text.append(token)
        return self.tokenizer.decode(Tensor.from_dlpack(np.array([text])))
