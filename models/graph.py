"""A graph of MAX 25.7 while it is traced, as step 13 reads it.

MAX has public names for adding operations to a graph, and none for reading the graph
back. What reading takes, and an operation that `max.graph.ops` has from 26.7 on, is
here, so that the puzzle needs no internals of MAX.
"""

from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from max import _core, mlir
from max._core.dialects import kgen, rmo
from max.graph import Dim, Graph, Shape, StaticDim, TensorValue, Value


def path(wrt: Sequence[TensorValue]) -> list["Operation"]:
    """The operations of the graph that depend on one of `wrt`, in the order in which
    they were traced: each after those whose results it reads."""
    reached = {_to_mlir(x) for x in wrt}
    found = []
    for view in Graph.current._graph_body.operations:
        if not reached.isdisjoint(_reads(view.operation)):
            reached.update(view.operation.results)
            found.append(Operation(view.operation, reached))
    return found


@dataclass(frozen=True, eq=False)
class Operation:
    """One operation of the graph that is being traced.

    Attributes:
        operation: as MLIR has it.
        reached: the values that depend on what the path starts from.
    """

    operation: mlir.Operation
    reached: set[mlir.Value]

    @property
    def name(self) -> str:
        """As MAX prints it: "rmo.mul" or "rmo.mo.softmax"."""
        return str(self.operation.name)

    @cached_property
    def operands(self) -> list[Value[Any]]:
        return [_to_value(each) for each in self.operation.operands]

    @cached_property
    def results(self) -> list[Value[Any]]:
        return [_to_value(each) for each in self.operation.results]

    def needs(self, operand: Value[Any]) -> bool:
        """Whether an operand depends on what the path starts from."""
        return _to_mlir(operand) in self.reached

    def numbers(self, index: int) -> list[int]:
        """The numbers of an operand that is a constant, such as an order of axes.

        Raises:
            NotImplementedError: the operand is computed when the graph runs.
        """
        owner = self.operation.operands[index].owner
        if getattr(owner, "name", "") != "mo.constant":
            raise NotImplementedError(
                f"operand {index} of {self} is computed when the graph runs: its rule "
                "needs a number that is known while the graph is traced"
            )
        raw = _core.Operation._from_cmlir(owner).value.data.data
        stored = np.fromiter(raw, np.uint8, len(raw))
        dtype = self.operands[index].tensor.dtype.to_numpy()
        return [int(number) for number in stored.view(dtype)]

    def number(self, index: int) -> int:
        """The same for a single number, such as an axis."""
        [number] = self.numbers(index)
        return number

    def attribute(self, name: str) -> int:
        """A number that is part of the operation: concat's axis."""
        if name in self.operation.attributes:
            return int(self.operation.attributes[name].value)
        return int(getattr(_core.Operation._from_cmlir(self.operation), name))

    def slices(self) -> list[tuple[Dim, int]]:
        """A slice's start and step along each axis, the starts counted from 0."""
        core = _core.Operation._from_cmlir(self.operation)
        starts, steps = (Shape.from_mlir(getattr(core, n)) for n in ("starts", "steps"))
        sizes = self.operands[0].tensor.shape
        return [
            (size + start if is_negative(start) else start, int(step))
            for start, step, size in zip(starts, steps, sizes, strict=True)
        ]

    def __str__(self) -> str:
        """The name, and dtype and shape of the operands."""
        told = [_told(x) for x in self.operands if isinstance(x, TensorValue)]
        return f"{self.name} of {' and '.join(told)}" if told else self.name


class ValueDict(MutableMapping[TensorValue, Any]):
    """A dictionary whose keys are values of a graph.

    A plain one cannot have them: `==` of two of them is an operation of the graph.
    """

    def __init__(self) -> None:
        self._items: dict[mlir.Value, tuple[TensorValue, Any]] = {}

    def __getitem__(self, key: TensorValue) -> Any:
        found = self._items.get(_to_mlir(key))
        if found is None:
            raise KeyError(f"nothing is stored for this value: {_told(key)}")
        return found[1]

    def __setitem__(self, key: TensorValue, item: Any) -> None:
        self._items[_to_mlir(key)] = key, item

    def __delitem__(self, key: TensorValue) -> None:
        del self._items[_to_mlir(key)]

    def __iter__(self) -> Iterator[TensorValue]:
        return (key for key, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)


def scatter_nd_add(
    x: TensorValue, updates: TensorValue, indices: TensorValue
) -> TensorValue:
    """`x` with `updates` added at `indices`; several at one place add up.

    Args:
        x: any shape; its first k dimensions are indexed.
        updates: [..., *x.shape[k:]], of the dtype of `x`.
        indices: int32 or int64 [..., k], all from 0.
    """
    none = kgen.ParamDeclArrayAttr([])
    add = Graph.current._add_op_generated
    return add(rmo.MoScatterNdAddOp, x.type, x, updates, indices, none)[0].tensor


def _told(x: TensorValue) -> str:
    """ "float32 [2, 5, 3]" """
    return f"{x.dtype.name} [{', '.join(map(str, x.shape))}]"


def is_negative(dim: Dim) -> bool:
    return isinstance(dim, StaticDim) and int(dim) < 0


def _to_mlir(value: Value[Any]) -> mlir.Value:
    """The MLIR value behind it, which can be hashed."""
    return mlir.Value._CAPICreate(value._mlir_value._CAPIPtr)


def _to_value(value: mlir.Value) -> Value[Any]:
    return Value.from_mlir(_core.Value._from_cmlir(value))


def _reads(operation: mlir.Operation) -> Iterator[mlir.Value]:
    """What an operation reads, also inside the blocks of a condition or a loop."""
    yield from operation.operands
    for region in operation.regions:
        for block in region.blocks:
            for each in block.operations:
                yield from _reads(each.operation)
