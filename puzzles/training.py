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
    # The logits are scores; `F.logsoftmax` makes logarithms of probabilities of them.
    # Take that of each target: `F.gather_nd(x, indices, batch_dims=2)` takes one of V
    # numbers for each of B T places, given the indices as [B, T, 1]. The loss is the
    # mean of all B T numbers, with the sign turned round. `F.mean` and `F.sum` work
    # along one axis, the last if you name none, and keep it: reshape to [-1] first. Why
    # not the logarithm of a softmax? A probability of e^-200 is 0 in float32, and has
    # no logarithm.
    raise NotImplementedError("the mean surprise")
    # end


def clip(gradients: Sequence[Any], limit: float) -> list[Any]:
    """The gradients, made shorter where their norm is above `limit`.

    The norm is that of all their numbers together, as of one long vector. Its direction
    stays; one bad batch cannot throw the weights far away.
    """
    # hole: shorten
    # The norm is the root of the sum of the squares of all numbers of all gradients.
    # Where it is above `limit`, multiply each gradient by limit / norm, else by 1:
    # `F.min` takes the smaller of two. Zeros are left alone: limit / 0 is infinite, and
    # the smaller of that and 1 is 1. `F.sum` works along one axis.
    raise NotImplementedError("shorten")
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
    # m and v are running means: m becomes beta1 m + (1 - beta1) g, v likewise with
    # beta2 and the square of g. Divided by 1 - beta1^step and 1 - beta2^step they no
    # longer start too small. The step is their quotient, m over the root of v plus eps:
    # about 1 for a gradient that keeps its sign, whatever its size. Take it from p, and
    # decay p with it, both times the rate. Return the new p, and m and v as they were
    # before they were divided.
    raise NotImplementedError("step against the gradient")
    # end


def learning_rate(
    step: int, *, peak: float, warmup: int, steps: int, floor: float = 0.0
) -> float:
    """The learning rate of a step: from 0 in a line to `peak` at step `warmup`, then
    down half a cosine to `floor` at step `steps`, where it stays."""
    # hole: up a line, down a cosine
    # From `steps` on the rate is the floor. Below `warmup` it is the part step / warmup
    # of the peak: at first the moments know little. Between them it follows (1 + cos(pi
    # x)) / 2, which falls from 1 to 0 while x goes from 0 to 1, scaled to lie between
    # peak and floor.
    raise NotImplementedError("up a line, down a cosine")
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
        # This is traced: the parameters are values of a graph. `loss` is the
        # cross-entropy of the model's logits. `gradients` of step 13 takes a
        # TensorValue and a list of them, and gives as many; `TensorValue(x)` makes one
        # of a Tensor, `Tensor(value=x)` goes back. Call the result `found`.
        raise NotImplementedError("the loss and its gradients")
        # end
        # hole: clip and update
        # Clip `found`, unless self.clip is None. Then fill the dictionary `updated`:
        # for each name the three values of `adamw`, given the parameter, its gradient,
        # its two moments from `moments`, step and rate. Only parameters with more than
        # one dimension decay: `p.rank`.
        raise NotImplementedError("clip and update")
        # end
        return loss, updated

    def step(self, ids: np.ndarray, targets: np.ndarray, rate: float) -> float:
        """Train on int64 [B, T], `targets` being the tokens after `ids`: the loss
        before the step."""
        return self.compiled(ids, targets, rate)
