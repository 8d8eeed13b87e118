# right: lexsort, copies changed in place, a dataclass, the inverse of the distribution
from dataclasses import dataclass, field

import numpy as np


def repetition_penalty(logits, ids, penalty):
    if penalty <= 0:
        raise ValueError(f"penalty is {penalty}, must be above 0")
    result = np.array(logits)
    mask = np.isin(np.arange(result.size), ids)
    result[mask & (logits > 0)] /= penalty
    result[mask & (logits <= 0)] *= penalty
    return result


def order_of(logits):
    return np.lexsort((np.arange(logits.size), -logits))


def top_k(logits, k):
    if k < 1:
        raise ValueError(f"k is {k}, must be 1 or more")
    result = np.array(logits)
    result[order_of(logits)[k:]] = -np.inf
    return result


def top_p(logits, p):
    if p <= 0:
        raise ValueError(f"p is {p}, must be above 0")
    result = np.array(logits)
    if p < 1:
        order = order_of(logits)
        sorted_logits = logits[order].astype(np.float64)
        sorted_logits -= sorted_logits[0]
        probs = np.exp(sorted_logits) / np.exp(sorted_logits).sum()
        remove = np.cumsum(probs) >= p
        remove[1:] = remove[:-1].copy()
        remove[0] = False
        result[order[remove]] = -np.inf
    return result


@dataclass(kw_only=True)
class Sampler:
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    penalty: float = 1.0
    seed: int | None = None
    random: np.random.RandomState = field(init=False)

    def __post_init__(self):
        if self.temperature < 0:
            raise ValueError(f"temperature is {self.temperature}, less than 0")
        self.random = np.random.RandomState(self.seed)

    def __call__(self, logits, ids):
        scores = repetition_penalty(logits, ids, self.penalty)
        if not self.temperature:
            return scores.argmax()
        scores /= np.float32(self.temperature)
        if self.top_k is not None:
            scores = top_k(scores, self.top_k)
        if self.top_p is not None:
            scores = top_p(scores, self.top_p)
        scores -= scores.max()
        cumulative = np.exp(scores, dtype=np.float64).cumsum()
        drawn = self.random.random_sample() * cumulative[-1]
        return np.searchsorted(cumulative, drawn, side="right")
