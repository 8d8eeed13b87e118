"""Step 2: what is asked of the learner's causal_mask.

The sizes differ: nothing is as long as something else by chance.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from checker.worker.probe import Learner, array, tensor, traced, traced_twice
from tests.support.data import Array

BATCH, WIDTH = 2, 7


def mask(causal: Learner, rows: Any, cached: int, dtype: str = "float32") -> Array:
    from max.driver import CPU
    from max.dtype import DType

    made = causal.causal_mask(rows, cached, dtype=DType[dtype], device=CPU())
    return array(made, "causal_mask(...)")


def of_a_shape(causal: Learner, rows: int, cached: int) -> Array:
    """The length is read from a tensor, as attention does it."""
    x = tensor(np.zeros((BATCH, rows, WIDTH), np.float32))
    return mask(causal, x.shape[1], cached)


def shapes(causal: Learner) -> list[list[int]]:
    return [list(mask(causal, rows, 0).shape) for rows in (3, 5)]


def added(causal: Learner, rows: int, cached: int, named: bool = False) -> Array:
    """The mask added to scores of 0 in a graph, where the length has no number yet. It
    is ``x.shape[1]``, or given by its name alone."""
    return _added(causal, rows, cached, named, traced)


def added_twice(causal: Learner, rows: int, cached: int, named: bool = False) -> Array:
    return _added(causal, rows, cached, named, traced_twice)


def _added(
    causal: Learner, rows: int, cached: int, named: bool, by: Callable[..., Array]
) -> Array:
    from max.experimental import functional as F

    def scores(x: Any) -> Any:
        keys = x
        if cached:
            none = F.constant(0.0, dtype=x.dtype, device=x.device)
            before = F.broadcast_to(none, [x.shape[0], cached, WIDTH])
            keys = F.concat([before, x], axis=1)
        length = "length" if named else x.shape[1]
        hidden = causal.causal_mask(length, cached, dtype=x.dtype, device=x.device)
        return x @ F.transpose(keys, 1, 2) + hidden

    zeros = np.zeros((BATCH, rows, WIDTH), np.float32)
    return by(scores, None, ("batch", "length", WIDTH), zeros)


def is_functional(causal: Learner) -> bool:
    """Whether @F.functional made it: one of its wrappers is F.functional's own."""
    from max.experimental import functional as F

    wrapper, seen = F.functional(lambda: None).__code__, []
    inside = [causal.causal_mask]
    while inside:
        function = inside.pop()
        if getattr(function, "__code__", None) is wrapper:
            return True
        seen.append(function)
        cells = getattr(function, "__closure__", None) or ()
        found = [getattr(function, "__wrapped__", None), *map(_content, cells)]
        inside += [each for each in found if callable(each) and each not in seen]
    return False


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty
        return None
