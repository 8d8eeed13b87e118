# right: loads as it is and transposes the tensors afterwards, a slice of wpe.weight
from functools import reduce

from max import driver
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Embedding, Linear, Module, Sequential

from block import *
from config import *
from layernorm import *


class GPTModel(Module):
    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.config = config
        self.wte = Embedding(config.vocab_size, dims=[config.n_embd])
        self.wpe = Embedding(config.n_positions, dims=[config.n_embd])
        self.h = Sequential()
        for _ in range(config.n_layer):
            self.h.append(GPT2Block(config))
        self.ln_f = LayerNorm(dim=config.n_embd, eps=config.layer_norm_epsilon)

    def __call__(self, input_ids: Tensor) -> Tensor:
        t = input_ids.shape[-1]
        token_embeddings = F.gather(self.wte.weight, input_ids, axis=0)
        position_embeddings = F.unsqueeze(self.wpe.weight[:t], 0)
        x = token_embeddings + position_embeddings
        x = reduce(lambda x, layer: layer(x), self.h, x)
        return self.ln_f(x)


class MaxGPT2Model(Module):
    def __init__(self, config: GPT2Config) -> None:
        super().__init__()
        self.transformer = GPTModel(config)
        self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)

    def __call__(self, input_ids: Tensor) -> Tensor:
        return self.lm_head(self.transformer(input_ids))

    def load_huggingface_weights(self, hf_model, device: driver.Device) -> None:
        state_dict = {}
        for key, value in hf_model.state_dict().items():
            state_dict[key] = driver.Tensor.from_dlpack(value).to(device)
        self.load_state_dict(state_dict, strict=False)
        for block in self.transformer.h:
            for linear in (
                block.attn.c_attn,
                block.attn.c_proj,
                block.mlp.c_fc,
                block.mlp.c_proj,
            ):
                linear.weight = linear.weight.T
