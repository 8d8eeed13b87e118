"""Step 7: the complete GPT-2, from token ids to a score for every possible next token.

A token id selects a row of the token embeddings `wte`, its position a row of the
position embeddings `wpe`; their sum goes through the blocks and a final layer norm.
Why positions: attention takes a mean over a set of tokens, so by itself it hardly tells
"dog bites man" from "man bites dog". GPT-2 learns a vector for each position: simpler
than the first transformer's sine waves and as good, but it ends at `n_positions`.

The language modeling head `lm_head` (unembedding) compares the result with a vector for
each token of the vocabulary. In GPT-2 these are the rows of `wte` again (tied weights):
a token means the same whether it is read or written, and the model needs 124 million
parameters, not 163. All names are Hugging Face's, so that its weights load by name.
"""

from typing import Any

import numpy as np
from max import driver
from max.experimental.tensor import Tensor
from max.nn.module_v3 import Embedding, Linear, Module, Sequential

from block import GPT2Block
from config import GPT2Config
from layernorm import LayerNorm

# Hugging Face keeps these as Conv1D, [in, out]; MAX's Linear wants [out, in].
CONV1D = ("c_attn.weight", "c_proj.weight", "c_fc.weight")


class GPTModel(Module):
    """Embeddings, blocks, final norm (Radford et al. 2019, section 2.3)."""

    def __init__(self, config: GPT2Config) -> None:
        # hole: embeddings, blocks and the final norm
        self.wte = Embedding(config.vocab_size, dim=config.n_embd)
        self.wpe = Embedding(config.n_positions, dim=config.n_embd)
        self.h = Sequential(*(GPT2Block(config) for _ in range(config.n_layer)))
        self.ln_f = LayerNorm(config.n_embd, eps=config.layer_norm_epsilon)
        # end

    def __call__(self, input_ids: Tensor) -> Tensor:
        """Hidden states: int64 [B, T] -> float32 [B, T, C]."""
        # hole: from ids to hidden states
        positions = Tensor.range_like(input_ids.type)  # [B, T], each row 0 .. T-1
        hidden_states = self.wte(input_ids) + self.wpe(positions)  # [B, T, C]
        return self.ln_f(self.h(hidden_states))
        # end


class MaxGPT2Model(Module):
    """GPT-2 with its language modeling head."""

    def __init__(self, config: GPT2Config) -> None:
        # hole: the language modeling head
        self.transformer = GPTModel(config)
        self.lm_head = Linear(config.n_embd, config.vocab_size, bias=False)
        # end

    def __call__(self, input_ids: Tensor) -> Tensor:
        """Logits, the scores of the next token: int64 [B, T] -> float32 [B, T, V]."""
        return self.lm_head(self.transformer(input_ids))  # [B, T, C] -> [B, T, V]

    def load_huggingface_weights(self, hf_model: Any, device: driver.Device) -> None:
        """Put the tensors of `hf_model.state_dict()` on `device` and load them; their
        names and layouts are Hugging Face's."""
        state = hf_model.state_dict()
        weights = {}
        for name, _ in self.parameters:
            array = _as_array(state, name)
            # hole: transpose and move
            if name.endswith(CONV1D):
                array = np.ascontiguousarray(array.T)  # [in, out] -> [out, in]
            weights[name] = driver.Tensor.from_dlpack(array).to(device)
            # end
        _check_shapes(weights, self.parameters)
        self.load_state_dict(weights)


def _as_array(state: Any, name: str) -> np.ndarray:
    """A float32 array from a tensor of NumPy or PyTorch."""
    if name not in state:
        raise ValueError(f"the checkpoint has no tensor {name}")
    tensor = state[name]
    if hasattr(tensor, "detach"):  # PyTorch: off the GPU; NumPy knows no bfloat16
        tensor = tensor.detach().cpu().float()
    return np.asarray(tensor, dtype=np.float32)


def _check_shapes(weights: dict[str, driver.Tensor], parameters: Any) -> None:
    """Name the weights that do not fit, and say whether they would if transposed."""
    wrong, turned = [], True
    for name, parameter in parameters:
        got, want = list(weights[name].shape), [int(size) for size in parameter.shape]
        if got != want:
            wrong.append(f"{name.removeprefix('transformer.')} is {got}, want {want}")
            turned = turned and got == want[::-1]
    if wrong:
        fault = "these would fit if transposed" if turned else "these do not fit"
        raise ValueError(f"{fault}: {'; '.join(wrong[:3])}")
