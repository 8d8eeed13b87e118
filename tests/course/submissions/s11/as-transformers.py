# right: ascending sort and the sum from the least probable on, as transformers has it
"""Filters as transformers writes them, with a sort that breaks ties."""
import numpy as np


def _softmax(x):
    x = np.exp(x.astype(np.float64) - x.max())
    return x / x.sum()


def _ascending(logits):
    # the last one is the most probable, of equals the lowest id
    return len(logits) - 1 - np.argsort(logits[::-1], kind="stable")


def repetition_penalty(logits, ids, penalty):
    if not penalty > 0:
        raise ValueError(f"`penalty` has to be positive, but is {penalty}")
    ids = np.array(ids, dtype=np.int64).ravel()
    score = logits[ids]
    score = np.where(score < 0, score * penalty, score / penalty)
    processed = logits.copy()
    np.put(processed, ids, score)
    return processed


def top_k(logits, k, filter_value=-float("inf")):
    if k < 1:
        raise ValueError(f"`k` has to be 1 or more, but is {k}")
    k = min(k, logits.shape[-1])
    keep = np.zeros(logits.shape, dtype=bool)
    keep[_ascending(logits)[-k:]] = True
    return np.where(keep, logits, filter_value)


def top_p(logits, p, filter_value=-float("inf"), min_tokens_to_keep=1):
    if not p > 0:
        raise ValueError(f"`p` has to be positive, but is {p}")
    if p >= 1:
        return logits
    order = _ascending(logits)
    cumulative_probs = _softmax(logits)[order].cumsum()
    sorted_indices_to_remove = cumulative_probs <= 1 - p
    sorted_indices_to_remove[-min_tokens_to_keep:] = False
    indices_to_remove = np.empty_like(sorted_indices_to_remove)
    indices_to_remove[order] = sorted_indices_to_remove
    return np.where(indices_to_remove, filter_value, logits)


class Sampler:
    def __init__(self, *, temperature=1.0, top_k=None, top_p=None, penalty=1.0, seed=None):
        if temperature < 0:
            raise ValueError(f"`temperature` has to be 0 or more, but is {temperature}")
        self.generator = np.random.Generator(np.random.PCG64(seed))
        self.greedy = temperature == 0
        self.processors = []
        if penalty != 1.0:
            self.processors.append(lambda ids, x: repetition_penalty(x, ids, penalty))
        if not self.greedy:
            self.processors.append(lambda ids, x: x / temperature)
            if top_k is not None:
                self.processors.append(lambda ids, x: globals()["top_k"](x, top_k))
            if top_p is not None:
                self.processors.append(lambda ids, x: globals()["top_p"](x, top_p))

    def __call__(self, logits, ids):
        for process in self.processors:
            logits = process(ids, logits)
        if self.greedy:
            return int(logits.argmax())
        return int(self.generator.multinomial(1, _softmax(logits)).argmax())
