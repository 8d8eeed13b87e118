"""Step 14: training, which makes the model expect the next token of a text.

A model is trained on texts whose next tokens are known. The loss says how much it is
surprised by them; step 13 gives the gradient of the loss for each weight; and AdamW
takes a small step against it. A few hundred of these steps make a text of your own
sound through GPT-2, and a few thousand make one from nothing.

Sources: Loshchilov and Hutter 2019, arXiv:1711.05101, algorithm 2 (AdamW); Loshchilov
and Hutter 2017, arXiv:1608.03983 (cosine); Pascanu et al. 2013, arXiv:1211.5063
(clipping); `torch.optim.AdamW` for the order of the operations.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import TensorValue

from autodiff import gradients
from models.training import CompiledUpdate


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """The mean surprise, -log of the probability of the target: float32 [B, T, V] and
    int64 [B, T] -> [1].

    With all of V tokens equally probable it is log V; it is 0 where each target has all
    of the probability.
    """
    # hole: the mean surprise
    log_probs = F.logsoftmax(logits)  # [B, T, V]
    places = F.unsqueeze(targets, -1)  # [B, T, 1]
    picked = F.gather_nd(log_probs, places, batch_dims=2)  # [B, T]
    return -F.mean(F.reshape(picked, [-1]), axis=0)
    # end


def clip(gradients: Sequence[Any], limit: float) -> list[Any]:
    """The gradients, made shorter where their norm is above `limit`.

    The norm is that of all their numbers together, as of one long vector. Its direction
    stays; one bad batch cannot throw the weights far away.
    """
    # hole: shorten
    squares = [F.sum(F.reshape(g * g, [-1]), axis=0) for g in gradients]  # each [1]
    norm = F.sqrt(sum(squares))
    scale = F.min(limit / norm, 1.0)
    return [g * scale for g in gradients]
    # end


def adamw(
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    *,
    step: Any,
    rate: Any,
    decay: float = 0.0,
    beta1: float = 0.9,
    beta2: float = 0.95,
    eps: float = 1e-8,
) -> tuple[Any, Any, Any]:
    """A parameter and its two moments after a step, from those before and the gradient.

    Args:
        p, g, m, v: of one shape. m is a running mean of the gradient, v one of its
            square; both start at 0, which makes them too small at first.
        step: its number, from 1 on; and `rate`, the learning rate: numbers, or tensors
            of one number.
        decay: the part of p that is taken away, times the rate. It does not pass
            through the moments.
    """
    # hole: step against the gradient
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    m_hat = m / (1 - beta1**step)
    v_hat = v / (1 - beta2**step)
    p = p - rate * (m_hat / (F.sqrt(v_hat) + eps) + decay * p)
    return p, m, v
    # end


def learning_rate(
    step: int, *, peak: float, warmup: int, steps: int, floor: float = 0.0
) -> float:
    """The learning rate of a step: from 0 in a line to `peak` at step `warmup`, then
    down half a cosine to `floor` at step `steps`, where it stays."""
    # hole: up a line, down a cosine
    if step >= steps:
        return floor
    if step < warmup:
        return peak * step / warmup
    part = (step - warmup) / (steps - warmup)
    return floor + (peak - floor) * (1 + math.cos(math.pi * part)) / 2
    # end


class Trainer:
    """Trains a model in its own memory.

    Args:
        model: returns logits [B, T, V] for ids [B, T].
        tied: pairs (name, other) of parameters that are one: `other` is trained.
        weight_decay: of parameters with more than one dimension. Biases and the weights
            of norms are not drawn to 0.
        clip: the largest norm of the gradients; None for any.
    """

    def __init__(
        self,
        model: Any,
        *,
        tied: Iterable[tuple[str, str]] = (),
        weight_decay: float = 0.1,
        clip: float | None = 1.0,
    ) -> None:
        self.model = model
        self.weight_decay = weight_decay
        self.clip = clip
        self.compiled = CompiledUpdate(self.update, model, tied)

    def update(
        self,
        ids: Tensor,
        targets: Tensor,
        parameters: dict[str, Tensor],
        moments: dict[str, tuple[Tensor, Tensor]],
        step: Tensor,
        rate: Tensor,
    ) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor, Tensor]]]:
        """The loss, and each parameter with its moments after a step. It is traced
        once; the parameters are the model's."""
        # hole: the loss and its gradients
        loss = cross_entropy(self.model(ids), targets)
        values = [TensorValue(p) for p in parameters.values()]
        found = [Tensor(value=g) for g in gradients(TensorValue(loss), values)]
        # end
        # hole: clip and update
        found = found if self.clip is None else clip(found, self.clip)
        updated = {}
        for (name, p), g in zip(parameters.items(), found, strict=True):
            m, v = moments[name]
            decay = self.weight_decay if p.rank > 1 else 0.0
            updated[name] = adamw(p, g, m, v, step=step, rate=rate, decay=decay)
        # end
        return loss, updated

    def step(self, ids: np.ndarray, targets: np.ndarray, rate: float) -> float:
        """Train on int64 [B, T], `targets` being the tokens after `ids`: the loss
        before the step."""
        return self.compiled(ids, targets, rate)
