"""Step 11: sampling strategies, which leave out what the model finds unlikely.

Each unlikely token is rarely drawn, but GPT-2 has 50,000 of them, and one odd token can
derail a text. Top-k draws from the k most probable tokens only (Fan et al. 2018,
section 5.4), top-p from the fewest that have the probability p together (Holtzman et
al. 2020, section 3.1). A repetition penalty makes the tokens of the text less probable
(Keskar et al. 2019, section 4.1). Each takes logits and returns logits. As in the
causal mask, -inf leaves a token out: exp(-inf) is 0.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np


def repetition_penalty(logits: np.ndarray, ids: Any, penalty: float) -> np.ndarray:
    """Make the tokens in `ids` (of any shape) less probable: float32 [V] -> [V]."""
    _require_above_zero("penalty", penalty)
    # hole: penalize the tokens of the text
    # Return a new array [V] in which every token that is in `ids` is less probable: a
    # positive logit is divided by the penalty, a negative one multiplied. With the
    # penalty 2 and the ids [0, 1, 1], [4, -1, 3] becomes [2, -2, 3]. (Divided by 2, -1
    # would become -0.5, which is more probable.) A token counts once, however often it
    # occurs.
    #
    # `ids` can be a list or an array of any shape, and it can be empty. `np.isin` says
    # which elements of one array are in another, and `np.where` chooses between arrays.
    # https://numpy.org/doc/stable/reference/generated/numpy.isin.html
    # https://numpy.org/doc/stable/reference/generated/numpy.where.html
    raise NotImplementedError("penalize the tokens of the text")
    # end


def top_k(logits: np.ndarray, k: int) -> np.ndarray:
    """Keep the k most probable tokens, of equals the lower ids: float32 [V] -> [V]."""
    _require_above_zero("k", k)
    # hole: keep k tokens
    # Return a new array [V] in which the k most probable tokens have their logits, and
    # all others -inf. If k is V or more, all are kept. Keep exactly k: of tokens with
    # equal logits, the lower ids. With k = 2, [1, 3, 2, 2] becomes [-inf, 3, 2, -inf].
    #
    # One way: find the k-th largest logit (`np.sort` is ascending), keep what is above
    # it, and then of the tokens that equal it as many as are still missing.
    # `np.flatnonzero` gives the ids at which a condition holds, in order.
    # https://numpy.org/doc/stable/reference/generated/numpy.sort.html
    # https://numpy.org/doc/stable/reference/generated/numpy.flatnonzero.html
    raise NotImplementedError("keep k tokens")
    # end


def top_p(logits: np.ndarray, p: float) -> np.ndarray:
    """Keep the fewest tokens whose probabilities reach p: float32 [V] -> [V]."""
    _require_above_zero("p", p)
    # hole: keep the nucleus
    # Return a new array [V] that keeps the fewest of the most probable tokens that have
    # at least the probability p together; all others are -inf. If p is 1 or more, all
    # are kept. The probabilities [0.1, 0.5, 0.3, 0.1], summed from the largest down,
    # are 0.5, 0.8, 0.9 and 1. With p = 0.6 two tokens are kept, because the second one
    # reaches p; with p = 0.5 it is one.
    #
    # You only need to find how many tokens that is: `top_k` keeps them. `_softmax`
    # below makes the probabilities, in float64, and `np.cumsum` sums them.
    # https://numpy.org/doc/stable/reference/generated/numpy.cumsum.html
    raise NotImplementedError("keep the nucleus")
    # end


@dataclass(kw_only=True)
class Sampler:
    """Chooses the next token; by default it is drawn from softmax(logits)."""

    temperature: float = 1.0  # 0 is greedy
    top_k: int | None = None
    top_p: float | None = None
    penalty: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        if not self.temperature >= 0:
            raise ValueError(f"temperature is {self.temperature}, must be 0 or more")
        for name in ("top_k", "top_p", "penalty"):
            _require_above_zero(name, getattr(self, name))
        self.rng = np.random.default_rng(self.seed)

    def __call__(self, logits: np.ndarray, ids: Any) -> int:
        """The next token after `ids`, whose logits are float32 [V]."""
        # hole: choose the next token
        # Choose the next token and return its id, an int. The order is that of
        # transformers: the penalty; the temperature, by which the logits are divided;
        # top-k; top-p, on what top-k has left; softmax; and a draw with `self.rng`,
        # which has the seed. At temperature 0 nothing is drawn: return the most
        # probable token after the penalty.
        #
        # The order matters. Probabilities of [0.8, 0.2] become [0.67, 0.33] at
        # temperature 2: with p = 0.7, top-p keeps one token before the temperature, and
        # two after it. `top_k` is the function above, and `self.top_k` the number; it
        # is None, as is `self.top_p`, if nothing is to be left out. A k of V or a p of
        # 1 does the same.
        # https://numpy.org/doc/stable/reference/random/generated/numpy.random.Generator.choice.html
        raise NotImplementedError("choose the next token")
        # end


def _softmax(logits: np.ndarray) -> np.ndarray:
    """The probabilities, as in step 9: float32 [V] -> float64 [V]."""
    exp = np.exp(logits - logits.max(), dtype=np.float64)
    return exp / exp.sum()


def _require_above_zero(name: str, value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"{name} is {value}, must be above 0")
