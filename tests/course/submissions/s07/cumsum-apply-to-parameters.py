# right: positions counted by cumsum, apply_to_parameters, the head as a matrix product
import numpy as np
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Embedding, Linear, Module, Sequential

from block import GPT2Block
from layernorm import LayerNorm


def conv1d(name):
    """Is this one of the four Conv1D weights of a block?"""
    return ".h." in name and name.endswith("weight") and "ln_" not in name


class GPTModel(Module):

    def __init__(self, config):
        c = config
        self.wte, self.wpe = (
            Embedding(rows, dim=c.n_embd) for rows in (c.vocab_size, c.n_positions)
        )
        self.h = Sequential(*map(lambda _: GPT2Block(c), range(c.n_layer)))
        self.ln_f = LayerNorm(c.n_embd, eps=c.layer_norm_epsilon)

    def __call__(self, input_ids):
        ones = Tensor.ones_like(input_ids.type)
        positions = F.cumsum(ones, axis=-1) - 1
        embeddings = F.add(self.wte(input_ids), self.wpe(positions))
        return self.ln_f(self.h(embeddings))


class MaxGPT2Model(Module):

    def __init__(self, config):
        self.transformer = GPTModel(config)
        self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)

    def __call__(self, input_ids):
        hidden_states = self.transformer(input_ids)
        return hidden_states @ self.lm_head.weight.T

    def load_huggingface_weights(self, hf_model, device):
        loaded = hf_model.state_dict()

        def replace(name, old):
            new = np.asarray(loaded[name], np.float32)
            if conv1d(name):
                new = new.swapaxes(0, 1).copy()
            return Tensor.from_dlpack(new).to(device)

        self.apply_to_parameters(replace)
