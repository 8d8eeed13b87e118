"""What makes a compiled model pleasant to call: it lets go of what it computed.

The function that `Module.compile` returns enters each of its results into MAX's global
eager graph, which holds it for as long as the program runs: GPT-2's logits cost 13 MB
a token. The engine's model underneath does not do that. It takes and gives tensors of
the driver, memory that is freed with the last object that refers to it.
"""

import inspect
from collections.abc import Callable
from typing import Any

from max import driver
from max.driver import CPU, Device
from max.experimental import tensor


def lean(compiled: Callable[..., Any], device: Device | None = None) -> "Lean":
    """What `Module.compile` returned, without a memory of its results.

    Args:
        compiled: the function that `Module.compile` returned.
        device: the one for which it was compiled; None is the CPU.

    Raises:
        TypeError: `compiled` is something else.
    """
    function = compiled
    if inspect.isfunction(compiled):  # one more function unpacks a single result
        function = inspect.getclosurevars(compiled).nonlocals.get("compiled", compiled)
    model = getattr(function, "__wrapped__", None)
    if not hasattr(model, "execute"):
        raise TypeError(f"{compiled!r} is not what Module.compile returned")
    return Lean(model, device or CPU(), single=function is not compiled)


class Lean:
    """A compiled model: its inputs may be anywhere, its results are on the CPU.

    Args:
        model: the `max.engine.Model`.
        device: where it runs.
        single: whether it has one result, which is returned without a list.
    """

    def __init__(self, model: Any, device: Device, *, single: bool) -> None:
        self.model = model
        self.device = device
        self.single = single

    def __call__(self, *inputs: Any) -> Any:
        """Run the model on eager tensors, tensors of the driver, or arrays."""
        moved = [driver.Tensor.from_dlpack(x).to(self.device) for x in inputs]
        results = [Result(made.to(CPU())) for made in self.model.execute(*moved)]
        return results[0] if self.single else results


class Result(tensor.Tensor):
    """A tensor that enters the eager graph when an operation needs it, and not before.

    NumPy reads it without that, and then nothing but its user holds it.
    """

    def __init__(self, storage: driver.Tensor) -> None:
        self.storage = storage
        self._real = True

    def __getattr__(self, name: str) -> Any:
        """Called for what is missing: at first that is the place in the graph."""
        if name == "_value":
            tensor.GRAPH.add_source(self)
        return self.__getattribute__(name)
