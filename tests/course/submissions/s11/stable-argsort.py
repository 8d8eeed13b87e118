# right: a stable argsort, full_like, a class with __init__ and Generator.choice
import numpy as np


def repetition_penalty(logits, ids, penalty):
    if penalty <= 0:
        raise ValueError(f"penalty is {penalty}, must be above 0")
    seen = np.unique(np.asarray(ids, dtype=np.int64))
    out = logits.copy()
    out[seen] = np.where(out[seen] > 0, out[seen] / penalty, out[seen] * penalty)
    return out


def top_k(logits, k):
    if k < 1:
        raise ValueError(f"k is {k}, must be 1 or more")
    order = np.argsort(-logits, kind="stable")
    out = np.full_like(logits, -np.inf)
    keep = order[:k]
    out[keep] = logits[keep]
    return out


def softmax(logits):
    logits = logits.astype(np.float64)
    exp = np.exp(logits - np.max(logits))
    return exp / np.sum(exp)


def top_p(logits, p):
    if p <= 0:
        raise ValueError(f"p is {p}, must be above 0")
    if p >= 1:
        return logits.copy()
    order = np.argsort(-logits, kind="stable")
    cumulative = np.cumsum(softmax(logits)[order])
    last = np.searchsorted(cumulative, p)
    keep = order[: last + 1]
    out = np.full_like(logits, -np.inf)
    out[keep] = logits[keep]
    return out


class Sampler:
    def __init__(self, *, temperature=1.0, top_k=None, top_p=None, penalty=1.0, seed=None):
        if temperature < 0:
            raise ValueError(f"temperature is {temperature}, less than 0")
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self.penalty = penalty
        self.rng = np.random.default_rng(seed)

    def __call__(self, logits, ids):
        logits = repetition_penalty(logits, ids, self.penalty)
        if self.temperature == 0:
            return int(np.argmax(logits))
        logits = logits / self.temperature
        if self.top_k is not None:
            logits = top_k(logits, self.top_k)
        if self.top_p is not None:
            logits = top_p(logits, self.top_p)
        probs = softmax(logits)
        return int(self.rng.choice(len(probs), p=probs))
