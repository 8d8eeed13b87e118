"""Points in exact decimals, so that parts add up to their whole as they are written."""

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise


def exact(number: float) -> Decimal:
    """The number as it is written, not the nearest binary one."""
    return Decimal(str(number))


def total(numbers: Iterable[float]) -> float:
    return float(sum(map(exact, numbers), Decimal()))


def earned(worth: float, part: int, count: int) -> Decimal:
    """``part`` of ``count`` equal shares, to the cent; all of them are ``worth``."""
    whole = exact(worth)
    exponent = whole.as_tuple().exponent
    unit = Decimal(1).scaleb(min(-2, exponent if isinstance(exponent, int) else 0))
    return (whole * part / max(1, count)).quantize(unit, ROUND_HALF_UP)


def shares(worth: float, count: int) -> list[Decimal]:
    """Parts as equal as cents can be. The first n add up to ``earned(worth, n, …)``."""
    sums = [earned(worth, number, count) for number in range(count + 1)]
    return [after - before for before, after in pairwise(sums)]


def whole_numbers(numbers: Iterable[float], most: Iterable[int]) -> list[int]:
    """Rounded, none above its most, so that the sum is the rounded sum."""
    sum_, given, found = Decimal(), 0, []
    for number, limit in zip(numbers, most, strict=True):
        sum_ += exact(number)
        rounded = int(sum_.quantize(Decimal(1), ROUND_HALF_UP))
        found.append(max(0, min(limit, rounded - given)))
        given += found[-1]
    return found
