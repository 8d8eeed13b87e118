# right: Sequential, range_like, load_state_dict of arrays transposed before
import numpy as np
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Embedding, Linear, Module, Sequential

from block import GPT2Block
from config import GPT2Config
from layernorm import LayerNorm


class GPTModel(Module):
    def __init__(self, config: GPT2Config):
        self.wte = Embedding(config.vocab_size, dim=config.n_embd)
        self.wpe = Embedding(config.n_positions, dim=config.n_embd)
        self.h = Sequential(*[GPT2Block(config) for _ in range(config.n_layer)])
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
        weights = {}
        for name, value in hf_model.state_dict().items():
            value = np.asarray(value)
            if name.endswith(("c_attn.weight", "c_proj.weight", "c_fc.weight")):
                value = np.ascontiguousarray(value.T)
            weights[name] = Tensor.from_dlpack(value).to(device)
        self.load_state_dict(weights)
