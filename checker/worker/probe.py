"""What probes are made of: the learner's file as they see it, and arrays in and out.

Probes run in the worker only. MAX is imported inside the functions, because the
parent process reads the tables as well and never imports MAX.
"""

import difflib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np


class Unusable(Exception):
    """What the learner's file offers cannot be used; the message says why."""


class Learner:
    """The learner's module. A name it lacks is answered with the names it has."""

    def __init__(self, module: ModuleType, file: str) -> None:
        self._module = module
        self._file = file
        self.kept: dict[str, Any] = {}
        """What several probes of one request share."""

    def __getattr__(self, name: str) -> Any:
        try:
            return getattr(self._module, name)
        except AttributeError:
            own = [n for n in vars(self._module) if not n.startswith("_")]
            raise Unusable(_lacks(self._file, name, own)) from None

    def has(self, name: str) -> bool:
        return hasattr(self._module, name)

    def names(self) -> dict[str, Any]:
        return vars(self._module)


def attribute(owner: object, path: str) -> Any:
    """``owner.a.b`` for the path "a.b"; a missing one is answered as for the module."""
    for name in path.split("."):
        kind = type(owner).__name__
        try:
            owner = owner[int(name)] if name.isdigit() else getattr(owner, name)  # type: ignore[index]
        except AttributeError:
            if hasattr(type(owner), name):
                raise  # it is there, a property, and what it does has gone wrong
            there = {**vars(type(owner)), **getattr(owner, "__dict__", {})}
            own = [n for n in there if n[:2] != "__"]
            local = _local(type(owner), name)
            raise Unusable(_lacks(kind, name, own) + local) from None
        except (IndexError, TypeError):
            raise Unusable(f"{kind} has no element {name}") from None
    return owner


def _local(owner: type, name: str) -> str:
    """That ``__init__`` has a variable of that name, if it has one."""
    code = getattr(vars(owner).get("__init__"), "__code__", None)
    inside = (
        code.co_varnames[code.co_argcount + code.co_kwonlyargcount :] if code else ()
    )
    if name not in inside:
        return ""
    return f". In __init__ `{name}` is a variable: an attribute is `self.{name}`"


def _lacks(owner: str, name: str, own: list[str]) -> str:
    """The nearest spelling first; without one, what is there."""
    folded = {n.lower(): n for n in own}
    near = difflib.get_close_matches(name.lower(), folded, n=1, cutoff=0.7)
    if near:
        return f"{owner} has no `{name}`; it has `{folded[near[0]]}`"
    listed = ", ".join(f"`{n}`" for n in sorted(own)[:6])
    return f"{owner} has no `{name}`" + (f"; it has {listed}" if listed else "")


def tensor(array: np.ndarray) -> Any:
    """A MAX tensor of a copy of ``array``, on the CPU; costs no graph."""
    from max.experimental.tensor import Tensor

    return Tensor.from_dlpack(np.array(array, order="C"))


def array(value: Any, what: str = "the result") -> np.ndarray:
    """The values of a MAX tensor; anything else raises Unusable."""
    from max.experimental.tensor import Tensor

    if value is None:
        raise Unusable(f"{what} is None: is a `return` missing?")
    if not isinstance(value, Tensor):
        kind = type(value)
        raise Unusable(
            f"{what} is a {kind.__module__.split('.')[0]} {kind.__name__}, "
            "not a MAX Tensor"
        )
    if value.dtype.name == "bfloat16":
        raise Unusable(f"{what} is bfloat16, which NumPy cannot read; want float32")
    return np.array(np.from_dlpack(value))


def fill(module: Any, weights: dict[str, np.ndarray]) -> Any:
    """Put arrays in place of a module's parameters, by path; returns the module.

    A matrix stored the other way round, [in, out], is filled transposed: the layout is
    the layer's own affair as long as its answer is right.
    """
    for path, value in weights.items():
        owner_path, _, name = path.rpartition(".")
        owner = attribute(module, owner_path) if owner_path else module
        setattr(owner, name, tensor(_as_stored(attribute(owner, name), value, path)))
    return module


def _as_stored(old: Any, value: np.ndarray, path: str) -> np.ndarray:
    shape = tuple(int(n) for n in getattr(old, "shape", ()) or ())
    if shape == value.shape:
        return value
    if value.ndim == 2 and shape == value.shape[::-1]:
        return value.T
    got = list(shape) if hasattr(old, "shape") else repr(old)
    raise Unusable(f"{path} has shape {got}, want {list(value.shape)}")


def traced(
    call: Callable[..., Any],
    weights_of: Any,
    shape: tuple[str | int, ...],
    example: np.ndarray,
) -> np.ndarray:
    """Trace ``call`` as one graph with symbolic dimensions and run it on ``example``.

    ``shape`` names the symbolic dimensions: ("batch", "seqlen", 12). ``weights_of`` is
    the module whose parameters the call uses. With the interpreter installed this
    takes milliseconds; without it MAX compiles the graph.
    """
    from max.driver import CPU
    from max.dtype import DType
    from max.graph import TensorType
    from max.nn.module_v3 import Module

    class Traced(Module):
        def __init__(self) -> None:
            self.module = weights_of

        def __call__(self, x: Any) -> Any:
            return call(x)

    dtype = DType.from_numpy(example.dtype)
    compiled = Traced().compile(TensorType(dtype, shape, device=CPU()))
    return array(compiled(tensor(example)))


def traced_twice(
    call: Callable[..., Any],
    weights_of: Any,
    shape: tuple[str | int, ...],
    example: np.ndarray,
) -> np.ndarray:
    """``traced``, after a graph with one token less: what the first graph has made is
    of no use in the second."""
    traced(call, weights_of, shape, example[:, 1:])
    return traced(call, weights_of, shape, example)


@contextmanager
def replaced(owner: object, name: str, value: object) -> Iterator[None]:
    """Set an attribute for a while (a recording stand-in for a library's function)."""
    old = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, old)
