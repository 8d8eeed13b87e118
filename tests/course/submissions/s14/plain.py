# right: log-sum-exp, a running total for the norm, AdamW by powers, the given graph
import math

import numpy as np
from autodiff import gradients as derivatives
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import TensorValue
from models.training import CompiledUpdate


def cross_entropy(logits, targets):
    highest = F.max(logits, axis=-1)
    shifted = logits - highest
    total = F.log(F.sum(F.exp(shifted), axis=-1))
    scores = shifted - total
    picked = F.gather_nd(scores, F.unsqueeze(targets, -1), batch_dims=2)
    flat = F.reshape(picked, [-1])
    return 0 - F.mean(flat, axis=0)


def clip(gradients, limit):
    total = 0.0
    for g in gradients:
        total = total + F.sum(F.reshape(g, [-1]) * F.reshape(g, [-1]), axis=0)
    norm = F.sqrt(total)
    factor = F.min(limit / norm, 1.0)
    return [g * factor for g in gradients]


def adamw(p, g, m, v, *, step, rate, decay=0.0, beta1=0.9, beta2=0.95, eps=1e-8):
    m = m + (g - m) * (1 - beta1)
    v = v * beta2 + g * g * (1 - beta2)
    first, second = 1 - beta1**step, 1 - beta2**step
    change = (m / first) / (F.sqrt(v / second) + eps)
    p = p - decay * rate * p - rate * change
    return p, m, v


def learning_rate(step, *, peak, warmup, steps, floor=0.0):
    if step < warmup:
        return peak * (step / warmup)
    if step >= steps:
        return floor
    x = (step - warmup) / (steps - warmup)
    return floor + (peak - floor) * 0.5 * (1.0 + math.cos(math.pi * x))


class Trainer:
    def __init__(self, model, *, tied=(), weight_decay=0.1, clip=1.0):
        self.model, self.decay, self.limit = model, weight_decay, clip
        self.compiled = CompiledUpdate(self.update, model, tied)

    def update(self, ids, targets, parameters, moments, step, rate):
        loss = cross_entropy(self.model(ids), targets)
        wrt = [TensorValue(p) for p in parameters.values()]
        found = [Tensor(value=g) for g in derivatives(TensorValue(loss), wrt)]
        if self.limit is not None:
            found = clip(found, self.limit)
        new = {}
        for name, g in zip(parameters, found, strict=True):
            p, (m, v) = parameters[name], moments[name]
            decay = self.decay if len(p.shape) > 1 else 0.0
            new[name] = adamw(p, g, m, v, step=step, rate=rate, decay=decay)
        return loss, new

    def step(self, ids, targets, rate):
        return self.compiled(ids, targets, rate)
