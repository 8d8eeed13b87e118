"""What the checks load a model from: a checkpoint is anything with a ``state_dict()``.

``Arrays`` gives plain NumPy arrays. ``Live`` gives tensors that answer as those of a
live ``GPT2LMHeadModel``, and not as arrays: what works on them works on PyTorch's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from checker.worker.probe import Unusable

SHARED = "item tolist reshape flatten ravel squeeze swapaxes sum mean min max all any"
NUMPY_ONLY = ("astype", "copy", "flags", "flat", "strides", "tobytes")
METHODS: dict[str, Any] = {
    **{name: getattr(np.ndarray, name) for name in SHARED.split()},
    **dict.fromkeys(("detach", "cpu", "float"), lambda x: x),
    "requires_grad_": lambda x, on: {False: x}[on],
    "clone": np.copy,
    "contiguous": np.ascontiguousarray,
    "is_contiguous": lambda x: x.flags.c_contiguous,
    "t": lambda x: x.T,
    "transpose": lambda x, one, other: x.swapaxes(one, other),
    "permute": np.ndarray.transpose,
    "view": np.ndarray.reshape,
    "size": lambda x, axis=None: x.shape if axis is None else x.shape[axis],
    "dim": lambda x: x.ndim,
    "numel": lambda x: x.size,
    "to": lambda x, where: {"cpu": x}[where],
    "numpy": None,  # below
}
"""A tensor's methods, as functions of an array. ``transpose`` swaps two axes."""


class Foreign(Unusable, AttributeError, TypeError):
    """What is not there, or is not taken; ``hasattr`` works as ever."""


class Stored:
    """A tensor of PyTorch's, as far as loading needs one: float32, on the CPU."""

    dtype, device, is_cuda = "torch.float32", "cpu", False
    shape = property(lambda self: self._array.shape)
    ndim = property(lambda self: self._array.ndim)
    data = property(lambda self: self.detach())
    T = property(lambda self: self.t())

    def __init__(self, array: np.ndarray, requires_grad: bool = False) -> None:
        self._array, self.requires_grad = array, requires_grad

    def __getattr__(self, name: str) -> Any:
        if name in NUMPY_ONLY:
            raise Foreign(f"a PyTorch tensor has no `{name}`; a NumPy array has")
        if name not in METHODS:
            raise Foreign(f"the check's PyTorch tensor has no `{name}`")

        def method(*given: Any, **more: Any) -> Any:
            try:
                found = METHODS[name](self._array, *given, **more)
            except (TypeError, KeyError):
                said = f"`{name}` of a PyTorch tensor does not take these arguments"
                raise Foreign(said) from None
            grad = self.requires_grad and name not in ("detach", "requires_grad_")
            return Stored(found, grad) if isinstance(found, np.ndarray) else found

        return method

    def numpy(self, *, force: bool = False) -> np.ndarray:
        if self.requires_grad and not force:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **how: Any) -> Any:
        return self.numpy().__dlpack__(**how)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


class Arrays:
    """A checkpoint of NumPy arrays."""

    def __init__(self, state: dict[str, np.ndarray]) -> None:
        self.state = {path: array.copy() for path, array in state.items()}

    def __getattr__(self, name: str) -> Any:
        raise Foreign(f"the checkpoint has no `{name}`; it has `state_dict`")

    def state_dict(self) -> dict[str, Any]:
        return dict(self.state)


class Live(Arrays):
    """A live GPT2LMHeadModel. Its ``state_dict`` detaches unless told otherwise."""

    def state_dict(self, *, keep_vars: bool = False) -> dict[str, Any]:
        return {path: Stored(each, keep_vars) for path, each in self.state.items()}


@contextmanager
def pytorch_only() -> Iterator[None]:
    """Where an array is asked for what tensors alone have, says so."""
    try:
        yield
    except AttributeError as error:
        if type(error.obj) is np.ndarray and error.name in METHODS:
            said = f"a NumPy array has no `{error.name}`; a PyTorch tensor has"
            raise Unusable(said).with_traceback(error.__traceback__) from None
        raise
