"""What a KV cache needs besides the idea: memory that a graph changes in place.

For each layer there are two pieces of memory, [B, H, N, D], with room for N tokens. A
`Cache` is such a piece, as it is seen while the graph is traced. Without them each step
would copy all keys and values to make room for one more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from max import driver
from max.driver import CPU
from max.dtype import DType
from max.engine import InferenceSession
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import BufferType, DeviceRef, Graph, TensorType, TensorValue
from max.nn.module_v3 import Module


@dataclass(frozen=True)
class Cache:
    """The keys or the values of one layer while a graph is traced."""

    memory: Any  # float32 [B, H, N, D]
    past: Any  # int64, how many tokens it holds
    total: Any  # int64, and with the new ones

    def extend(self, new: Tensor) -> Tensor:
        """Put those of T new tokens behind the others, and return all of them:
        float32 [B, H, T, D] -> [B, H, past + T, D]."""
        tokens = new.shape[2]
        new_rows = (slice(self.past, self.total), tokens)
        F.buffer_store_slice(self.memory, new, [slice(None), slice(None), new_rows])
        rows = (slice(0, self.total), "total")
        return Tensor(value=self.memory[:, :, rows])


@dataclass
class Caches:
    """The keys and values of some tokens: the memory of each layer, and how many."""

    memory: list[driver.Tensor]
    tokens: int = 0


class CompiledStep:
    """`step(input_ids, past, caches)` as one graph, for prompts and for single tokens.

    Args:
        step: returns the logits of new tokens. It is called once, to be traced: with
            ids, int64 [B, T], a Tensor of one number, how many tokens are cached, and
            for each layer a pair of `Cache`, its keys and its values.
        model: whose parameters it uses. The graph runs where they are.
        config: the sizes. There is room for `n_positions` tokens.
    """

    def __init__(self, step: Callable[..., Tensor], model: Module, config: Any) -> None:
        _, parameter = next(iter(model.parameters))
        self.device = parameter.device
        self.layers, self.room = config.n_layer, config.n_positions
        self.shape = (config.n_head, self.room, config.n_embd // config.n_head)
        session = InferenceSession(devices=[self.device])
        weights = dict(model.parameters)
        self.model = session.load(self._graph(step, model), weights_registry=weights)

    def _graph(self, step: Callable[..., Tensor], model: Module) -> Graph:
        place = DeviceRef.from_device(self.device)
        types = [
            TensorType(DType.int64, ("batch", "seqlen"), place),
            TensorType(DType.int64, (), DeviceRef.CPU()),
            *[BufferType(DType.float32, ("batch", *self.shape), place)]
            * (2 * self.layers),
        ]
        with Graph("step", input_types=types) as graph:
            ids, past = (each.tensor for each in graph.inputs[:2])
            total = past + TensorValue(ids.shape[1])
            found = [Cache(each.buffer, past, total) for each in graph.inputs[2:]]
            caches = list(zip(found[::2], found[1::2], strict=True))
            with model._mapped_parameters(
                lambda name, parameter: F.constant_external(name, parameter.type)
            ):
                graph.output(step(Tensor(value=ids), Tensor(value=past), caches))
        return graph

    def empty(self, batch: int) -> Caches:
        """The caches of `batch` texts without a token."""
        zeros = np.zeros((batch, *self.shape), np.float32)
        copies = (zeros.copy() for _ in range(2 * self.layers))
        return Caches([driver.Tensor.from_dlpack(c).to(self.device) for c in copies])

    def __call__(self, input_ids: Any, caches: Caches) -> tuple[driver.Tensor, Caches]:
        """Feed int64 [B, T]: what `step` gives, on the CPU, and the grown caches, which
        are in the same memory. Raises ValueError where the tokens do not fit."""
        ids = driver.Tensor.from_dlpack(input_ids).to(self.device)
        total = caches.tokens + ids.shape[1]
        if total > self.room:
            raise ValueError(f"{total} tokens do not fit into {self.room} positions")
        past = driver.Tensor.from_dlpack(np.array(caches.tokens))
        logits, *_ = self.model.execute(ids, past, *caches.memory)
        return logits.to(CPU()), Caches(caches.memory, total)
