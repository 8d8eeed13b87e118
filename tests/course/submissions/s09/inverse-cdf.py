# right: a list of ids, the inverse of the cumulative distribution
"""A list of ids and the inverse of the cumulative distribution."""
from __future__ import annotations

import numpy
from max.experimental.tensor import Tensor


class TextGenerator:
    def __init__(self, model, tokenizer, *, context_length: int = 1024) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.context_length = context_length

    def _scores(self, ids: list[int]) -> numpy.ndarray:
        cut = ids[-self.context_length :]
        batch = Tensor.from_dlpack(numpy.array([cut], dtype=numpy.int64))
        return numpy.from_dlpack(self.model(batch))[0][len(cut) - 1].astype(float)

    def _draw(self, scores: numpy.ndarray, temperature: float, rng) -> int:
        scores = scores / temperature
        weights = numpy.exp(scores - scores.max())
        cumulative = numpy.cumsum(weights / weights.sum())
        place = numpy.searchsorted(cumulative, rng.random(), side="right")
        return int(min(place, len(weights) - 1))

    def generate(
        self,
        prompt: str,
        *,
        max_new_tokens: int = 50,
        temperature: float = 0.8,
        do_sample: bool = True,
        seed: int | None = None,
    ) -> str:
        if not prompt:
            raise ValueError("the prompt is empty")
        if max_new_tokens < 0:
            raise ValueError(f"max_new_tokens is {max_new_tokens}, less than 0")
        if do_sample and temperature <= 0:
            raise ValueError(f"temperature is {temperature}, not above 0")
        rng = numpy.random.default_rng(seed)
        ids = numpy.from_dlpack(self.tokenizer.encode(prompt))[0].tolist()
        while max_new_tokens > 0:
            scores = self._scores(ids)
            if do_sample:
                ids.append(self._draw(scores, temperature, rng))
            else:
                ids.append(int(scores.argmax()))
            max_new_tokens -= 1
        return self.tokenizer.decode(Tensor.from_dlpack(numpy.array([ids])))
