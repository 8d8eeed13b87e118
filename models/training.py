"""What training needs besides the mathematics: one graph that changes a model in place.

For each parameter there are three pieces of memory of its shape: its own, and the two
moments of AdamW. A step reads them, computes, and writes them where they were.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from max import driver
from max.driver import CPU
from max.dtype import DType
from max.engine import InferenceSession
from max.experimental.tensor import Tensor
from max.graph import BufferType, DeviceRef, Graph, TensorType, TensorValue
from max.nn.module_v3 import Module

INPUTS = 4
"""Of the graph, before the memory: ids, targets, the number of the step, the rate."""


class CompiledUpdate:
    """`update(ids, targets, parameters, moments, step, rate)` as one graph.

    Args:
        update: returns the loss, [1], and for each of `parameters` its new value and
            its new moments. It is called once, to be traced: with ids and targets,
            int64 [B, T], with two dictionaries by the parameters' names, of values and
            of pairs of moments, and with two numbers, float32 []. Meanwhile the model
            has the traced values for its parameters.
        model: its memory is changed, and seen by all who hold one of its tensors.
        tied: pairs (name, other): `name` is `other`, and gets its new values.
    """

    def __init__(
        self,
        update: Callable[..., Any],
        model: Module,
        tied: Iterable[tuple[str, str]] = (),
    ) -> None:
        memory = {
            name: driver.Tensor.from_dlpack(tensor)  # which realizes it
            for name, tensor in model.parameters
        }
        pairs = dict(tied)
        self.copies = [(memory[name], memory[pairs[name]]) for name in pairs]
        self.memory = {name: memory[name] for name in memory if name not in pairs}
        self.moments = [_zeros(tensor) for tensor in self.memory.values()]
        self.moments += [_zeros(tensor) for tensor in self.memory.values()]
        self.device = next(iter(self.memory.values())).device
        session = InferenceSession(devices=[self.device])
        self.model = session.load(self._graph(update, model, pairs))

    def _graph(
        self, update: Callable[..., Any], model: Module, tied: dict[str, str]
    ) -> Graph:
        place = DeviceRef.from_device(self.device)
        ids = TensorType(DType.int64, ("batch", "seqlen"), place)
        number = TensorType(DType.float32, (), place)
        kinds = [
            BufferType(tensor.dtype, tensor.shape, place)
            for tensor in (*self.memory.values(), *self.moments)
        ]
        with Graph("update", input_types=[ids, ids, number, number, *kinds]) as graph:
            ids, targets, step, rate = (
                Tensor(value=each.tensor) for each in graph.inputs[:INPUTS]
            )
            buffers = [each.buffer for each in graph.inputs[INPUTS:]]
            loaded = [Tensor(value=buffer[...]) for buffer in buffers]
            count = len(self.memory)
            parameters = dict(zip(self.memory, loaded, strict=False))
            pairs = zip(loaded[count : 2 * count], loaded[2 * count :], strict=True)
            moments = dict(zip(self.memory, pairs, strict=True))
            values = parameters | {name: parameters[tied[name]] for name in tied}
            with model._mapped_parameters(lambda name, _: values[name]):
                loss, updated = update(ids, targets, parameters, moments, step, rate)
            for at, name in enumerate(self.memory):
                places = buffers[at], buffers[count + at], buffers[2 * count + at]
                for buffer, value in zip(places, updated[name], strict=True):
                    buffer[...] = TensorValue(value)
            graph.output(TensorValue(loss))
        return graph

    def __call__(
        self, ids: np.ndarray, targets: np.ndarray, step: int, rate: float
    ) -> float:
        """Train on int64 [B, T]: the loss before the step."""
        texts = (np.ascontiguousarray(each) for each in (ids, targets))
        arrays = *texts, np.array(step, np.float32), np.array(rate, np.float32)
        given = (driver.Tensor.from_dlpack(each).to(self.device) for each in arrays)
        loss, *_ = self.model.execute(*given, *self.memory.values(), *self.moments)
        for copy, original in self.copies:
            copy.inplace_copy_from(original)
        return float(np.from_dlpack(loss.to(CPU())).ravel()[0])


def _zeros(like: driver.Tensor) -> driver.Tensor:
    zeros = np.zeros(tuple(like.shape), np.float32)
    return driver.Tensor.from_dlpack(zeros).to(like.device)
