# right: every weight set by hand, Tensor.arange, [T, C] positions that broadcast
from __future__ import annotations

import numpy
from max.dtype import DType
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Module, Embedding, Linear, Sequential
from config import GPT2Config
from block import GPT2Block
from layernorm import LayerNorm

TRANSPOSED = ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"]
PLAIN = ["ln_1", "ln_2"]


def to_max(value, device):
    array = numpy.ascontiguousarray(numpy.asarray(value), dtype=numpy.float32)
    return Tensor.from_dlpack(array).to(device)


def dig(module, path):
    for part in path.split("."):
        module = module[int(part)] if part.isdigit() else getattr(module, part)
    return module


class GPTModel(Module):
    """Embeddings, stack, norm."""

    def __init__(self, config):
        self.wte = Embedding(vocab_size=config.vocab_size, dim=config.n_embd)
        self.wpe = Embedding(vocab_size=config.n_positions, dim=config.n_embd)
        self.h = Sequential(*(GPT2Block(config) for _ in range(config.n_layer)))
        self.ln_f = LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)

    def embed(self, input_ids):
        length = input_ids.shape[1]
        here = Tensor.arange(length, dtype=DType.int64, device=input_ids.device)
        return self.wte(input_ids) + self.wpe(here)

    def __call__(self, input_ids):
        return self.ln_f(self.h(self.embed(input_ids)))


class MaxGPT2Model(Module):
    def __init__(self, config):
        self.n_layer = config.n_layer
        self.transformer = GPTModel(config)
        self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)

    def __call__(self, input_ids):
        return self.lm_head(self.transformer(input_ids))

    def load_huggingface_weights(self, hf_model, device):
        sd = hf_model.state_dict()
        gpt = self.transformer
        gpt.wte.weight = to_max(sd["transformer.wte.weight"], device)
        gpt.wpe.weight = to_max(sd["transformer.wpe.weight"], device)
        for i in range(self.n_layer):
            prefix = f"transformer.h.{i}."
            for part in TRANSPOSED:
                layer = dig(gpt.h[i], part)
                weight = numpy.asarray(sd[prefix + part + ".weight"])
                layer.weight = to_max(weight.T, device)
                layer.bias = to_max(sd[prefix + part + ".bias"], device)
            for part in PLAIN:
                norm = dig(gpt.h[i], part)
                norm.weight = to_max(sd[prefix + part + ".weight"], device)
                norm.bias = to_max(sd[prefix + part + ".bias"], device)
        gpt.ln_f.weight = to_max(sd["transformer.ln_f.weight"], device)
        gpt.ln_f.bias = to_max(sd["transformer.ln_f.bias"], device)
        self.lm_head.weight = to_max(sd["lm_head.weight"], device)
