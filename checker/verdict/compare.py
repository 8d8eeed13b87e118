"""Compare what a probe answered with what the oracle says, and put it in words.

Values are arrays, numbers, strings, None, and lists and dicts of them. Arrays must
agree in dtype and shape; floats within a tolerance, infinities and NaN in place; all
else exactly. ``got`` is whatever came from a worker: nothing in it raises here.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
FLOAT = (float, np.floating)


def same(got: Any, want: Any, tolerance: float) -> bool:
    """Whether the two are equal; an array never equals a list of its values."""
    if isinstance(want, np.ndarray):
        alike = isinstance(got, np.ndarray) and got.dtype == want.dtype
        return (
            alike and got.shape == want.shape and not _wrong(got, want, tolerance).any()
        )
    if isinstance(want, dict):
        return isinstance(got, dict) and all(
            key in got and same(got[key], each, tolerance) for key, each in want.items()
        )
    if isinstance(want, list | tuple):
        return (
            isinstance(got, list | tuple)
            and len(got) == len(want)
            and all(same(*pair, tolerance) for pair in zip(got, want, strict=True))
        )
    want = want.item() if isinstance(want, np.generic) else want
    return type(got) is type(want) and (got == want or _close(got, want, tolerance))


def difference(got: Any, want: Any, tolerance: float) -> str | None:
    """What was got and what was wanted, in one line; None where they are equal."""
    if isinstance(want, np.ndarray):
        return _array_difference(got, want, tolerance)
    if isinstance(want, dict):
        return _dict_difference(got, want, tolerance)
    if isinstance(want, list | tuple):
        return _list_difference(got, want, tolerance)
    if same(got, want, tolerance):
        return None
    return _both(got, want)


def _both(got: object, want: object, where: str = "") -> str:
    """The two values, told apart: by more digits if need be, or by their types."""
    if isinstance(got, str) and isinstance(want, str):
        got, want = _from_where_they_differ(got, want)
    one, other = brief(got), brief(want)
    for digits in (6, 9, 17):
        if one == other and isinstance(got, FLOAT) and isinstance(want, FLOAT):
            one, other = f"{got:.{digits}g}", f"{want:.{digits}g}"
    if one == other and type(got) is not type(want):
        one, other = f"{one} ({type(got).__name__})", f"{other} ({type(want).__name__})"
    return f"got {where}{one}, want {other}"


def _from_where_they_differ(one: str, other: str) -> tuple[str, str]:
    """Two texts, without all but the last words of a long beginning they share."""
    pairs = enumerate(zip(one, other, strict=False))
    same = next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
    if same < 60:
        return one, other
    return "…" + one[same - 30 :], "…" + other[same - 30 :]


def brief(value: object) -> str:
    """A value as it is shown to a learner, on one line, cut at 100 characters."""
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"an array {dimensions(value.shape)} of {value.dtype}"
    if isinstance(value, np.ndarray):
        text = np.array2string(value, precision=4, separator=", ")
    elif isinstance(value, FLOAT):
        text = f"{value:.4g}"
    else:
        text = str(value) if isinstance(value, np.generic) else repr(value)
    text = text.replace("\n", "")
    return text if len(text) <= 100 else text[:99] + "…"


def dimensions(shape: tuple[int, ...]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"


def _is_short(values: list[Any]) -> bool:
    """Whether a list is best shown whole: few numbers, such as a shape."""
    return len(values) <= 16 and all(isinstance(each, int | None) for each in values)


def _close(got: object, want: object, tolerance: float) -> bool:
    if not isinstance(got, float) or not isinstance(want, float):
        return False
    return not _wrong(np.asarray(got), np.asarray(want), tolerance)


def _array_difference(got: object, want: np.ndarray, tolerance: float) -> str | None:
    if not isinstance(got, np.ndarray):
        return f"got {brief(got)}, want an array {dimensions(want.shape)}"
    if got.shape != want.shape:
        return f"got shape {dimensions(got.shape)}, want {dimensions(want.shape)}"
    if got.dtype != want.dtype:
        return f"got dtype {got.dtype}, want {want.dtype}"
    wrong = _wrong(got, want, tolerance)
    if not wrong.any():
        return None
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    counts = f"; {wrong.sum()} of {wrong.size} values differ" if wrong.size > 1 else ""
    return _both(got[at], want[at], f"{list(at)} = " if at else "") + counts


def _wrong(got: Array, want: Array, tolerance: float) -> Array:
    """Where two arrays of one shape and dtype differ; numbers that are no floats have
    to be equal, infinities and NaN in their places."""
    with np.errstate(all="ignore"):
        equal = got == want
        if want.dtype.kind in "fc":
            near = np.abs(got - want) <= tolerance * (1 + np.abs(want))
            both_nan = np.isnan(got) & np.isnan(want)
            equal = equal | (near & np.isfinite(want)) | both_nan
    return np.asarray(~equal)


def _dict_difference(got: object, want: dict[str, Any], tolerance: float) -> str | None:
    if not isinstance(got, dict):
        return f"got {brief(got)}"
    for key, wanted in want.items():
        if key not in got:
            return f"{key}: nothing, want {brief(wanted)}"
        if (found := difference(got[key], wanted, tolerance)) is not None:
            return f"{key}: {found}"
    return None


def _list_difference(got: object, want: Any, tolerance: float) -> str | None:
    if not isinstance(got, list | tuple):
        return _both(got, want)
    if len(got) != len(want) or (_is_short([*got, *want]) and [*got] != [*want]):
        return _both(got, want)
    for index, (one, wanted) in enumerate(zip(got, want, strict=True)):
        if (found := difference(one, wanted, tolerance)) is not None:
            at = f" (number {index + 1} of {len(want)})" if len(want) > 1 else ""
            return f"{found}{at}"
    return None
