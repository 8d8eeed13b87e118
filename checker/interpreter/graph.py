"""A graph of MAX 25.7 as a program that NumPy can run.

An `Op` is one operation, read from MLIR once; a `Program` is a list of them. Each
result is cast to the dtype that MAX gave it, and must have the shape. A symbolic
dimension gets its size where its name first occurs. Values of bfloat16 are kept in
float32 and rounded after each operation.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from max import _core, driver, mlir
from max._core.dialects import builtin, kgen, mo
from max.dtype import DType
from max.graph import Graph

from checker.interpreter.operations import OPERATIONS, WITH_OP, Array, Refused

Dim = int | str | tuple[Any, ...]


class Unsupported(Exception):
    """The interpreter lacks something, or is at fault: MAX has to run the graph."""


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
    """A tensor that holds a copy of the array."""
    if dtype == DType.bfloat16:
        array = _narrow(array)
    elif dtype == DType.bool:  # of which MAX can take no scalar
        array = array.view(np.uint8)
    return driver.Tensor.from_dlpack(array.copy()).view(dtype, array.shape)


def _widen(bits: Array) -> Array:
    """Bits of bfloat16 to float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _narrow(array: Array) -> Array:
    """float32 to the bits of the nearest bfloat16, ties to even."""
    bits = array.astype(np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(array), 0x7FC0, rounded).astype(np.uint16)


# --- types ----------------------------------------------------------------------------


class Kind(NamedTuple):
    """The type of a value: its dtype, and its dimensions as `_dim` reads them."""

    dtype: DType
    dims: tuple[Dim, ...]


def kind_of(value: mlir.Value) -> Kind:
    type_ = _core.Value._from_cmlir(value).type
    known = isinstance(type_, mo.TensorType | mo.BufferType) and type_.dtype in NUMPY
    if not known or type_.device_ref.label != "cpu":
        raise Unsupported(f"a value of type {type_}")
    return Kind(type_.dtype, _dims(type_.shape_attr))


def data(values: Iterable[mlir.Value]) -> list[mlir.Value]:
    """The values, without the chains, which only order operations."""
    return [value for value in values if not _is_chain(value)]


def _is_chain(value: mlir.Value) -> bool:
    return isinstance(_core.Value._from_cmlir(value).type, mo.ChainType)


def _kinds(values: Iterable[mlir.Value]) -> list[tuple[mlir.Value, Kind]]:
    return [(value, kind_of(value)) for value in data(values)]


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
        self.inputs = data(operation.operands)
        self.results = _kinds(operation.results)
        self.blocks = [
            Program(inner, last.operands, block.arguments, program)
            for region in operation.regions
            for block in region.blocks
            for *inner, last in [[each.operation for each in block.operations]]
        ]
        self.forgets: list[mlir.Value] = []

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
            if kind.dtype == DType.bfloat16:
                array = _widen(_narrow(array))
            values[value] = self.program.fit(array, kind)
        for value in self.forgets:
            values.pop(value, None)

    @functools.cached_property
    def core(self) -> Any:
        """The operation with its attributes."""
        return _core.Operation._from_cmlir(self.operation)

    def sizes(self, name: str) -> tuple[int, ...]:
        """The value of an attribute that is a shape."""
        return tuple(map(self.program.size, _dims(getattr(self.core, name))))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape that the result must have."""
        return tuple(map(self.program.size, self.results[0][1].dims))

    @functools.cached_property
    def constant(self) -> Array:
        """The value of `mo.constant`."""
        dtype, raw = self.results[0][1].dtype, self.core.value.data.data
        array = np.fromiter(raw, np.uint8, len(raw))
        if dtype == DType.bfloat16:
            return _widen(array.view(np.uint16)).reshape(self.shape)
        return array.view(NUMPY[dtype]).reshape(self.shape)


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
        self.arguments = _kinds(arguments)
        self.ops = [Op(each, self) for each in operations]
        self.outputs = data(outputs)
        if parent is None:
            read = set(self.outputs)  # after the operation in question
            for op in reversed(self.ops):
                reads = {*reads_of(op.operation), *op.operation.results}
                op.forgets = [value for value in reads if value not in read]
                read |= reads

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
            except (Refused, MemoryError, Unsupported):
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


def program_of(graph: Graph) -> Program:
    """What the outputs of a graph need, and all that changes a buffer, as traced: an
    operation may name a dimension that one before it has introduced."""
    body = graph._graph_body
    *operations, output = [each.operation for each in body.operations]
    effects = [each for each in operations if ".store" in each.name or each.regions]
    roots = [*output.operands, *(value for each in effects for value in each.results)]
    needed = set(needed_for(roots))
    kept = [each for each in operations if each in needed]
    return Program(kept, output.operands, body.arguments)


# --- walking MLIR ---------------------------------------------------------------------


def to_mlir(value: Any) -> mlir.Value:
    """The MLIR value behind a value of `max.graph` or `max._core`."""
    core = getattr(value, "_mlir_value", value)
    return mlir.Value._CAPICreate(core._CAPIPtr)


def reads_of(operation: mlir.Operation) -> set[mlir.Value]:
    """The values from outside that an operation reads, its blocks included."""
    reads = set(operation.operands)
    for region in operation.regions:
        for block in region.blocks:
            inside = set(block.arguments)
            for each in block.operations:
                reads |= reads_of(each.operation) - inside
                inside |= set(each.operation.results)
    return reads


def needed_for(values: Iterable[mlir.Value]) -> list[mlir.Operation]:
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
        stack.extend((value.owner, False) for value in reads_of(operation))
    return list(order)
