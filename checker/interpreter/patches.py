"""Puts the interpreter into MAX 25.7, and takes it out again.

- All eager tensors share one graph. A tensor with memory of its own enters it through
  `ComputeGraph.add_source`; another one gets its value from `ComputeGraph.evaluate`.
- `InferenceSession.load` compiles a graph and returns a `Model`. Here it returns an
  `Interpreted`, which behaves like a `Model`.

What is `Unsupported` is left to MAX, and the listener is told why.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from max import _core, driver, mlir
from max.engine import api as engine
from max.experimental import tensor as eager
from max.graph import BufferValue, Graph, TensorValue, ops
from max.graph.graph import _location

from checker.interpreter.graph import (
    Dim,
    Kind,
    Program,
    Unsupported,
    data,
    kind_of,
    needed_for,
    program_of,
    reads_of,
    to_driver,
    to_mlir,
    to_numpy,
)
from checker.interpreter.operations import Refused

# --- what is left to MAX --------------------------------------------------------------

Listener = Callable[[str], None]


_listener: Listener = lambda line: print(line, file=sys.stderr)


def listen(listener: Listener) -> Listener:
    """Calls `listener` with a line for each graph that is left to MAX, from here on.

    Returns the listener that was there before. The first prints to standard error.
    """
    global _listener
    before, _listener = _listener, listener
    return before


def _leave_to_max(reason: object, graph: Graph) -> None:
    _listener(f"{reason}: MAX compiles the graph {graph.name}")


# --- eager tensors --------------------------------------------------------------------


def _add_source(self: eager.ComputeGraph, tensor: eager.Tensor) -> None:
    """Makes a tensor with storage an argument of the graph (`ComputeGraph.add_source`).

    In MAX the argument is a buffer, which has to be loaded before each use.
    """
    if tensor.storage is None:
        raise TypeError("Only realized tensors may be graph sources.")
    block = _core.Block._from_cmlir(self.graph._graph_body)
    with self.graph:
        type_ = eager.driver_tensor_type(tensor.storage).to_mlir()
        argument = block.add_argument(type_, _location())
    tensor._value = TensorValue.from_mlir(argument)
    self.sources[argument] = tensor


async def _evaluate(self: eager.ComputeGraph, tensor: eager.Tensor) -> None:
    """Gives a tensor its value (`ComputeGraph.evaluate`)."""
    try:
        if not tensor.real:
            _realize(self, tensor)
    except Refused as error:  # MAX's own way would erase arguments of live tensors
        raise RuntimeError(
            "Failed to compile and execute graph! Please file an issue. "
            "This error should have been caught at op creation time."
        ) from ValueError(str(error))
    except Unsupported:  # MAX evaluates, and `_load`, which it calls, says why
        await _ORIGINALS[eager.ComputeGraph, "evaluate"](self, tensor)
    if not self.graph._context_state:  # nobody is building something
        _forget_unused(self)


def _realize(self: eager.ComputeGraph, tensor: eager.Tensor) -> None:
    """Computes a tensor, and the live tensors that its computation passes through.

    The other tensors stay pending, with two exceptions: what the graph changes in place
    must be changed in the right order, and a tensor that is a source costs nothing.
    """
    graph = self.graph
    pending: dict[mlir.Value, list[eager.Tensor]] = {}
    wanted = [to_mlir(ops.random.SEEDS[graph])]
    with graph:
        for each in list(self.unrealized.values()):
            mutated = isinstance(each._value, BufferValue)
            value = to_mlir(each.__tensorvalue__())
            pending.setdefault(value, []).append(each)
            if mutated or each is tensor or isinstance(value.owner, mlir.Block):
                wanted.append(value)
    operations = needed_for(wanted)
    produced = {value for each in operations for value in each.results}
    outputs = [value for value in pending if value in produced or value in wanted]
    read = data(set(wanted).union(*map(reads_of, operations)) - produced)
    sources = {each: self.sources[_core.Value._from_cmlir(each)] for each in read}
    arrays = {value: to_numpy(each.driver_tensor) for value, each in sources.items()}
    seed, *results = Program(operations, [wanted[0], *outputs]).run([], arrays)
    settled = [
        (value, each, to_driver(array, each.dtype))
        for value, array in zip(outputs, results, strict=True)
        for each in pending[value]
    ]
    for value, each, storage in settled:
        _settle(self, value, each, storage)
    with graph:
        ops.random.set_seed(int(seed))


def _settle(
    self: eager.ComputeGraph,
    value: mlir.Value,
    tensor: eager.Tensor,
    new: driver.Tensor,
) -> None:
    """Gives a tensor its storage, and replaces `value` in the graph by the tensor."""
    memory = tensor.storage
    if memory is None:
        tensor.storage = new
    else:  # changed in place; what is still to be computed reads the old values
        old = eager.Tensor(storage=memory.copy())
        for argument in self.graph._graph_body.arguments:
            source = self.sources.get(_core.Value._from_cmlir(argument), old)
            if source.storage is memory:
                argument.replace_all_uses_with(to_mlir(old._value))
        memory.inplace_copy_from(new)
    tensor.real = True
    del self.unrealized[id(tensor)]
    self.add_source(tensor)
    if all(isinstance(dim, int) for dim in kind_of(value).dims):
        value.replace_all_uses_with(to_mlir(tensor._value))


def _forget_unused(self: eager.ComputeGraph) -> None:
    """Removes from the graph what no tensor and no operation needs any more.

    MAX starts a new graph instead, and keeps every tensor that was ever a source.
    """
    graph = self.graph
    graph.device_chains.clear()
    graph._current_chain = graph._always_ready_chain
    kept = [ops.random.SEEDS[graph], graph._always_ready_chain]
    kept += [each._value for each in list(self.unrealized.values())]
    held = set(map(to_mlir, kept))
    for each in reversed(list(graph._graph_body.operations)):
        results = each.operation.results
        if not any(value in held or next(value.uses, None) for value in results):
            each.operation.erase()
    block = _core.Block._from_cmlir(graph._graph_body)
    for index, argument in reversed(list(enumerate(block.arguments))):
        if not argument.num_uses and not _held(self, argument):
            self.sources.pop(argument, None)
            block.erase_argument(index)


def _held(self: eager.ComputeGraph, argument: _core.Value) -> bool:
    """Whether the argument is a tensor to which more than the graph refers."""
    if argument not in self.sources or sys.getrefcount(self.sources[argument]) <= 2:
        return False
    return bool(self.sources[argument]._value._mlir_value == argument)


# --- compiled graphs ------------------------------------------------------------------


class Interpreted:
    """What `InferenceSession.load` returns here: it behaves like MAX's `Model`."""

    execute = engine._Model_execute  # calls _execute_device_tensors
    __call__ = engine._Model_call
    signature = property(engine._Model_signature)

    def __init__(
        self,
        graph: Graph,
        weights: Mapping[str, Any],
        compile_by_max: Callable[[], engine.Model],
    ) -> None:
        self._graph = graph  # owns what the program reads
        self._program = program_of(graph)
        for name, weight in weights.items():
            tensor = driver.Tensor.from_dlpack(weight)
            self._program.weights[name] = to_numpy(tensor)
        self._compile = compile_by_max
        self._model: engine.Model | None = None
        self._kinds = [kind for _, kind in self._program.arguments]
        self.input_metadata = [
            SimpleNamespace(name=f"input{index}", dtype=kind.dtype)
            for index, kind in enumerate(self._kinds)
        ]
        self.input_devices = [driver.CPU() for _ in self._kinds]

    def _execute_device_tensors(
        self, inputs: list[driver.Tensor]
    ) -> list[driver.Tensor]:
        _check_inputs(inputs, self._kinds)
        if self._model is None:
            try:
                return self._interpret(inputs)
            except Refused as error:
                raise ValueError(str(error)) from None
            except Unsupported as reason:
                _leave_to_max(reason, self._graph)
                self._model = self._compile()
        return self._model.execute(*inputs)

    def _interpret(self, inputs: list[driver.Tensor]) -> list[driver.Tensor]:
        self._program.sizes.clear()
        arrays = [*map(to_numpy, inputs)]
        values = enumerate(self._graph.inputs)
        buffers = [index for index, each in values if isinstance(each, BufferValue)]
        for index in buffers:
            arrays[index] = arrays[index].copy()
        results = self._program.run(arrays, {})
        for index in buffers:  # not before: after a fault MAX has to start from them
            tensor = inputs[index]
            tensor.inplace_copy_from(to_driver(arrays[index], tensor.dtype))
        return [
            to_driver(array, each.dtype)
            for array, each in zip(results, self._graph.output_types, strict=True)
        ]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        _leave_to_max(f"Model.{name}", self._graph)
        self._model = self._model or self._compile()
        return getattr(self._model, name)


def _check_inputs(inputs: list[driver.Tensor], kinds: list[Kind]) -> None:
    """Raises what MAX raises for inputs that do not fit the graph."""
    if len(inputs) != len(kinds):
        counts = f"({len(inputs)}) does not match expected number ({len(kinds)})"
        raise ValueError(f"Number of inputs {counts} for model")
    sizes: dict[Dim, int] = {}
    for index, (tensor, kind) in enumerate(zip(inputs, kinds, strict=True)):
        want, got, at = len(kind.dims), tensor.rank, f"at position {index}"
        if got != want:
            wanted = f"expected a tensor of rank {want} {at}"
            raise ValueError(
                f"Rank mismatch: {wanted} but got a tensor of rank {got} instead."
            )
        if tensor.dtype != kind.dtype:
            pair = f"{kind.dtype._mlir} {at} but got {tensor.dtype._mlir}"
            raise ValueError(f"DType mismatch: expected {pair} instead.")
        for axis, (dim, size) in enumerate(zip(kind.dims, tensor.shape, strict=True)):
            if isinstance(dim, int) and dim != size:
                wanted = f"expected tensor dimension to be {dim} at axis {axis}"
                found = f"found dimension to be {size} instead."
                raise ValueError(f"Shape mismatch {at}: {wanted} but {found}")
            if sizes.setdefault(dim, size) != size:
                raise ValueError(
                    f"symbolic dimension '{dim}' for input {index} does not match"
                    " prior uses of that dimension"
                )


def _load(
    self: engine.InferenceSession,
    model: Any,
    *,
    weights_registry: Mapping[str, Any] | None = None,
    **options: Any,
) -> engine.Model | Interpreted:
    """Interprets a graph instead of compiling it (`InferenceSession.load`)."""
    load, weights = _ORIGINALS[engine.InferenceSession, "load"], weights_registry or {}
    compile_by_max = functools.partial(
        load, self, model, weights_registry=weights, **options
    )
    known = isinstance(model, Graph) and not any(options.values())
    if not known or model._weights.keys() - weights.keys():  # which MAX refuses
        return compile_by_max()
    try:
        return Interpreted(model, weights, compile_by_max)
    except Unsupported as reason:
        _leave_to_max(reason, model)
        return compile_by_max()


# --- installing -----------------------------------------------------------------------

_PATCHES: dict[tuple[type, str], Callable[..., Any]] = {
    (eager.ComputeGraph, "add_source"): _add_source,
    (eager.ComputeGraph, "evaluate"): _evaluate,
    (engine.InferenceSession, "load"): _load,
}
_ORIGINALS = {place: getattr(*place) for place in _PATCHES}


def install() -> None:
    """From here on, MAX's graphs are interpreted."""
    for place, function in _PATCHES.items():
        setattr(*place, function)


def uninstall() -> None:
    """From here on, MAX compiles its graphs again."""
    for place, function in _ORIGINALS.items():
        setattr(*place, function)


@contextlib.contextmanager
def interpreting() -> Iterator[None]:
    """MAX's graphs are interpreted inside."""
    before = eager.ComputeGraph.evaluate
    install()
    try:
        yield
    finally:
        if before is not _evaluate:
            uninstall()
