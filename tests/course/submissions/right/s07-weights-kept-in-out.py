# right: a Linear of its own that multiplies by [in, out]: the square head is loaded transposed
import numpy as np
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Embedding, Linear, Module, Sequential as Stack

from block import GPT2Block
from config import GPT2Config
from layernorm import LayerNorm


class GPTModel(Module):
    def __init__(self, config: GPT2Config):
        self.wte = Embedding(config.vocab_size, dim=config.n_embd)
        self.wpe = Embedding(config.n_positions, dim=config.n_embd)
        self.h = Stack(*[GPT2Block(config) for _ in range(config.n_layer)])
        self.ln_f = LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)

    def __call__(self, input_ids):
        tok = self.wte(input_ids)
        pos = self.wpe(Tensor.range_like(input_ids.type))
        x = tok + pos
        x = self.h(x)
        return self.ln_f(x)


class MaxGPT2Model(Module):
    def __init__(self, config: GPT2Config):
        self.transformer = GPTModel(config)
        self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)

    def __call__(self, input_ids):
        x = self.transformer(input_ids)
        return self.lm_head(x)

    def load_huggingface_weights(self, hf_model, device):
        source = hf_model.state_dict()
        linears = [
            (f"transformer.h.{i}.{kind}.{name}.weight")
            for i in range(len(self.transformer.h))
            for kind, name in [
                ("attn", "c_attn"), ("attn", "c_proj"), ("mlp", "c_fc"), ("mlp", "c_proj")
            ]
        ]
        mine = {
            name: np.einsum("io->oi", np.asarray(w)) if name in linears else np.asarray(w)
            for name, w in source.items()
        }
        mine = {name: np.array(w, order="C", copy=True) for name, w in mine.items()}
        self.load_state({k: Tensor.from_dlpack(v).to(device) for k, v in mine.items()}.get)
