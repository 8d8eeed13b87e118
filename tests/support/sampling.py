"""Whether what was drawn is drawn from the right distribution, and from which else.

All tests are on ratios of likelihoods that have a mean of 1 at most where the samples
are right. Such a ratio exceeds r with a probability of at most 1 / r (Ville 1939),
however it was decided when to stop. The parent process alone imports this.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Shares = np.ndarray[Any, np.dtype[Any]]
"""The probability of each token, or how often it was drawn."""

RARE = math.log(4e6)
"""A test may reject what is right once in four million runs."""


def counts(text: str, signs: Sequence[str]) -> Shares:
    """How often each token was written; what is no token's sign is left out."""
    return np.array([text.count(sign) for sign in signs], float)


def likelihood(seen: Shares, p: Shares) -> float:
    """The logarithm of the probability of these draws in their order."""
    with np.errstate(all="ignore"):
        return float(np.where(seen > 0, seen * np.log(p), 0.0).sum())


def unlike(seen: Shares, p: Shares) -> float:
    """The logarithm of how much better any distribution at all explains the draws: the
    estimate before each draw, (n_j + 1/2) / (n + k/2) (Krichevsky and Trofimov 1981).
    """
    k, n = len(seen), seen.sum()
    estimated = sum(math.lgamma(each + 0.5) for each in seen) - k * math.lgamma(0.5)
    return estimated + math.lgamma(k / 2) - math.lgamma(n + k / 2) - likelihood(seen, p)


def chances(logits: Shares, temperature: float = 1.0) -> Shares:
    """softmax(logits / temperature)."""
    exp = np.exp((logits - logits.max()) / temperature)
    return exp / exp.sum()


def shared(weights: Shares) -> Shares:
    return weights / weights.sum()


def top(p: Shares, k: int) -> Shares:
    """The k most probable tokens alone."""
    return shared(np.where(np.argsort(np.argsort(-p)) < k, p, 0))


def up_to(p: Shares, part: float) -> Shares:
    """The most probable tokens that have this part of the probability together."""
    return top(p, int(np.searchsorted(np.cumsum(-np.sort(-p)), part)) + 1)


def largest(scores: Shares, noise: Callable[[Shares], Shares]) -> Shares:
    """How often each score is the largest, with noise added; integrated over x.

    ``noise(x)`` is the probability that the noise is less than x.
    """
    x = scores.max() + np.linspace(-12, 16, 1121)
    below = noise(x - scores[:, None])
    middle = np.maximum((below[:, 1:] + below[:, :-1]) / 2, 1e-300)
    others = np.exp(np.log(middle).sum(0) - np.log(middle))
    return shared((np.diff(below, axis=1) * others).sum(1))


def normal(x: Shares) -> Shares:
    known = np.linspace(-8, 8, 1601)
    erf = [math.erf(each / math.sqrt(2)) for each in known]
    return (1 + np.interp(x, known, erf)) / 2


NOISES: tuple[Callable[[Shares], Shares], ...] = (
    lambda x: np.clip(x, 0, 1),  # uniform
    lambda x: 1 - np.exp(-np.clip(x, 0, None)),  # exponential
    lambda x: 1 - np.exp(-np.exp(np.clip(x, None, 500))),  # Gumbel's, negative
    normal,
)
"""What is taken for Gumbel's noise."""
