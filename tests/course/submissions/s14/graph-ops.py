# right: max.graph's own operations, a one-hot loss, the given graph
import math

from autodiff import gradients as derivatives
from max.dtype import DType
from max.experimental.tensor import Tensor
from max.experimental import functional as F
from max.graph import TensorValue
from models.training import CompiledUpdate


def cross_entropy(logits, targets):
    vocabulary = int(logits.shape[-1])
    tokens = F.range(0, vocabulary, out_dim=vocabulary, dtype=DType.int64, device=logits.device)
    hot = F.cast(F.equal(F.unsqueeze(targets, -1), tokens), logits.dtype)
    each = F.sum(hot * F.logsoftmax(logits), axis=-1)
    return -F.mean(F.reshape(each, [-1]), axis=0)


def clip(gradients, limit):
    parts = [F.reshape(g, [-1]) for g in gradients]
    norm = sum(F.sum(x * x, axis=0) for x in parts) ** 0.5
    scale = F.where(norm > limit, limit / norm, 1.0)
    return [g * scale for g in gradients]


def adamw(p, g, m, v, *, step, rate, decay=0.0, beta1=0.9, beta2=0.95, eps=1e-8):
    m = beta1 * m + g * (1 - beta1)
    v = beta2 * v + g**2 * (1 - beta2)
    size = (1 - beta2**step) ** 0.5 / (1 - beta1**step)
    root = v**0.5 + eps * (1 - beta2**step) ** 0.5
    return p - rate * decay * p - rate * size * m / root, m, v


def learning_rate(step, *, peak, warmup, steps, floor=0.0):
    rising = step / warmup if warmup else 1.0
    if rising < 1:
        return peak * rising
    left = max(steps - step, 0) / (steps - warmup)
    return floor + (peak - floor) * (1 - math.cos(math.pi * left)) / 2


class Trainer:
    def __init__(self, model, *, tied=(), weight_decay=0.1, clip=1.0):
        self.model = model
        self.weight_decay = weight_decay
        self.most = math.inf if clip is None else clip
        self._step = CompiledUpdate(self._update, model, tied)

    def _update(self, ids, targets, parameters, moments, step, rate):
        loss = cross_entropy(self.model(ids), targets)
        values = list(parameters.values())
        found = derivatives(TensorValue(loss), list(map(TensorValue, values)))
        found = [Tensor(value=each) for each in found]
        if self.most < math.inf:
            found = clip(found, self.most)
        return loss, {
            name: adamw(
                p, g, *moments[name], step=step, rate=rate,
                decay=self.weight_decay if p.rank >= 2 else 0,
            )
            for (name, p), g in zip(parameters.items(), found)
        }

    def step(self, ids, targets, rate):
        return self._step(ids, targets, rate)
