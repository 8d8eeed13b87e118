# right: np.partition for the border, weights that are not divided, Gumbel noise
from __future__ import annotations

import numpy


def _border(logits: numpy.ndarray, k: int) -> numpy.ndarray:
    """True for exactly k tokens."""
    size = logits.shape[0]
    if k >= size:
        return numpy.ones(size, dtype=bool)
    least = numpy.partition(logits, size - k)[size - k]
    mask = logits > least
    ties = numpy.nonzero(logits == least)[0]
    mask[ties[: k - int(mask.sum())]] = True
    return mask


def _only(logits: numpy.ndarray, mask: numpy.ndarray) -> numpy.ndarray:
    return numpy.where(mask, logits, numpy.float32("-inf"))


def repetition_penalty(logits: numpy.ndarray, ids, penalty: float) -> numpy.ndarray:
    if penalty <= 0:
        raise ValueError(f"penalty is {penalty}, must be above 0")
    seen = numpy.zeros(logits.shape, dtype=bool)
    seen[numpy.array(ids, dtype=int).reshape(-1)] = True
    factor = numpy.where(logits < 0, penalty, 1 / penalty)
    return numpy.where(seen, logits * factor, logits)


def top_k(logits: numpy.ndarray, k: int) -> numpy.ndarray:
    if k < 1:
        raise ValueError(f"k is {k}, must be 1 or more")
    return _only(logits, _border(logits, k))


def top_p(logits: numpy.ndarray, p: float) -> numpy.ndarray:
    if p <= 0:
        raise ValueError(f"p is {p}, must be above 0")
    weights = numpy.exp(numpy.float64(logits) - logits.max())
    largest_first = -numpy.sort(-weights)
    before = numpy.concatenate([[0.0], numpy.cumsum(largest_first)[:-1]])
    enough = p * weights.sum()
    k = logits.size if p >= 1 else int((before < enough).sum())
    return _only(logits, _border(logits, k))


class Sampler:
    """Adds Gumbel noise: the largest sum is a draw from the softmax."""

    def __init__(
        self,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        penalty: float = 1.0,
        seed: int | None = None,
    ) -> None:
        if temperature < 0:
            raise ValueError(f"temperature is {temperature}, less than 0")
        self.temperature, self.penalty = temperature, penalty
        self.k, self.p = top_k, top_p
        self._random = numpy.random.default_rng(seed)

    def __call__(self, logits: numpy.ndarray, ids) -> int:
        scores = repetition_penalty(logits, ids, self.penalty)
        if self.temperature > 0:
            scores = scores / self.temperature
            if self.k is not None:
                scores = top_k(scores, self.k)
            if self.p is not None:
                scores = top_p(scores, self.p)
            scores = scores + self._random.gumbel(size=scores.shape)
        return numpy.argmax(scores)
