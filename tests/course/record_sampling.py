"""What transformers' logits processors make of random logits.

    python tests/course/record_sampling.py     # needs PyTorch; writes data/sampling.npz

``test_sampling.py`` compares step 11 with what this script recorded, and where PyTorch
is installed the recording with transformers itself. Run it again when a case changes.

Only the cases of ties have equal logits, where the rules differ as the test says; and
no sum of probabilities comes near a p.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

RECORDING = Path(__file__).parent / "data" / "sampling.npz"

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Case:
    """Logits of ``size`` tokens, ids of the text so far, and what is asked for.

    ``settings`` are a Sampler's, in transformers' order: penalty, temperature, top_k,
    top_p. ``spread`` is the standard deviation of the logits, around ``mean``.
    """

    name: str
    size: int
    settings: dict[str, float] = field(default_factory=dict)
    length: int = 40
    spread: float = 3.0
    mean: float = 0.0

    @property
    def logits(self) -> Array:
        """float32 [V]; in the cases of ties rounded, so that many are equal."""
        rng = np.random.default_rng([len(self.name), self.size])
        logits = rng.normal(self.mean, self.spread, self.size).astype(np.float32)
        return np.round(logits) if self.name.startswith("ties") else logits

    @property
    def ids(self) -> Array:
        """int64 [1, T], some of them several times."""
        rng = np.random.default_rng([self.length, self.size])
        return rng.integers(0, min(self.size, self.length), (1, self.length))


CASES = (
    Case("penalty", 257, {"penalty": 1.2}),
    Case("penalty below 1", 257, {"penalty": 0.7}),
    Case("hot", 257, {"temperature": 1.7}),
    Case("cold", 257, {"temperature": 0.3}),
    Case("top-k", 1009, {"top_k": 50}),
    Case("top-1", 1009, {"top_k": 1}),
    Case("top-k beyond V", 101, {"top_k": 500}),
    Case("top-p", 1009, {"top_p": 0.9}),
    Case("small p", 1009, {"top_p": 0.2}),
    Case("tiny p", 1009, {"top_p": 1e-6}),
    Case("large p", 257, {"top_p": 0.99}),
    Case("flat", 2048, {"top_p": 0.5}, spread=0.1),
    Case("as GPT-2's", 2048, {"top_p": 0.8, "top_k": 200}, spread=2.0, mean=-95.0),
    Case("p of k", 257, {"top_k": 20, "top_p": 0.6, "temperature": 2.0}),
    Case(
        "everything",
        2048,
        {"penalty": 1.3, "temperature": 0.8, "top_k": 40, "top_p": 0.9},
    ),
    Case("ties", 101, {"top_k": 12}),
    Case("ties of p", 101, {"top_p": 0.98}),
)


def processors(settings: dict[str, float]) -> list[Any]:
    """transformers' own, in the order in which ``generate`` applies them."""
    from transformers import (
        RepetitionPenaltyLogitsProcessor,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    kinds = {
        "penalty": RepetitionPenaltyLogitsProcessor,
        "temperature": TemperatureLogitsWarper,
        "top_k": TopKLogitsWarper,
        "top_p": TopPLogitsWarper,
    }
    return [kinds[name](settings[name]) for name in kinds if name in settings]


def answer(case: Case) -> Array:
    """What transformers makes of the logits, float32 [V]. Needs PyTorch."""
    import torch

    ids, scores = torch.tensor(case.ids), torch.tensor(case.logits)[None]
    for process in processors(case.settings):
        scores = process(ids, scores)
    found: Array = scores[0].numpy()
    return found


def main() -> None:
    recording = {case.name: answer(case) for case in CASES}
    np.savez_compressed(RECORDING, **recording)  # type: ignore[arg-type]
    for name, scores in recording.items():
        print(f"{name}: {np.isfinite(scores).sum()} of {len(scores)} tokens are left")
    print(f"{RECORDING.name}: {RECORDING.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
