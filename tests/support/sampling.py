"""Whether what was drawn is drawn from the right distribution, and from which else.

All tests are on ratios of likelihoods that have a mean of 1 at most where the samples
are right. Such a ratio exceeds r with a probability of at most 1 / r (Ville 1939),
however it was decided when to stop. The parent process alone imports this.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


Rounds = Sequence[Sequence[int]]
"""What several samplers have drawn."""


def repeating(rounds: Rounds, p: Shares) -> float:
    """The logarithm of how much better it explains the draws that a sampler repeats
    what it drew n draws before, one time in two, for some n."""
    longest = max(map(len, rounds))
    ratios = [_repeating(rounds, p, lag) for lag in range(1, longest)]
    return float(np.logaddexp.reduce(ratios)) - math.log(len(ratios))


def _repeating(rounds: Rounds, p: Shares, lag: int) -> float:
    pairs = [pair for each in rounds for pair in zip(each, each[lag:], strict=False)]
    again = [new for old, new in pairs if old == new]
    others = len(pairs) - len(again)
    with np.errstate(all="ignore"):
        return float(np.log((1 / p[again] + 1) / 2).sum() - others * math.log(2))


def dependent(rounds: Rounds) -> bool:
    """Whether samplers repeat themselves or each other, more than tokens would that are
    as frequent as these: there are fewer draws than it seems."""
    p = shared(np.bincount(np.concatenate(rounds)) * 1.0)
    twice = [each for each, n in Counter(map(tuple, rounds)).items() if n > 1]
    surprise = max((-np.log(p[[*each]]).sum() for each in twice), default=0.0)
    return bool(repeating(rounds, p) > 6 or surprise > 25)


# Which way of drawing it was

Drawn = dict[str, Shares]
"""For each of several models the probability of each token, or how often it came."""


@dataclass(frozen=True)
class Ways:
    """The right way to draw from some models, and wrong ways by their ids.

    A way has one form or more: "top-k" is one for each k. ``judgements`` says how many
    of them a step makes, which share the risk of rejecting what is right.
    """

    right: Drawn
    wrong: dict[str, tuple[Drawn, ...]]
    judgements: int = 1

    @property
    def risk(self) -> float:
        return RARE + math.log(self.judgements)

    def explained(self, seen: Drawn) -> dict[str, float]:
        """How well each way explains what was drawn, by its best form; the right one
        is called ""."""
        ways = {"": (self.right,), **self.wrong}
        return {
            name: max(sum(likelihood(seen[m], p[m]) for m in p) for p in forms)
            for name, forms in ways.items()
        }

    def grouped(self, model: str, shares: Shares) -> Shares:
        """A few tokens one by one; of many the frequent ones, and the rare in halves;
        and what never comes."""
        p = self.right[model]
        order, possible = np.argsort(-p, kind="stable"), int((p > NEVER).sum())
        many = (0, 1, 2, 4, possible // 2, possible)
        steps = range(possible + 1) if possible <= 6 else many
        first = [at for at in sorted(set(steps)) if at < len(p)]
        return np.array(np.add.reduceat(shares[order], first))

    def unlike(self, seen: Drawn, p: Drawn) -> list[str]:
        """The models whose draws something else explains much better than p."""
        by = {m: unlike(self.grouped(m, seen[m]), self.grouped(m, p[m])) for m in p}
        return [model for model in by if by[model] > self.risk + math.log(len(by))]

    def suspect(self, seen: Drawn) -> str | None:
        """A model whose draws are not the right way's; None where all may be."""
        found = self.explained(seen)
        wrong = self.unlike(seen, self.right)
        forms = 1 + sum(map(len, self.wrong.values()))
        if not wrong and max(found.values()) - found[""] <= self.risk + math.log(forms):
            return None
        return wrong[0] if wrong else next(iter(self.right))

    def named(self, seen: Drawn) -> str:
        """The one way that explains the draws, all others doing much worse; "" where
        the right one or none does."""
        *_, second, first = sorted(
            (by, name) for name, by in self.explained(seen).items()
        )
        forms = self.wrong.get(first[1], ())
        fits = any(not self.unlike(seen, p) for p in forms)
        return first[1] if fits and first[0] - second[0] > 6 else ""


NEVER = 1e-4
"""A probability below which a token may never come."""


def forgiving(p: Shares) -> Shares:
    """Rounded random numbers are forgiven: once in 100,000 draws a token may come that
    has no probability."""
    return p if p.all() else np.where(p > 0, p * (1 - 1e-5), 1e-5 / (p == 0).sum())
