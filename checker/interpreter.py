"""A NumPy interpreter for the graphs of MAX 25.7.

MAX compiles every graph before it runs it, which takes tens of seconds. A graph that
has been traced can also be interpreted: a graph is a list of operations, each with a
name, operands, attributes and results, and for each name there is a row or a short
function below that says it in NumPy.

- `Op` is one operation, read from MLIR once. `Program` is a list of them that can run.
- `OPERATIONS` and `WITH_OP` say, by the names that MAX prints, what is computed.
  A result is always checked against the type that MAX gave it (dtype and shape; names
  of symbolic dimensions are bound where they first occur).
- `install()` puts the interpreter in two places: where an eager tensor gets its value
  (`ComputeGraph.evaluate`) and where a graph is compiled (`InferenceSession.load`).

What is missing here (an operation, a dtype, another device) and what goes wrong here is
left to MAX itself, after `on_fallback` was told in one line. Half-precision values are
computed in float32 and rounded where they are cast or returned.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import inspect
import itertools
import math
import operator
import re
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from max import _core, driver, mlir
from max._core.dialects import builtin, kgen, mo
from max.dtype import DType
from max.engine import api as engine
from max.experimental import tensor as eager
from max.graph import BufferValue, Graph, TensorValue, ops
from max.graph.graph import _location

Array = np.ndarray[Any, np.dtype[Any]]
Dim = int | str | tuple[Any, ...]


def _print_fallback(line: str) -> None:
    print(line, file=sys.stderr)


on_fallback: Callable[[str], None] = _print_fallback
"""Is told, in one line, each time a graph is left to MAX."""


class Unsupported(Exception):
    """The interpreter lacks something, or is at fault: MAX has to run the graph."""


class ExecutionError(Exception):
    """The graph cannot run with these values, in MAX as little as here."""


# --- values ---------------------------------------------------------------------------

NUMPY: dict[DType, Any] = {
    dtype: dtype.to_numpy()
    for dtype in (
        *(DType.bool, DType.int8, DType.int16, DType.int32, DType.int64),
        *(DType.uint8, DType.uint16, DType.uint32, DType.uint64),
        *(DType.float16, DType.float32, DType.float64),
    )
}
NUMPY[DType.bfloat16] = NUMPY[DType.float32]  # which holds its values


def to_numpy(tensor: driver.Tensor) -> Array:
    """The memory of a tensor as a read-only array (bfloat16: a copy in float32)."""
    if tensor.dtype != DType.bfloat16:
        return np.from_dlpack(tensor)
    return _widen(np.from_dlpack(tensor.view(DType.uint16, tensor.shape)))


def to_driver(array: Array, dtype: DType) -> driver.Tensor:
    """A tensor on the array's own memory (bfloat16: on a copy)."""
    if dtype == DType.bfloat16:
        return driver.Tensor.from_dlpack(_narrow(array)).view(dtype, array.shape)
    if dtype == DType.bool:  # DLPack of NumPy knows no bool
        array8 = array.view(np.uint8)
        return driver.Tensor.from_dlpack(array8).view(dtype, array.shape)
    return driver.Tensor.from_dlpack(array)


def _widen(bits: Array) -> Array:
    """Bits of bfloat16 to float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _narrow(array: Array) -> Array:
    """float32 to the bits of the nearest bfloat16, ties to even."""
    bits = array.astype(np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(array), 0x7FC0, rounded).astype(np.uint16)


def _round_half(array: Array) -> Array:
    """float32 to the nearest value of bfloat16, still in float32."""
    return _widen(_narrow(array))


def _writable(tensor: driver.Tensor) -> Array:
    """The memory of a tensor that the graph may change."""
    if tensor.dtype == DType.bfloat16:
        raise Unsupported("a bfloat16 buffer")
    memory = ctypes.c_char * (tensor.num_elements * tensor.dtype.size_in_bytes)
    array = np.frombuffer(memory.from_address(tensor._data_ptr()), np.uint8)
    return array.view(NUMPY[tensor.dtype]).reshape(tensor.shape)


@dataclass(frozen=True)
class Kind:
    """The type of a value: its dtype, and its dimensions as `_dim` reads them."""

    dtype: DType
    dims: tuple[Dim, ...]


def _kinds(values: Iterable[mlir.Value]) -> list[tuple[mlir.Value, Kind]]:
    """The values with their types, without those that only order operations."""
    return [(each, _kind(each)) for each in values if not _is_chain(each)]


def _is_chain(value: mlir.Value) -> bool:
    return isinstance(_core.Value._from_cmlir(value).type, mo.ChainType)


def _kind(value: mlir.Value) -> Kind:
    type_ = _core.Value._from_cmlir(value).type
    known = isinstance(type_, mo.TensorType | mo.BufferType) and type_.dtype in NUMPY
    if not known or type_.device_ref.label != "cpu":
        raise Unsupported(f"a value of type {type_}")
    return Kind(type_.dtype, _dims(type_.shape_attr))


def _dims(shape: Any) -> tuple[Dim, ...]:
    """The dimensions of a shape attribute."""
    if static := STATIC.fullmatch(shape.asm):  # walking `values` leaks memory in MAX
        return tuple(map(int, static[1].split(","))) if static[1] else ()
    return tuple(_dim(attr) for attr in shape.values)


STATIC = re.compile(r"#mosh<ape\[([-\d, ]*)\]> : !mosh\.ape")


def _dim(attr: Any) -> Dim:
    """A dimension: a number, a name, or a formula (operation, operand, …)."""
    if isinstance(attr, builtin.IntegerAttr):
        return int(attr.value)
    if isinstance(attr, kgen.ParamDeclRefAttr):
        return str(attr.name.value)
    if attr.opcode not in FORMULAS:
        raise Unsupported(f"a dimension {attr}")
    return (FORMULAS[attr.opcode], *map(_dim, attr.operands))


FORMULAS = {
    kgen.POC.add: operator.add,
    kgen.POC.mul: operator.mul,
    kgen.POC.mul_no_wrap: operator.mul,
    kgen.POC.div: operator.floordiv,
}


# --- programs -------------------------------------------------------------------------


class Op:
    """One operation of a program, with what its handler may ask for."""

    def __init__(self, operation: mlir.Operation, program: Program) -> None:
        self.program = program
        self.operation = operation
        custom = operation.name == "mo.custom"
        self.name = self.core.symbol if custom else operation.name
        if self.name not in OPERATIONS and self.name not in WITH_OP:
            raise Unsupported(self.name)
        self.inputs = [value for value in operation.operands if not _is_chain(value)]
        self.results = _kinds(operation.results)
        self.blocks = [
            Program(inner, last.operands, block.arguments, program)
            for region in operation.regions
            for block in region.blocks
            for *inner, last in [[each.operation for each in block.operations]]
        ]
        self.forgets: list[mlir.Value] = []
        self.stored_later = True

    def run(self, values: dict[mlir.Value, Array]) -> None:
        """Computes the results from the operands, and adds them to `values`."""
        operands = [values[value] for value in self.inputs]
        if self.name in OPERATIONS:
            arrays = OPERATIONS[self.name](*operands)
        else:
            arrays = WITH_OP[self.name](self, *operands)
        if not isinstance(arrays, list | tuple):
            arrays = [arrays]
        for (value, kind), array in zip(self.results, arrays, strict=True):
            values[value] = self.program.fit(array, kind)
        for value in self.forgets:
            values.pop(value, None)

    @functools.cached_property
    def core(self) -> Any:
        """The operation with its attributes."""
        return _core.Operation._from_cmlir(self.operation)

    def sizes(self, name: str) -> tuple[int, ...]:
        """The value of an attribute that is a shape."""
        return tuple(self.program.size(dim) for dim in _dims(getattr(self.core, name)))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the first result must have."""
        return tuple(self.program.size(dim) for dim in self.results[0][1].dims)

    @property
    def dtype(self) -> DType:
        """The dtype that the first result must have."""
        return self.results[0][1].dtype

    @functools.cached_property
    def constant(self) -> Array:
        """The value of `mo.constant`."""
        dtype, shape = self.dtype, self.shape
        data = self.core.value.data.data
        array = np.fromiter(data, np.uint8, len(data))
        if dtype == DType.bfloat16:
            return _widen(array.view(np.uint16)).reshape(shape)
        return array.view(NUMPY[dtype]).reshape(shape)


class Program:
    """Operations in an order in which they can run.

    The blocks inside an operation (`mo.if`, `mo.while`) are programs with a `parent`.
    """

    def __init__(
        self,
        operations: Iterable[mlir.Operation],
        outputs: Iterable[mlir.Value],
        arguments: Iterable[mlir.Value] = (),
        parent: Program | None = None,
    ) -> None:
        self.sizes: dict[str, int] = parent.sizes if parent else {}
        self.weights: dict[str, Array] = parent.weights if parent else {}
        self.values: dict[mlir.Value, Array] = {}
        self.changes: list[tuple[Array, Any, Array]] = parent.changes if parent else []
        self.arguments = _kinds(arguments)
        self.ops = [Op(each, self) for each in operations]
        self.outputs = [value for value in outputs if not _is_chain(value)]
        if parent is None:
            self._plan()

    def _plan(self) -> None:
        """Finds when a value is read for the last time, and what loads must copy."""
        read, stored = set(self.outputs), set[mlir.Value]()
        for op in reversed(self.ops):
            reads = {*_reads(op.operation), *op.operation.results}
            op.forgets = [value for value in reads if value not in read]
            read |= reads
            if op.name == "rmo.mo.mutable.load":
                op.stored_later = op.inputs[0] in stored
            elif op.name.startswith("rmo.mo.mutable.store"):
                stored.add(op.inputs[0])
            elif op.blocks:
                stored |= reads

    @np.errstate(all="ignore")
    def run(
        self, arrays: Iterable[Array], outside: Mapping[mlir.Value, Array]
    ) -> list[Array]:
        """Runs on the arguments and on the values it reads from outside."""
        self.values = values = dict(outside)
        for (value, kind), array in zip(self.arguments, arrays, strict=True):
            values[value] = self.fit(array, kind)
        for op in self.ops:
            try:
                op.run(values)
            except (ExecutionError, MemoryError, Unsupported):
                raise
            except Exception as error:
                fault = f"{op.name} ({type(error).__name__}: {error})"
                raise Unsupported(fault) from error
        self.values = {}
        return [values[value] for value in self.outputs]

    def fit(self, array: Array, kind: Kind) -> Array:
        """The array in the dtype of `kind`. A shape that differs is an error."""
        array = np.asarray(array, NUMPY[kind.dtype])
        for dim, size in zip(kind.dims, array.shape, strict=True):
            if isinstance(dim, str):
                dim = self.sizes.setdefault(dim, size)
            if self.size(dim) != size:  # whoever is wrong, MAX will know
                raise Unsupported(f"a result of shape {array.shape}, not {kind.dims}")
        return array

    def size(self, dim: Dim) -> int:
        """The value of a dimension, as far as its names are bound."""
        if isinstance(dim, int):
            return dim
        if isinstance(dim, str):
            return self.sizes[dim]
        formula, *operands = dim
        return int(functools.reduce(formula, map(self.size, operands)))


def _reads(operation: mlir.Operation) -> set[mlir.Value]:
    """The values from outside that an operation reads, its blocks included."""
    reads = set(operation.operands)
    for region in operation.regions:
        for block in region.blocks:
            inside = set(block.arguments)
            for each in block.operations:
                reads |= _reads(each.operation) - inside
                inside |= set(each.operation.results)
    return reads


def _needed(values: Iterable[mlir.Value]) -> list[mlir.Operation]:
    """The operations behind some values, each after those that it reads."""
    order: dict[mlir.Operation, None] = {}
    stack = [(value.owner, False) for value in values]
    while stack:
        operation, ready = stack.pop()
        if isinstance(operation, mlir.Block) or operation in order:
            continue
        if ready:
            order[operation] = None
            continue
        stack.append((operation, True))
        stack.extend((value.owner, False) for value in _reads(operation))
    return list(order)


# --- operations -----------------------------------------------------------------------

Handler = Callable[..., Any]
OPERATIONS: dict[str, Handler] = {
    # elementwise, broadcast as NumPy does
    "rmo.add": np.add,
    "rmo.and": np.logical_and,
    "rmo.div": np.divide,
    "rmo.equal": np.equal,
    "rmo.greater": np.greater,
    "rmo.greater_equal": np.greater_equal,
    "rmo.max": np.fmax,
    "rmo.min": np.fmin,
    "rmo.mul": np.multiply,
    "rmo.not_equal": lambda x, y: (x < y) | (x > y),  # False where one is NaN
    "rmo.or": np.logical_or,
    "rmo.pow": np.power,
    "rmo.select": np.where,
    "rmo.sub": np.subtract,
    "rmo.xor": np.logical_xor,
    "rmo.mo.abs": np.abs,
    "rmo.mo.atanh": np.arctanh,
    "rmo.mo.cos": np.cos,
    "rmo.mo.erf": np.frompyfunc(math.erf, 1, 1),
    "rmo.mo.exp": lambda x: _exp(x),
    "rmo.mo.floor": np.floor,
    "rmo.mo.is_inf": np.isinf,
    "rmo.mo.is_nan": np.isnan,
    "rmo.mo.log": lambda x: np.log(np.minimum(x, np.finfo(x.dtype).max)),
    "rmo.mo.log1p": lambda x: np.log1p(np.minimum(x, np.finfo(np.float64).max)),
    "rmo.mo.negative": np.negative,
    "rmo.mo.not": np.logical_not,
    "rmo.mo.relu": lambda x: np.fmax(x, 0),
    "rmo.mo.round": np.round,
    "rmo.mo.rsqrt": lambda x: 1 / np.sqrt(x),
    "rmo.mo.sin": np.sin,
    "rmo.mo.sqrt": np.sqrt,
    "rmo.mo.tanh": lambda x: np.where(np.isnan(x), 1, np.tanh(x)),
    "rmo.mo.trunc": np.trunc,
    # along an axis, which keeps the size one
    "rmo.mo.mean": lambda x, axis: np.mean(x, int(axis), keepdims=True),
    "rmo.mo.reduce.add": lambda x, axis: np.sum(x, int(axis), x.dtype, keepdims=True),
    "rmo.mo.reduce.max": lambda x, axis: np.fmax.reduce(x, int(axis), keepdims=True),
    "rmo.mo.reduce.min": lambda x, axis: np.fmin.reduce(x, int(axis), keepdims=True),
    # the rest; what a result shares with an operand is a view, never the array itself
    "mo.chain.create": lambda: (),
    "mo.split": lambda x, sizes, axis: np.split(x, np.cumsum(sizes)[:-1], int(axis)),
    "rmo.matmul": np.matmul,
    "rmo.mo.arg_nonzero": np.argwhere,
    "rmo.mo.pad.constant": lambda x, sizes, fill: np.pad(
        x, sizes.reshape(-1, 2), constant_values=fill
    ),
    "rmo.mo.range": np.arange,
    "rmo.mo.tile": np.tile,
    "rmo.mo.transfer": lambda x: x[...],
    "rmo.mo.transpose": np.transpose,
    "rmo.rebind_tensor_shape": lambda x: x[...],
    "repeat_interleave": np.repeat,
}
"""What only looks at its operands. NaN and infinity are as MAX gives them on x86."""

WITH_OP: dict[str, Handler] = {
    "mo.buffer.create": lambda op: np.zeros(op.shape, NUMPY[op.dtype]),
    "mo.cast": lambda op, x: _round_half(x) if op.dtype == DType.bfloat16 else x[...],
    "mo.constant": lambda op: op.constant[...],
    "mo.constant.external": lambda op: op.program.weights[op.core.name][...],
    "mo.if": lambda op, test: op.blocks[0 if test else 1].run([], op.program.values),
    "rmo.broadcast_to": lambda op, x: np.broadcast_to(x, op.shape),
    "rmo.concat": lambda op, *xs: np.concatenate(
        xs, op.operation.attributes["axis"].value
    ),
    "rmo.mo.mutable.load": lambda op, x: x.copy() if op.stored_later else x[...],
    "rmo.reshape": lambda op, x: x.reshape(op.shape),
    "rmo.shape_to_tensor": lambda op: np.array(op.sizes("shape"), np.int64),
}
"""Those that need an attribute, or the type of their result."""


def _with_op(*names: str) -> Callable[[Handler], Handler]:
    """Enters `handler(op, *operands)` into the table."""

    def enter(handler: Handler) -> Handler:
        WITH_OP.update(dict.fromkeys(names, handler))
        return handler

    return enter


def _exp(x: Array) -> Array:
    """NaN gives infinity, which softmax and sigmoid inherit."""
    return np.where(np.isnan(x), np.inf, np.exp(x))


@_with_op("rmo.mod")
def _mod(op: Op, x: Array, y: Array) -> Array:
    """Has the sign of the divisor, as in Python."""
    return x - np.floor(x / y) * y if x.dtype.kind == "f" else np.mod(x, y)


def _last_only(x: Array, axis: Array, message: str) -> None:
    """MAX can do no other axis on a CPU, and says so when the graph runs."""
    if axis != x.ndim - 1:
        raise ExecutionError(message)


@_with_op("rmo.mo.arg_max", "rmo.mo.arg_min")
def _arg_max(op: Op, x: Array, axis: Array) -> Array:
    """The first of equals; NaN is the last choice."""
    _last_only(x, axis, "axis other than innermost not supported yet")
    greatest = op.name == "rmo.mo.arg_max"
    if x.dtype.kind == "f":
        x = np.where(np.isnan(x), -np.inf if greatest else np.inf, x)
    return np.asarray((np.argmax if greatest else np.argmin)(x, -1, keepdims=True))


@_with_op("rmo.mo.softmax", "rmo.mo.logsoftmax")
def _softmax(op: Op, x: Array, axis: Array) -> Array:
    _last_only(x, axis, "softmax not supported on non-inner axis yet")
    x = x - np.fmax.reduce(x, axis=-1, keepdims=True, initial=-np.inf)
    total = np.sum(_exp(x), axis=-1, keepdims=True)
    return _exp(x) / total if op.name == "rmo.mo.softmax" else x - np.log(total)


@_with_op("mo.layer_norm")
def _layer_norm(op: Op, x: Array, gamma: Array, beta: Array, epsilon: Array) -> Array:
    centred = x - np.mean(x, axis=-1, keepdims=True)
    variance = np.mean(centred * centred, axis=-1, keepdims=True)
    return np.asarray(centred / np.sqrt(variance + epsilon) * gamma + beta)


@_with_op("rmo.mo.linalg.band_part")
def _band_part(op: Op, x: Array, lower: Array, upper: Array, exclude: Array) -> Array:
    row, column = np.ogrid[: x.shape[-2], : x.shape[-1]]
    inside = (lower < 0) | (row - column <= lower)
    inside = inside & ((upper < 0) | (column - row <= upper))
    return np.where(inside ^ exclude, x, x.dtype.type(0))


@_with_op("rmo.mo.cumsum")
def _cumsum(op: Op, x: Array, axis: Array) -> Array:
    backwards = op.core.reverse
    x = np.flip(x, int(axis)) if backwards else x
    total = np.cumsum(x, int(axis), x.dtype)
    if op.core.exclusive:
        total -= x
    return np.flip(total, int(axis)) if backwards else total


@_with_op("rmo.slice", "rmo.mo.slice")
def _slice(op: Op, x: Array, *slices: Array) -> Array:
    bounds = slices or [op.sizes(name) for name in ("starts", "stops", "steps")]
    return np.asarray(x[tuple(map(slice, *bounds))])


def _checked(indices: Array, axis: int, size: int, least: int, what: str) -> Array:
    """Indices along an axis, from `least` (MAX's lower bound) to its size."""
    bad = indices[(indices < least) | (indices >= size)]
    if bad.size:
        where = f"for axis {axis} with size {size}"
        raise ExecutionError(f"{what} index {bad.flat[0]} is out of bounds {where}")
    return indices


@_with_op("rmo.mo.gather")
def _gather(op: Op, x: Array, indices: Array, axis: Array) -> Array:
    size = x.shape[axis]
    return np.take(x, _checked(indices, int(axis), size, -size, "gather"), int(axis))


def _nd(what: str, x: Array, indices: Array, batch_dims: int) -> tuple[Array, ...]:
    """What to index `x` with, where the last axis of `indices` holds positions."""
    grid = np.indices(indices.shape[:-1], sparse=True)[:batch_dims]
    positions = enumerate(np.moveaxis(indices, -1, 0), batch_dims)
    checked = (_checked(each, axis, x.shape[axis], 0, what) for axis, each in positions)
    return *grid, *checked


@_with_op("rmo.mo.gather_nd")
def _gather_nd(op: Op, x: Array, indices: Array) -> Array:
    return np.asarray(x[_nd("gather_nd", x, indices, op.core.batch_dims)])


@_with_op("rmo.mo.scatter")
def _scatter(op: Op, x: Array, updates: Array, indices: Array, axis: Array) -> Array:
    size = x.shape[axis]
    places: list[Array] = list(np.indices(indices.shape, sparse=True))
    places[axis] = _checked(indices, int(axis), size, -size, "scatter")
    x = x.copy()
    x[tuple(places)] = updates
    return x


@_with_op("rmo.mo.scatter_nd")
def _scatter_nd(op: Op, x: Array, updates: Array, indices: Array) -> Array:
    x = x.copy()
    used = tuple(map(slice, indices.shape[:-1]))  # a mask uses the first updates only
    x[_nd("scatter_nd", x, indices, 0)] = updates[used]
    return x


def _descending(x: Array, axis: int) -> Array:
    """The order from the greatest to the least, equals in their own order."""
    backwards = np.flip(x, axis).argsort(axis, kind="stable")
    return np.asarray(x.shape[axis] - 1 - np.flip(backwards, axis))


@_with_op("mx.argsort")
def _argsort(op: Op, x: Array) -> Array:
    ascending = "true" in str(op.core.parameters)
    return x.argsort(kind="stable") if ascending else _descending(x, 0)


@_with_op("rmo.top_k")
def _top_k(op: Op, x: Array) -> tuple[Array, Array]:
    axis = op.core.axis
    indices = np.take(_descending(x, axis), np.arange(op.core.k), axis)
    return np.take_along_axis(x, indices, axis), indices


@_with_op("rmo.mo.random.normal", "rmo.mo.random.uniform")
def _random(op: Op, shape: Array, a: Array, b: Array, seed: Array) -> Any:
    """Not MAX's numbers, but of the same distribution, and the same for one seed."""
    generator = np.random.default_rng(int(seed) & (2**64 - 1))
    if op.name == "rmo.mo.random.normal":  # mean and standard deviation
        return a + b * generator.standard_normal(tuple(shape), np.float32)
    return a + (b - a) * generator.random(tuple(shape), np.float32)


@_with_op("rmo.mo.mutable.store", "rmo.mo.mutable.store.slice")
def _mutable_store(op: Op, buffer: Array, x: Array, *slices: Array) -> tuple[()]:
    place = tuple(map(slice, *slices)) if slices else ...
    op.program.changes.append((buffer, place, buffer[place].copy()))
    buffer[place] = x
    return ()


@_with_op("mo.while")
def _while(op: Op, *state: Array) -> list[Array]:
    test, body = op.blocks
    again, *arrays = test.run(state, op.program.values)
    while again:
        arrays = body.run(arrays, op.program.values)
        again, *arrays = test.run(arrays, op.program.values)
    return arrays


# --- eager tensors --------------------------------------------------------------------


def _handle(value: Any) -> mlir.Value:
    """The MLIR value behind a value of `max.graph` or `max._core`."""
    core = getattr(value, "_mlir_value", value)
    return mlir.Value._CAPICreate(core._CAPIPtr)


def _add_source(self: eager.ComputeGraph, tensor: eager.Tensor) -> None:
    """Makes a tensor with storage an argument of the graph (`ComputeGraph.add_source`).

    MAX keeps every such tensor for ever. Here the graph holds a twin with the same
    storage, and drops it when neither the tensor nor an operation needs it.
    """
    if tensor.storage is None:
        raise TypeError("Only realized tensors may be graph sources.")
    block = _core.Block._from_cmlir(self.graph._graph_body)
    with self.graph:
        type_ = eager.driver_tensor_type(tensor.storage).to_mlir()
        argument = block.add_argument(type_, _location())
    tensor._value = TensorValue.from_mlir(argument)
    twin = object.__new__(eager.Tensor)
    twin.storage, twin._value, twin._real = tensor.storage, tensor._value, True

    def drop(owner: weakref.ref[eager.Tensor]) -> None:
        held = self.sources.get(argument)
        unused = getattr(held, "owner", None) is owner and not argument.num_uses
        if unused and _handle(argument) not in _held(self):  # x.to(…) may be x itself
            del self.sources[argument]

    twin.owner = weakref.ref(tensor, drop)
    self.sources[argument] = twin


def _restore_sources(self: eager.ComputeGraph) -> None:
    """Puts the tensors themselves in the place of their twins, as MAX expects."""
    for argument, twin in list(self.sources.items()):
        owner = getattr(twin, "owner", lambda: None)()
        self.sources[argument] = twin if owner is None else owner


async def _evaluate(self: eager.ComputeGraph, tensor: eager.Tensor) -> None:
    """Gives a tensor its value (`ComputeGraph.evaluate`)."""
    try:
        if not tensor.real:
            _realize(self, tensor)
    except ExecutionError as error:
        raise RuntimeError(
            "Failed to compile and execute graph! Please file an issue. "
            "This error should have been caught at op creation time."
        ) from ValueError(str(error))
    except Unsupported as reason:
        on_fallback(f"{reason}: MAX compiles the pending computation itself")
        uninstall()
        try:
            await self.evaluate(tensor)
        finally:
            install()


def _realize(self: eager.ComputeGraph, tensor: eager.Tensor) -> None:
    """Computes a tensor, and with it the live tensors that are on the way.

    Tensors that nobody asks for stay as they are, but for those that the graph changes
    in place: the order of such changes must not be lost.
    """
    graph = self.graph
    pending: dict[mlir.Value, list[eager.Tensor]] = {}
    wanted = [_handle(ops.random.SEEDS[graph])]
    with graph:
        for each in list(self.unrealized.values()):
            mutated = isinstance(each._value, BufferValue)
            value = _handle(each.__tensorvalue__())
            pending.setdefault(value, []).append(each)
            if mutated or each is tensor:
                wanted.append(value)
    operations = _needed(wanted)
    produced = {value for each in operations for value in each.results}
    outputs = [value for value in pending if value in produced or value in wanted]
    read = set(wanted).union(*map(_reads, operations)) - produced
    read = {value for value in read if not _is_chain(value)}
    program = Program(operations, [wanted[0], *outputs])
    seed, *arrays = program.run([], {value: _source(self, value) for value in read})
    arrays = [*map(_own, arrays)]  # before anything is changed in place
    for value, array in zip(outputs, arrays, strict=True):
        _settle(self, value, array, pending[value])
    with graph:
        ops.random.set_seed(int(seed))
    if not graph._context_state:  # nobody is in the middle of building something
        graph.device_chains.clear()
        graph._current_chain = graph._always_ready_chain
        _erase_unused(self, operations)


def _source(self: eager.ComputeGraph, argument: mlir.Value) -> Array:
    return to_numpy(self.sources[_core.Value._from_cmlir(argument)].driver_tensor)


def _settle(
    self: eager.ComputeGraph,
    value: mlir.Value,
    array: Array,
    tensors: list[eager.Tensor],
) -> None:
    """Gives the tensors of one value their storage, and the graph it for the value."""
    for tensor in tensors:
        fresh = to_driver(_own(array), tensor.dtype)
        if tensor.storage is None:
            tensor.storage = fresh
        else:
            _overwrite(self, tensor.storage, fresh)
        tensor.real = True
        del self.unrealized[id(tensor)]
        self.add_source(tensor)
        array = array[...]  # a second tensor gets a copy
    known = all(isinstance(dim, int) for dim in _kind(value).dims)
    if known and not isinstance(value.owner, mlir.Block):
        value.replace_all_uses_with(_handle(tensors[0]._value))


def _overwrite(
    self: eager.ComputeGraph, storage: driver.Tensor, fresh: driver.Tensor
) -> None:
    """Changes memory in place; what is still to be computed keeps the old values."""
    for twin in self.sources.values():
        if twin.storage is storage and twin._value._mlir_value.num_uses:
            twin.storage = storage.copy()
    storage.inplace_copy_from(fresh)


def _own(array: Array) -> Array:
    """The array in memory of its own, contiguous."""
    own = array.base is None and array.flags.c_contiguous
    return array if own else array.copy()


def _erase_unused(self: eager.ComputeGraph, operations: list[mlir.Operation]) -> None:
    """Takes from the graph what nothing can ask for again."""
    graph = self.graph
    block = _core.Block._from_cmlir(graph._graph_body)
    if next(_EVALUATIONS) % 64 == 0:  # now and then also what was never asked for
        operations = [each.operation for each in graph._graph_body.operations]
    held = _held(self)
    held |= {_handle(ops.random.SEEDS[graph]), _handle(graph._always_ready_chain)}
    for operation in reversed(operations):
        if not any(value in held or _uses(value) for value in operation.results):
            operation.erase()
    for index, value in reversed(list(enumerate(graph._graph_body.arguments))):
        argument = _core.Value._from_cmlir(value)
        twin = self.sources.get(argument)
        owner = twin.owner() if hasattr(twin, "owner") else twin  # or MAX put it there
        owned = owner is not None and owner._value._mlir_value == argument
        if not owned and not argument.num_uses and value not in held:
            self.sources.pop(argument, None)
            block.erase_argument(index)


def _held(self: eager.ComputeGraph) -> set[mlir.Value]:
    """The values of the tensors that are still to be computed."""
    return {_handle(each._value) for each in list(self.unrealized.values())}


def _uses(value: mlir.Value) -> int:
    return _core.Value._from_cmlir(value).num_uses


_EVALUATIONS = itertools.count(1)


# --- compiled graphs ------------------------------------------------------------------


class Interpreted:
    """What `InferenceSession.load` returns here: it behaves as MAX's `Model` does."""

    __slots__ = ("_compile", "_graph", "_model", "_program")

    def __init__(
        self,
        graph: Graph,
        weights: Mapping[str, Any],
        compile_by_max: Callable[[], engine.Model],
    ) -> None:
        self._graph = graph  # owns what the program reads
        self._compile = compile_by_max
        self._model: engine.Model | None = None
        self._program = _whole(graph)
        for name in _external(self._program):
            if name not in weights:
                raise ValueError(f"unable to look up weight: {name}")
            weight = driver.Tensor.from_dlpack(weights[name])
            self._program.weights[name] = to_numpy(weight)

    def __call__(self, *args: Any, **kwargs: Any) -> list[driver.Tensor]:
        return self.execute(*self.signature.bind(*args, **kwargs).arguments.values())

    def execute(self, *args: Any) -> list[driver.Tensor]:
        """Runs the graph on tensors, arrays or numbers."""
        kinds = [kind for _, kind in self._program.arguments]
        if len(args) != len(kinds):
            counts = f"({len(args)}) does not match expected number ({len(kinds)})"
            raise ValueError(f"Number of inputs {counts} for model")
        inputs = [*map(_input, args, kinds)]
        _check_inputs(inputs, kinds)
        if self._model is None:
            try:
                return self._interpret(inputs)
            except ExecutionError as error:
                raise ValueError(str(error)) from None
            except Unsupported as reason:
                on_fallback(f"{reason}: MAX compiles {self._graph.name} itself")
                self._model = self._compile()
        return self._model.execute(*inputs)

    def _interpret(self, inputs: list[driver.Tensor]) -> list[driver.Tensor]:
        self._program.sizes.clear()
        arrays = [
            _writable(tensor) if isinstance(each, BufferValue) else to_numpy(tensor)
            for tensor, each in zip(inputs, self._graph.inputs, strict=True)
        ]
        try:
            results = self._program.run(arrays, {})
        except Unsupported:  # MAX is to find the buffers as they were
            for buffer, place, old in reversed(self._program.changes):
                buffer[place] = old
            raise
        finally:
            self._program.changes.clear()
        return [
            to_driver(_own(array), each.dtype)
            for array, each in zip(results, self._graph.output_types, strict=True)
        ]

    @property
    def signature(self) -> inspect.Signature:
        """The names of the inputs, as MAX gives them."""
        names = [f"input{index}" for index in range(len(self._program.arguments))]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        return inspect.Signature([inspect.Parameter(name, kind) for name in names])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        on_fallback(f"Model.{name}: MAX compiles {self._graph.name} itself")
        self._model = self._model or self._compile()
        return getattr(self._model, name)


def _whole(graph: Graph) -> Program:
    """What the outputs of a graph need, and all that changes a buffer."""
    body = graph._graph_body
    *operations, output = [each.operation for each in body.operations]
    effects = [each for each in operations if ".store" in each.name or each.regions]
    roots = [*output.operands, *(value for each in effects for value in each.results)]
    return Program(_needed(roots), output.operands, body.arguments)


def _input(arg: Any, kind: Kind) -> driver.Tensor:
    """An input as a tensor, by the rules of `Model.execute`."""
    engine._raise_if_not_contiguous(arg)
    if isinstance(arg, engine.ScalarType):
        return driver.Tensor.scalar(arg, kind.dtype, driver.CPU())
    if not isinstance(arg, driver.Tensor | driver.DLPackArray):
        raise ValueError(
            "All positional arguments must be of the type `max.driver.Tensor`,"
            " `MojoValue`, or a tensor type implementing the dlpack protocol. We do"
            f" not currently support inputs of the type {type(arg)}."
        )
    return driver.Tensor.from_dlpack(arg)


def _check_inputs(inputs: list[driver.Tensor], kinds: list[Kind]) -> None:
    """Raises what MAX raises for inputs that do not fit the graph."""
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
                raise ValueError(
                    f"Shape mismatch {at}: {wanted} but found dimension to be {size}"
                    " instead."
                )
            if sizes.setdefault(dim, size) != size:
                raise ValueError(
                    f"symbolic dimension '{dim}' for input {index} does not match"
                    " prior uses of that dimension"
                )


def _external(program: Program) -> Iterator[str]:
    """The names of the weights that a program reads."""
    for op in program.ops:
        if op.name == "mo.constant.external":
            yield op.core.name
        for block in op.blocks:
            yield from _external(block)


def _load(
    self: engine.InferenceSession,
    model: Any,
    *,
    weights_registry: Mapping[str, Any] | None = None,
    **options: Any,
) -> engine.Model | Interpreted:
    """Interprets a graph instead of compiling it (`InferenceSession.load`)."""
    compile_by_max = functools.partial(
        _ORIGINALS[engine.InferenceSession, "load"],
        self,
        model,
        weights_registry=weights_registry,
        **options,
    )
    if not isinstance(model, Graph) or any(options.values()):
        return compile_by_max()
    try:
        return Interpreted(model, weights_registry or {}, compile_by_max)
    except Unsupported as reason:
        on_fallback(f"{reason}: MAX compiles {model.name} itself")
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
    _restore_sources(eager.GRAPH)
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
