# right: plain Python: loops, sorted, math.exp and random.Random
import math
import random

import numpy as np

LEFT_OUT = float("-inf")


def by_probability(logits):
    """The ids, the most probable first; of equals the lower one first."""
    return sorted(range(len(logits)), key=lambda i: (-logits[i], i))


def softmax(logits):
    top = max(logits)
    weights = [math.exp(x - top) for x in logits]
    total = sum(weights)
    return [w / total for w in weights]


def only(logits, keep):
    keep = set(keep)
    left = [x if i in keep else LEFT_OUT for i, x in enumerate(logits)]
    return np.array(left, dtype=np.float32)


def repetition_penalty(logits, ids, penalty):
    if not penalty > 0:
        raise ValueError(f"penalty is {penalty}, must be above 0")
    new = logits.tolist()
    for token in set(np.array(ids, dtype=int).flatten().tolist()):
        if new[token] > 0:
            new[token] /= penalty
        else:
            new[token] *= penalty
    return np.array(new, dtype=np.float32)


def top_k(logits, k):
    if k < 1:
        raise ValueError(f"k is {k}, must be 1 or more")
    values = logits.tolist()
    return only(values, by_probability(values)[:k])


def top_p(logits, p):
    if not p > 0:
        raise ValueError(f"p is {p}, must be above 0")
    values = logits.tolist()
    probabilities = softmax(values)
    keep, total = [], 0.0
    for token in by_probability(values):
        if total >= p and p < 1:
            break
        keep.append(token)
        total += probabilities[token]
    return only(values, keep)


class Sampler:
    def __init__(
        self, *, temperature=1.0, top_k=None, top_p=None, penalty=1.0, seed=None
    ):
        if temperature < 0:
            raise ValueError(f"temperature is {temperature}, less than 0")
        self.temperature = temperature
        self.top_k = top_k
        self.top_p = top_p
        self.penalty = penalty
        self.dice = random.Random(seed)

    def __call__(self, logits, ids):
        logits = repetition_penalty(logits, ids, self.penalty)
        if self.temperature == 0:
            return by_probability(logits.tolist())[0]
        logits = np.array([x / self.temperature for x in logits.tolist()])
        if self.top_k:
            logits = top_k(logits, self.top_k)
        if self.top_p:
            logits = top_p(logits, self.top_p)
        weights = softmax(logits.tolist())
        return self.dice.choices(range(len(weights)), weights=weights)[0]
