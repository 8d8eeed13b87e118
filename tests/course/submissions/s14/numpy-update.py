# right: a graph for the gradients alone; clipping and AdamW of the Trainer in NumPy
import math

import numpy as np
from autodiff import gradients as derivatives
from max import driver, engine
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import DeviceRef, Graph, TensorType, TensorValue


def cross_entropy(logits, targets):
    log_probs = F.logsoftmax(logits)
    chosen = F.gather_nd(log_probs, F.unsqueeze(targets, -1), batch_dims=2)
    return F.mean(F.reshape(-chosen, [-1]), axis=0)


def clip(gradients, limit):
    norm = F.sqrt(sum(F.sum(F.reshape(g**2, [-1]), axis=0) for g in gradients))
    return [g * F.min(1.0, limit / norm) for g in gradients]


def moments(g, m, v, beta1, beta2):
    return beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g


def adamw(p, g, m, v, *, step, rate, decay=0.0, beta1=0.9, beta2=0.95, eps=1e-8):
    m, v = moments(g, m, v, beta1, beta2)
    by = m / (1 - beta1**step) / (F.sqrt(v / (1 - beta2**step)) + eps)
    return p * (1 - rate * decay) - rate * by, m, v


def learning_rate(step, *, peak, warmup, steps, floor=0.0):
    if step < warmup:
        return step * peak / warmup
    x = 1.0 if step >= steps else (step - warmup) / (steps - warmup)
    return floor + (peak - floor) * math.cos(math.pi * x / 2) ** 2


class Trainer:
    def __init__(self, model, *, tied=(), weight_decay=0.1, clip=1.0):
        self.tied, self.decay, self.limit = dict(tied), weight_decay, clip
        cpu = DeviceRef.CPU()
        views = {n: np.from_dlpack(p) for n, p in model.parameters}
        self.arrays = {n: p.driver_tensor for n, p in model.parameters}
        self.names = [n for n in self.arrays if n not in self.tied]
        ids = TensorType(DType.int64, ("batch", "seqlen"), cpu)
        kinds = [TensorType(DType.float32, views[n].shape, cpu) for n in self.names]
        with Graph("gradients", input_types=[ids, ids, *kinds]) as graph:
            x, y, *values = (Tensor(value=each.tensor) for each in graph.inputs)
            named = dict(zip(self.names, values, strict=True))
            named |= {name: named[other] for name, other in self.tied.items()}
            with model._mapped_parameters(lambda name, _: named[name]):
                loss = TensorValue(cross_entropy(model(x), y))
            graph.output(loss, *derivatives(loss, [TensorValue(v) for v in values]))
        self.run = engine.InferenceSession([driver.CPU()]).load(graph)
        self.m = {n: np.zeros(views[n].shape) for n in self.names}
        self.v = {n: np.zeros(views[n].shape) for n in self.names}
        self.steps = 0

    def step(self, ids, targets, rate):
        self.steps += 1
        inputs = [self.arrays[n] for n in self.names]
        loss, *found = self.run.execute(ids, targets, *inputs)
        found = [np.from_dlpack(g).astype(np.float64) for g in found]
        norm = math.sqrt(sum((g * g).sum() for g in found))
        scale = 1.0 if self.limit is None else min(1.0, self.limit / max(norm, 1e-12))
        for name, g in zip(self.names, found, strict=True):
            p = np.from_dlpack(self.arrays[name]).astype(np.float64)
            m, v = moments(scale * g, self.m[name], self.v[name], 0.9, 0.95)
            self.m[name], self.v[name] = m, v
            by = m / (1 - 0.9**self.steps)
            by = by / (np.sqrt(v / (1 - 0.95**self.steps)) + 1e-8)
            decay = self.decay if p.ndim > 1 else 0.0
            self.put(name, p - rate * (by + decay * p))
        for name, other in self.tied.items():
            self.put(name, np.from_dlpack(self.arrays[other]))
        return float(np.from_dlpack(loss)[0])

    def put(self, name, array):
        new = np.ascontiguousarray(array, dtype=np.float32)
        self.arrays[name].inplace_copy_from(driver.Tensor.from_dlpack(new))
