# right: GPT2TokenizerFast with a pad token set, Tensor.constant, special tokens left out
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

    def encode(self, text: str) -> mt.Tensor:
        ids = self._hf(text, add_special_tokens=False)["input_ids"]
        return mt.Tensor.constant([ids], dtype=DType.int64, device=self._device)

    def decode(self, tokens: mt.Tensor) -> str:
        ids = numpy.from_dlpack(tokens)
        if ids.ndim == 2:
            ids = ids[0]
        return self._hf.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )

    @property
    def eos_token_id(self) -> int:
        return self._hf.eos_token_id

    @property
    def pad_token_id(self) -> int:
        return self._hf.pad_token_id

    @property
    def vocab_size(self) -> int:
        return len(self._hf)
