"""A hundred steps of PyTorch's AdamW on a tiny GPT-2, and its learning rates.

    python tests/course/record_training.py   # needs PyTorch; writes data/training.npz

``test_training.py`` compares the solutions with PyTorch where it is installed, and
otherwise with what this script recorded: each step's loss, and some numbers of each
parameter afterwards.
"""

from typing import Any

import numpy as np
from record_gradients import CASE, part
from record_parity import ROOT, Arrays, live

RECORDING = ROOT / "tests/course/data/training.npz"
STEPS, WARMUP, PEAK, FLOOR = 100, 10, 3e-3, 3e-4
BETAS, EPS, DECAY, LIMIT = (0.9, 0.95), 1e-8, 0.1, 1.0


def batches() -> list[Arrays]:
    """Of each step: ids and targets, int64 [B, T], of several shapes. A token is often
    the one before it plus one, which can be learnt."""
    rng = np.random.default_rng(0)
    found = []
    for step in range(STEPS):
        shape = (2 + step % 3, 6 + step % 5)
        start = rng.integers(0, CASE.sizes["vocab_size"], (shape[0], 1))
        text = (start + np.arange(shape[1] + 1)) % CASE.sizes["vocab_size"]
        found.append({"ids": text[:, :-1], "targets": text[:, 1:]})
    return found


def rates() -> list[float]:
    """Those of PyTorch's schedulers for a warm-up and a cosine, for steps 0 to 110."""
    import torch
    from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR

    optimizer = torch.optim.SGD([torch.zeros(1)], lr=PEAK)
    up = LinearLR(optimizer, 1e-12, 1.0, WARMUP)
    down = CosineAnnealingLR(optimizer, STEPS - WARMUP, FLOOR)
    both = SequentialLR(optimizer, [up, down], [WARMUP])
    found = []
    for _ in range(STEPS + 1):
        found.append(float(both.get_last_lr()[0]))
        optimizer.step()
        both.step()
    return found


def answer(model: Any) -> Arrays:
    """The losses of a live model, and its parameters after the last step, by the names
    and in the layouts of a checkpoint."""
    import torch

    named = dict(model.named_parameters())
    groups = [
        {"params": [p for p in named.values() if p.dim() > 1], "weight_decay": DECAY},
        {"params": [p for p in named.values() if p.dim() == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=PEAK, betas=BETAS, eps=EPS)
    losses = []
    for batch, rate in zip(batches(), rates()[1:], strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate
        logits = model(torch.tensor(batch["ids"])).logits.flatten(0, 1)
        wanted = torch.tensor(batch["targets"]).flatten()
        loss = torch.nn.functional.cross_entropy(logits, wanted)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(named.values(), LIMIT)
        optimizer.step()
        losses.append(loss.item())
    arrays = {name: p.detach().numpy() for name, p in named.items()}
    return {"losses": np.array(losses), **arrays}


def main() -> None:
    found = answer(live(CASE))
    losses = found.pop("losses")
    np.savez_compressed(
        RECORDING,
        fingerprint=CASE.fingerprint,
        losses=losses,
        rates=np.array(rates()),
        **{name: part(each) for name, each in found.items()},
    )
    print(f"{RECORDING.relative_to(ROOT)}: {RECORDING.stat().st_size / 1e3:.0f} kB")
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")


if __name__ == "__main__":
    main()
