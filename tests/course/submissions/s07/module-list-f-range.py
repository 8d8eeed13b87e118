# right: a loop over a ModuleList, F.range with out_dim, load_state with a lookup
"""My GPT-2, with a plain loop over the blocks."""
from max.driver import Device
from max.dtype import DType
import max.experimental.functional as F
from max.experimental.tensor import Tensor
import max.nn.module_v3 as nn
import numpy as np
from max.nn.module_v3.sequential import ModuleList

import block
import config as cfg
import layernorm


class GPTModel(nn.Module):
    def __init__(self, config: cfg.GPT2Config) -> None:
        width = config.n_embd
        self.wte = nn.Embedding(config.vocab_size, dim=width)
        self.wpe = nn.Embedding(config.n_positions, dim=width)
        layers = []
        for _ in range(config.n_layer):
            layers.append(block.GPT2Block(config))
        self.h = ModuleList(layers)
        self.ln_f = layernorm.LayerNorm(width, eps=config.layer_norm_epsilon)

    def __call__(self, input_ids: Tensor) -> Tensor:
        seq_len = input_ids.shape[-1]
        positions = F.range(
            0, seq_len, 1, out_dim=seq_len, dtype=DType.int64, device=input_ids.device
        )
        hidden = self.wte(input_ids) + self.wpe(positions)
        for layer in self.h:
            hidden = layer(hidden)
        hidden = self.ln_f(hidden)
        return hidden


class MaxGPT2Model(nn.Module):
    def __init__(self, config: cfg.GPT2Config) -> None:
        self.config = config
        self.transformer = GPTModel(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)

    def __call__(self, input_ids: Tensor) -> Tensor:
        hidden = self.transformer(input_ids)
        logits = self.lm_head(hidden)
        return logits

    def load_huggingface_weights(self, hf_model, device: Device) -> None:
        state = hf_model.state_dict()

        def lookup(name: str):
            array = np.array(state[name], dtype=np.float32)
            layer = name.split(".")[-2]
            if name.endswith(".weight") and layer in {"c_attn", "c_proj", "c_fc"}:
                array = np.array(array.transpose(), order="C")
            return Tensor.from_dlpack(array).to(device)

        self.load_state(lookup)
