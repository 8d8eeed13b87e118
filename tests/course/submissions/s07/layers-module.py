# right: a module of its own for the stack, moved to the device as a whole
# every layer is an attribute of a small module of its own
import numpy as np
from max.driver import Device
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Embedding, Linear, Module
from block import GPT2Block
from config import GPT2Config
from layernorm import LayerNorm


class Layers(Module):
    def __init__(self, config: GPT2Config):
        self.count = config.n_layer
        for i in range(config.n_layer):
            setattr(self, str(i), GPT2Block(config))

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        return getattr(self, str(range(self.count)[i]))

    def __iter__(self):
        return (self[i] for i in range(self.count))

    def __call__(self, x):
        for i in range(self.count):
            x = getattr(self, str(i))(x)
        return x


class GPTModel(Module):
    def __init__(self, config: GPT2Config):
        self.wte = Embedding(config.vocab_size, dim=config.n_embd)
        self.wpe = Embedding(config.n_positions, dim=config.n_embd)
        self.h = Layers(config)
        self.ln_f = LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)

    def __call__(self, input_ids: Tensor) -> Tensor:
        B, T = input_ids.shape
        pos = Tensor.arange(0, T, dtype=DType.int64, device=input_ids.device)
        pos = F.broadcast_to(F.unsqueeze(pos, 0), [B, T])
        x = self.wte(input_ids) + self.wpe(pos)
        x = self.h(x)
        x = self.ln_f(x)
        return x


class MaxGPT2Model(Module):
    def __init__(self, config: GPT2Config):
        self.transformer = GPTModel(config)
        self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)

    def __call__(self, input_ids: Tensor) -> Tensor:
        return self.lm_head(self.transformer(input_ids))

    def load_huggingface_weights(self, hf_model, device: Device) -> None:
        wanted = dict(self.parameters)
        found = {k: v for k, v in hf_model.state_dict().items() if k in wanted}
        for key in found:
            array = np.array(found[key])
            if any(key.endswith(f"{n}.weight") for n in ["c_attn", "c_fc", "c_proj"]):
                array = array.T.copy()
            found[key] = array
        self.load_state_dict(found)
        self.to(device)
