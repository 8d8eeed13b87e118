# right: MAX computes the softmax and the masks, eagerly; NumPy sorts and draws
import numpy as np
from max.experimental import functional as F
from max.experimental.tensor import Tensor


def masked(logits, keep):
    x = Tensor.from_dlpack(np.ascontiguousarray(logits))
    mask = Tensor.from_dlpack(np.ascontiguousarray(keep))
    return np.from_dlpack(F.where(mask, x, float("-inf")))


def softmax(logits):
    p = F.softmax(Tensor.from_dlpack(np.ascontiguousarray(logits, dtype=np.float32)))
    return np.from_dlpack(p).astype(np.float64)


def repetition_penalty(logits, ids, penalty):
    if penalty <= 0:
        raise ValueError(f"penalty is {penalty}, must be above 0")
    x = Tensor.from_dlpack(np.ascontiguousarray(logits))
    lower = F.where(x > 0, x / penalty, x * penalty)
    seen = np.zeros(len(logits), dtype=bool)
    seen[np.array(ids, dtype=np.int64)] = True
    return np.from_dlpack(F.where(Tensor.from_dlpack(seen), lower, x))


def ranks(logits):
    result = np.empty(len(logits), dtype=np.int64)
    result[np.argsort(-logits, kind="mergesort")] = np.arange(len(logits))
    return result


def top_k(logits, k):
    if k < 1:
        raise ValueError(f"k is {k}, must be 1 or more")
    return masked(logits, ranks(logits) < k)


def top_p(logits, p):
    if p <= 0:
        raise ValueError(f"p is {p}, must be above 0")
    if p >= 1:
        return masked(logits, np.ones(len(logits), dtype=bool))
    total = np.cumsum(np.sort(softmax(logits))[::-1])
    return masked(logits, ranks(logits) <= np.sum(total < p))


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
        if self.penalty != 1:
            logits = repetition_penalty(logits, ids, self.penalty)
        if self.temperature == 0:
            return int(np.argmax(logits))
        logits = (logits / self.temperature).astype(np.float32)
        if self.top_k is not None:
            logits = top_k(logits, self.top_k)
        if self.top_p is not None:
            logits = top_p(logits, self.top_p)
        p = softmax(logits)
        return int(self.rng.choice(len(p), p=p / p.sum()))
