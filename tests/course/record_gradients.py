"""The gradients of Hugging Face's GPT-2, for a tiny model.

    python tests/course/record_gradients.py   # needs PyTorch; writes data/gradients.npz

``test_gradients.py`` compares the solutions with PyTorch where it is installed, and
otherwise with what this script recorded: some numbers of each gradient.
Run it again when the case in ``record_parity.py`` changes: the test says so.
"""

from typing import Any

import numpy as np
from record_parity import CASES, ROOT, Arrays, Case, live

RECORDING = ROOT / "tests/course/data/gradients.npz"
CASE = CASES[0]
KEPT = 32
"""Numbers of each gradient that are recorded."""


def targets(case: Case) -> np.ndarray:
    """The tokens after each position: int64 [B, T], the last one drawn."""
    drawn = np.random.default_rng(case.seed).integers(
        0, case.sizes["vocab_size"], (len(case.input_ids), 1)
    )
    return np.concatenate([case.input_ids[:, 1:], drawn], axis=1)


def answer(case: Case, model: Any) -> Arrays:
    """d cross-entropy / d p for each parameter p of a live model, by the names and in
    the layouts of its checkpoint; wte is lm_head as well."""
    import torch

    logits = model(torch.tensor(case.input_ids)).logits.flatten(0, 1)
    wanted = torch.tensor(targets(case)).flatten()
    torch.nn.functional.cross_entropy(logits, wanted).backward()
    return {name: p.grad.numpy() for name, p in model.named_parameters()}


def part(gradient: np.ndarray) -> np.ndarray:
    """What is recorded of a gradient: numbers from all over it, and the largest."""
    flat = gradient.ravel()
    places = np.linspace(0, flat.size - 1, KEPT).round().astype(int)
    return np.append(flat[places], np.abs(flat).max())


def main() -> None:
    found = answer(CASE, live(CASE))
    recording: dict[str, Any] = {name: part(each) for name, each in found.items()}
    np.savez_compressed(RECORDING, fingerprint=CASE.fingerprint, **recording)
    print(f"{RECORDING.relative_to(ROOT)}: {RECORDING.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
