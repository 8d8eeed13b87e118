# right: the numbers are read once and kept; ids read with item()
"""Text <-> token ids, with the fast tokenizer."""
from __future__ import annotations

from max import driver
from max.dtype import DType
from max.experimental import tensor as mt
import numpy
import transformers


class GPT2TokenizerWrapper:
    def __init__(
        self,
        model_name: str = "openai-community/gpt2",
        *,
        device: driver.Device | None = None,
    ) -> None:
        self._hf = transformers.GPT2TokenizerFast.from_pretrained(model_name)
        self._hf.pad_token = self._hf.eos_token
        self._device = device or driver.CPU()
        self._eos, self._size = self._hf.eos_token_id, self._hf.vocab_size

    def encode(self, text: str) -> mt.Tensor:
        ids = self._hf(text, add_special_tokens=False)["input_ids"]
        return mt.Tensor.constant([ids], dtype=DType.int64, device=self._device)

    def decode(self, tokens: mt.Tensor) -> str:
        if tokens.rank == 2:
            tokens = tokens[0]
        length = int(tokens.shape[0])
        ids = [int(tokens[i].item()) for i in range(length)]
        return self._hf.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    @property
    def eos_token_id(self) -> int:
        return self._eos

    @property
    def pad_token_id(self) -> int:
        return self._hf.pad_token_id

    @property
    def vocab_size(self) -> int:
        return self._size
