"""What the checks load a model from: a checkpoint is anything with a ``state_dict()``.

``Arrays`` gives plain NumPy arrays. ``Live`` gives tensors that answer as those of a live
``GPT2LMHeadModel`` and not as arrays: what works on them works on PyTorch's.
"""

from typing import Any

import numpy as np

from checker.worker.probe import Unusable

SHARED = "item tolist reshape flatten ravel squeeze swapaxes sum mean min max all any"
NUMPY_ONLY = frozenset("astype copy flags flat strides base tobytes".split())
METHODS: dict[str, Any] = {
    **{name: getattr(np.ndarray, name) for name in SHARED.split()},
    **dict.fromkeys("detach cpu float requires_grad_".split(), lambda x, *_: x),
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
}
"""A tensor's methods, as functions of an array. ``transpose`` swaps two axes."""


class Absent(Unusable, AttributeError):
    """An attribute that is not there; ``hasattr`` and ``getattr`` work as ever."""


class Refused(Unusable, TypeError):
    """Arguments that PyTorch does not take."""


class Stored:
    """A tensor of PyTorch's, as far as loading needs one: float32, on the CPU."""

    dtype, device, is_cuda = "torch.float32", "cpu", False
    shape = property(lambda self: self._array.shape)
    ndim = property(lambda self: self._array.ndim)
    data = property(lambda self: self.detach())
    T = mT = property(lambda self: self.t())

    def __init__(self, array: np.ndarray, requires_grad: bool = False) -> None:
        self._array, self.requires_grad = array, requires_grad

    def __getattr__(self, name: str) -> Any:
        if name in NUMPY_ONLY:
            raise Absent(f"a PyTorch tensor has no `{name}`; a NumPy array has")
        if name not in METHODS:
            raise Absent(f"the check's PyTorch tensor has no `{name}`")

        def method(*given: Any, **more: Any) -> Any:
            try:
                found = METHODS[name](self._array, *given, **more)
            except (TypeError, KeyError):
                said = f"`{name}` of a PyTorch tensor does not take these arguments"
                raise Refused(said) from None
            grad = self.requires_grad and name not in ("detach", "requires_grad_")
            return Stored(found, grad) if isinstance(found, np.ndarray) else found

        return method

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, which: Any) -> "Stored":
        return Stored(self._array[which], self.requires_grad)

    def numpy(self, *, force: bool = False) -> np.ndarray:
        if self.requires_grad and not force:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. "
                "Use tensor.detach().numpy() instead."
            )
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
        raise Absent(f"the checkpoint has no `{name}`; it has `state_dict`")

    def state_dict(self) -> dict[str, Any]:
        return dict(self.state)


class Live(Arrays):
    """A live GPT2LMHeadModel. Its ``state_dict`` detaches unless told otherwise."""

    def state_dict(self, *, keep_vars: bool = False) -> dict[str, Any]:
        return {path: Stored(each, keep_vars) for path, each in self.state.items()}
