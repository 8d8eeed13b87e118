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
    seen = np.isin(np.arange(len(logits)), ids)  # [V], True for the tokens in ids
    penalized = np.where(logits > 0, logits / penalty, logits * penalty)
    return np.where(seen, penalized, logits)
    # end


def top_k(logits: np.ndarray, k: int) -> np.ndarray:
    """Keep the k most probable tokens, of equals the lower ids: float32 [V] -> [V]."""
    _require_above_zero("k", k)
    # hole: keep k tokens
    least = np.sort(logits)[-k:][0]  # the k-th largest logit; the smallest if k > V
    kept = logits > least  # [V], fewer than k are True
    equal = np.flatnonzero(logits == least)
    kept[equal[: k - kept.sum()]] = True
    return np.where(kept, logits, -np.inf)
    # end


def top_p(logits: np.ndarray, p: float) -> np.ndarray:
    """Keep the fewest tokens whose probabilities reach p: float32 [V] -> [V]."""
    _require_above_zero("p", p)
    # hole: keep the nucleus
    reached = np.cumsum(np.sort(_softmax(logits))[::-1])  # [V], most probable first
    k = np.count_nonzero(reached < p) + 1
    return top_k(logits, k if p < 1 else len(logits))
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
        logits = repetition_penalty(logits, ids, self.penalty)
        if self.temperature == 0:
            return int(logits.argmax())
        logits = (logits - logits.max()).astype(np.float64) / self.temperature
        logits = top_p(top_k(logits, self.top_k or len(logits)), self.top_p or 1)
        return int(self.rng.choice(len(logits), p=_softmax(logits)))
        # end


def _softmax(logits: np.ndarray) -> np.ndarray:
    """The probabilities, as in step 9: float32 [V] -> float64 [V]."""
    exp = np.exp(logits - logits.max(), dtype=np.float64)
    return exp / exp.sum()


def _require_above_zero(name: str, value: float | None) -> None:
    if value is not None and not value > 0:
        raise ValueError(f"{name} is {value}, must be above 0")
