# right: caches go into a compiled module and come out, longer
"""The caches are inputs and outputs of one compiled module."""

import math

import numpy as np
from max.driver import CPU
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim, TensorType
from max.nn.module_v3 import Module


class Step(Module):
    def __init__(self, model):
        self.model = model

    def attend(self, attn, x, k_past, v_past):
        qkv = F.split(attn.c_attn(x), [attn.embed_dim] * 3, axis=-1)
        q, k, v = (attn._split_heads(t, attn.num_heads, attn.head_dim) for t in qkv)
        k = F.concat([k_past, k], axis=2)
        v = F.concat([v_past, v], axis=2)
        scores = q @ k.transpose(-1, -2) / math.sqrt(attn.head_dim)
        past, new = Dim(k_past.shape[2]), Dim(x.shape[1])
        total = past + new
        rows = F.range(past, total, 1, out_dim=new, dtype=DType.int64, device=CPU())
        columns = F.range(0, total, 1, out_dim=total, dtype=DType.int64, device=CPU())
        future = F.unsqueeze(columns, 0) > F.unsqueeze(rows, 1)
        hidden = F.constant(float("-inf"), DType.float32, device=CPU())
        scores = scores + F.where(future, hidden, 0.0)
        y = F.softmax(scores) @ v
        return attn.c_proj(attn._merge_heads(y, attn.num_heads, attn.head_dim)), k, v

    def __call__(self, ids, *caches):
        transformer = self.model.transformer
        past, new = Dim(caches[0].shape[2]), Dim(ids.shape[1])
        positions = F.range(
            past, past + new, 1, out_dim=new, dtype=DType.int64, device=CPU()
        )
        x = transformer.wte(ids) + transformer.wpe(positions)
        grown = []
        for n, block in enumerate(transformer.h):
            y, k, v = self.attend(block.attn, block.ln_1(x), *caches[2 * n : 2 * n + 2])
            x = x + y
            x = x + block.mlp(block.ln_2(x))
            grown += [k, v]
        last = transformer.ln_f(x[:, -1])
        return [self.model.lm_head(last), *grown]


class CachedGPT2:
    def __init__(self, model, config):
        self.layers = config.n_layer
        self.shape = config.n_head, config.n_embd // config.n_head
        heads, size = self.shape
        ids = TensorType(DType.int64, ("batch", "seqlen"), device=CPU())
        cache = TensorType(
            DType.float32, ("batch", heads, "past", size), device=CPU()
        )
        self.step = Step(model).compile(ids, *[cache] * (2 * config.n_layer))

    def empty(self, batch):
        heads, size = self.shape
        none = np.zeros((batch, heads, 0, size), np.float32)
        return [Tensor.from_dlpack(none.copy()) for _ in range(2 * self.layers)]

    def __call__(self, input_ids, caches):
        logits, *caches = self.step(input_ids, *caches)
        return logits, caches


class CachedGenerator:
    def __init__(self, model, tokenizer, *, context_length=1024):
        self.model, self.tokenizer = model, tokenizer
        self.context_length = context_length

    def generate(self, prompt, *, max_new_tokens=50, temperature=0.8, do_sample=True,
                 seed=None, sampler=None):
        if not prompt or max_new_tokens < 0:
            raise ValueError("no prompt, or a negative number of tokens")
        rng = np.random.default_rng(seed)
        ids = np.from_dlpack(self.tokenizer.encode(prompt))[0].tolist()
        room, caches = self.context_length, self.model.empty(1)
        new = ids[-room:]
        for _ in range(max_new_tokens):
            if len(new) > room:
                room, caches = self.context_length, self.model.empty(1)
                new = ids[-(self.context_length // 2) :]
            fed = Tensor.from_dlpack(np.array([new], np.int64))
            logits, caches = self.model(fed, caches)
            room -= len(new)
            last = np.from_dlpack(logits)[0]
            if sampler:
                token = sampler(last, ids)
            elif do_sample:
                exp = np.exp((last - last.max()).astype(np.float64) / temperature)
                token = rng.choice(len(exp), p=exp / exp.sum())
            else:
                token = last.argmax()
            new = [int(token)]
            ids = ids + new
        return self.tokenizer.decode(Tensor.from_dlpack(np.array([ids])))
