"""What stands in for a live ``GPT2LMHeadModel`` to load from.

PyTorch is no part of the course, and a right answer may be written for its tensors as
well as for NumPy's arrays. These answer to both.
"""

from typing import Any

import numpy as np


class Size(int):
    """NumPy's ``array.size`` and PyTorch's ``tensor.size()``."""

    shape: tuple[int, ...]

    def __call__(self, axis: int | None = None) -> Any:
        return self.shape if axis is None else self.shape[axis]


class Stored(np.ndarray):
    """A checkpoint's tensor: an array that answers to PyTorch's methods as well."""

    requires_grad = False

    def numpy(self, *, force: bool = False) -> np.ndarray:
        return np.asarray(self)

    def detach(self) -> "Stored":
        return self

    cpu = float = requires_grad_ = detach

    def to(self, *_: Any, **__: Any) -> "Stored":
        return self

    def contiguous(self) -> "Stored":
        return np.ascontiguousarray(self).view(Stored)

    def is_contiguous(self) -> bool:
        return bool(self.flags.c_contiguous)

    def clone(self) -> "Stored":
        return self.copy()

    def t(self) -> "Stored":
        return self.T

    def dim(self) -> int:
        return self.ndim

    def numel(self) -> int:
        return int(np.asarray(self).size)

    def permute(self, *axes: Any) -> "Stored":
        return np.ndarray.transpose(self, *axes)

    def transpose(self, *axes: Any) -> "Stored":
        """PyTorch's (0, 1) swaps these two; NumPy's would leave them as they are."""
        return self.T if axes == (0, 1) else np.ndarray.transpose(self, *axes)

    @property
    def data(self) -> Any:
        return self

    @property
    def size(self) -> Any:
        found = Size(np.asarray(self).size)
        found.shape = self.shape
        return found


class Checkpoint:
    """Stands in for a GPT2LMHeadModel: its names, its layouts, no buffers."""

    def __init__(self, state: dict[str, np.ndarray]) -> None:
        self.state = {path: array.copy().view(Stored) for path, array in state.items()}

    def state_dict(self, *_: Any, **__: Any) -> dict[str, Stored]:
        return dict(self.state)
