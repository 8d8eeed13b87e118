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

    Attributes:
        steps: how many it has taken.

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
        self.steps = 0
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

    def __call__(self, ids: np.ndarray, targets: np.ndarray, rate: float) -> float:
        """Take a step on int64 [B, T]: the loss before it."""
        self.steps += 1
        texts = (np.ascontiguousarray(each) for each in (ids, targets))
        numbers = (np.array(each, np.float32) for each in (self.steps, rate))
        arrays = *texts, *numbers
        given = [driver.Tensor.from_dlpack(each).to(self.device) for each in arrays]
        loss, *_ = self.model.execute(*given, *self._tensors())
        for copy, original in self.copies:
            copy.inplace_copy_from(original)
        return float(np.from_dlpack(loss.to(CPU())).ravel()[0])

    def state(self) -> dict[str, np.ndarray]:
        """All that the next step depends on, copied: parameters, moments, steps."""
        tensors = dict(zip(self._names(), self._tensors(), strict=True))
        arrays = {
            name: np.from_dlpack(each.to(CPU())) for name, each in tensors.items()
        }
        copies = {name: each.copy() for name, each in arrays.items()}
        return {**copies, "steps": np.array(self.steps)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on where `state` was taken. Raises KeyError if it is another model's."""
        for name, tensor in zip(self._names(), self._tensors(), strict=True):
            tensor.inplace_copy_from(driver.Tensor.from_dlpack(state[name]))
        for copy, original in self.copies:
            copy.inplace_copy_from(original)
        self.steps = int(state["steps"])

    def _names(self) -> list[str]:
        kinds = ("parameter", "first moment", "second moment")
        return [f"{kind} {name}" for kind in kinds for name in self.memory]

    def _tensors(self) -> list[driver.Tensor]:
        return [*self.memory.values(), *self.moments]


def _zeros(like: driver.Tensor) -> driver.Tensor:
    zeros = np.zeros(tuple(like.shape), np.float32)
    return driver.Tensor.from_dlpack(zeros).to(like.device)
