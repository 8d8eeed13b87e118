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
        # Create the four parts of the transformer, with these names:
        #   - `self.wte`: token embeddings, C features for each of the V tokens
        #   - `self.wpe`: position embeddings, C features for each of the `n_positions`
        #     positions
        #   - `self.h`: `n_layer` transformer blocks in sequence
        #   - `self.ln_f`: the final layer normalization, with the epsilon of the config
        # An embedding is a table: Embedding(5, dim=2) has five rows of two numbers, and
        # the ids [3, 3] select the fourth row twice. `Embedding`, `Sequential`:
        # https://docs.modular.com/max/api/python/nn/module_v3
        raise NotImplementedError("embeddings, blocks and the final norm")
        # end

    def __call__(self, input_ids: Tensor) -> Tensor:
        """Hidden states: int64 [B, T] -> float32 [B, T, C]."""
        # hole: from ids to hidden states
        # The forward pass, int64 [B, T] -> float32 [B, T, C]: sum the embeddings of the
        # tokens and of their positions, apply the blocks, normalize. For the ids
        # [[7, 7, 2]] the positions are [[0, 1, 2]], so the two 7s differ. They are ids
        # too, int64 on the device of `input_ids`, and T may be a name.
        # `Tensor.range_like`, `Tensor.arange`:
        # https://docs.modular.com/max/api/python/experimental/tensor/
        raise NotImplementedError("from ids to hidden states")
        # end


class MaxGPT2Model(Module):
    """GPT-2 with its language modeling head."""

    def __init__(self, config: GPT2Config) -> None:
        # hole: the language modeling head
        # Create `self.transformer`, the GPTModel above, and `self.lm_head`, a linear
        # layer without bias from the C features of a hidden state to one score (logit)
        # for each of the V tokens. It is the unembedding: the hidden state [1, 2] and a
        # token's row [3, 4] make the score 1 * 3 + 2 * 4 = 11. The forward pass below
        # uses both. `Linear`:
        # https://docs.modular.com/max/api/python/nn/module_v3
        raise NotImplementedError("the language modeling head")
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
            # `array` is one tensor of Hugging Face's state dict, float32. Four weights
            # of each block come from Conv1D layers, which store [in, out]: attn.c_attn,
            # attn.c_proj, mlp.c_fc and mlp.c_proj. MAX's Linear stores [out, in], so
            # transpose these and nothing else: c_attn is [768, 2304] in the checkpoint
            # and [2304, 768] here. attn.c_proj is square and fits either way, so no
            # error will tell you. The biases, the norms, the embeddings and lm_head are
            # stored as MAX wants them.
            #
            # Then move the array to the specified device and keep it: weights[name] is
            # a driver.Tensor. MAX requires arrays that are contiguous in memory, which
            # a transposed array is not until `np.ascontiguousarray` copies it.
            # `driver.Tensor.from_dlpack`, `.to`:
            # https://docs.modular.com/max/api/python/driver/
            raise NotImplementedError("transpose and move")
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
