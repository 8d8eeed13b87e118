"""Step 2, ``causal.py``: the mask that hides the future.

Oracle: entry [i, j] is 0 where j <= i + num_tokens (the cached positions come first)
and -inf elsewhere; shape [sequence_length, sequence_length + num_tokens].
Vaswani et al. 2017, section 3.2.3; ``GPT2Attention`` in Hugging Face's
modeling_gpt2.py.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from checker.table import Check, Mistake, Table, distinct, flaws, refusals
from tests.s02_causal.probes import BATCH
from tests.support.data import Array
from tests.support.rows import NOTHING_RETURNED, name_missing

INF = np.inf


@cache
def mask(
    rows: int,
    cached: int,
    *,
    dtype: Any = np.float32,
    seen: Callable[[Any, Any, int], Any] = lambda i, j, cached: j <= i + cached,
    visible: float = 0.0,
    hidden: float = -INF,
    shape: Callable[[int, int], tuple[int, int]] = lambda t, cached: (t, t + cached),
    extra: int = 0,
) -> Array:
    """The mask as defined above; the keyword arguments make the mistakes."""
    height, width = shape(rows, cached)
    i, j = np.ogrid[:height, :width]
    made = np.where(seen(i, j, cached), visible, hidden).astype(dtype)
    return made.reshape((1,) * extra + made.shape)


BAND = (
    ("nothing-hidden", "Nothing is hidden: every entry is 0.", dict(hidden=0.0)),
    ("all-hidden", "Every entry is -inf.", dict(visible=-INF)),
    ("strict", "A token does not see itself: the diagonal is hidden as well.",
     dict(seen=lambda i, j, cached: j < i + cached)),
    ("one-ahead", "A token sees the one after it: the band is one too wide.",
     dict(seen=lambda i, j, cached: j <= i + cached + 1)),
    ("inverted", "The past is hidden and the future is open: this is the wrong half.",
     dict(visible=-INF, hidden=0.0)),
    ("upside-down", "The past is hidden: the mask is transposed.",
     dict(seen=lambda i, j, cached: j - cached >= i)),
    ("upside-down-strict", "The past is hidden, and the token itself as well: the mask "
     "is transposed.", dict(seen=lambda i, j, cached: j - cached > i)),
    ("only-itself", "A token sees no token but itself: the band has no lower part.",
     dict(seen=lambda i, j, cached: j == i + cached)),
    ("rows-alike", "Every row is the same: columns are compared with num_tokens, not "
     "with their row.", dict(seen=lambda i, j, cached: (j <= cached) | (i < 0))),
    ("column-too-many", "The mask has one column too many.",
     dict(shape=lambda t, cached: (t, t + cached + 1))),
    ("row-too-many", "The mask has one row too many.",
     dict(shape=lambda t, cached: (t + 1, t + cached))),
    ("extra-dimensions", "The mask is a matrix; here it has dimensions of size 1 in "
     "front.", dict(extra=1)),
    ("extra-dimensions", "The mask is a matrix; here it has dimensions of size 1 in "
     "front.", dict(extra=2)),
)  # fmt: skip
SHIFT = (
    ("cached-not-shifted", "The mask is wider by num_tokens, but its diagonal has "
     "not moved.",
     dict(seen=lambda i, j, cached: j <= i)),
    ("cached-not-shifted-strict", "num_tokens widens the mask, but shifts no "
     "diagonal, and a token does not see itself.",
     dict(seen=lambda i, j, cached: j < i)),
    ("cached-last", "The cached positions come last here; they have to come first.",
     dict(seen=lambda i, j, cached: (j <= i) | (j > i.max()))),
    ("cached-hidden", "The cached positions are hidden; every token has to see them.",
     dict(seen=lambda i, j, cached: (j <= i + cached) & (j >= cached))),
    ("cached-wrong-way", "num_tokens shifts the diagonal the wrong way.",
     dict(seen=lambda i, j, cached: j <= i - cached)),
    ("cached-twice", "num_tokens shifts the diagonal twice.",
     dict(seen=lambda i, j, cached: j <= i + 2 * cached)),
    ("cached-ignored", "num_tokens is ignored: the mask is square.",
     dict(seen=lambda i, j, cached: j <= i, shape=lambda t, cached: (t, t))),
    ("cached-too-few-columns", "num_tokens shifts the diagonal, but the mask has no "
     "columns for it.", dict(shape=lambda t, cached: (t, t))),
    ("cached-columns-only", "The mask has columns for the cached positions only.",
     dict(shape=lambda t, cached: (t, cached))),
    *(
        ("cached-rows", "num_tokens adds rows; it has to add columns.",
         dict(seen=seen, shape=shape))
        for seen in (lambda i, j, cached: j <= i, lambda i, j, cached: j <= i + cached,
                     lambda i, j, cached: j <= i - cached)
        for shape in (lambda t, cached: (t + cached, t + cached),
                      lambda t, cached: (t + cached, t))
    ),
)  # fmt: skip
VALUES = (
    ("zeros-and-ones", "This is a mask to multiply with (1 and 0); attention adds its "
     "mask.", dict(visible=1.0, hidden=0.0)),
    ("ones-where-hidden", "Hidden entries are 1; they have to be -inf.",
     dict(hidden=1.0)),
    ("minus-one", "Hidden entries are -1; they have to be -inf.", dict(hidden=-1.0)),
    ("plus-inf", "Hidden entries are +inf: the sign is lost.", dict(hidden=INF)),
    ("one-where-visible", "Visible entries are 1; they have to be 0.",
     dict(visible=1.0)),
    ("zero-times-infinity", "Visible entries are NaN, as 0 times -inf or -inf minus "
     "-inf is: choose between the two numbers, do not compute with them.",
     dict(visible=np.nan)),
    ("zero-times-infinity-hidden", "Hidden entries are NaN, as 0 times -inf or -inf "
     "minus -inf is.", dict(hidden=np.nan)),
    ("boolean", "This mask is True and False; attention adds 0 and -inf.",
     dict(visible=1.0, hidden=0.0, dtype=bool)),
    ("boolean", "This mask is True and False; attention adds 0 and -inf.",
     dict(visible=0.0, hidden=1.0, dtype=bool)),
    *(
        (f"dtype-{np.dtype(other)}", f"The values are right, but the dtype is "
         f"{np.dtype(other)}, not the one that is asked for.", dict(dtype=other))
        for other in (np.float32, np.float64, np.float16)
    ),
)  # fmt: skip


def finite(rows: int, cached: int) -> Callable[[Any], bool]:
    """Zeros where they belong, and one negative number elsewhere."""

    def proves(got: Any) -> bool:
        want = mask(rows, cached)
        hidden = got[want < 0]
        right = got.shape == want.shape and (got[want == 0] == 0).all()
        one = hidden.size and (hidden == hidden[0]).all() and hidden[0] < 0
        return bool(right and one and np.isfinite(hidden[0]))

    return proves


REFUSED = (
    *refusals(
        ("not-a-tensor", "What is returned is not a MAX Tensor.", "not a MAX Tensor")
    ),
    *name_missing("causal_mask"),
    NOTHING_RETURNED,
)


def alike(one: Array, other: Array) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)


def mistakes(rows: int, cached: int, dtype: str) -> tuple[Mistake, ...]:
    """The ways to be wrong at this size; what looks right at it is left out."""
    oracle = partial(mask, rows, cached, **{"dtype": np.dtype(dtype)})
    rules = (*BAND[:2], *(SHIFT if cached else ()), *BAND[2:], *VALUES)
    _, *wrong = distinct(
        Mistake("right", "", gives=oracle),
        *flaws(oracle, *rules),
        like=alike,
    )
    return (
        *(each for each in wrong if not np.isnan(each.gives()).all()),
        Mistake("finite", "Hidden entries are a finite negative number; they have to "
                "be -inf.", proves=finite(rows, cached)),
        Mistake("size-hard-coded", "The mask has the same shape whatever "
                "sequence_length is.", probe="shapes",
                proves=lambda got: isinstance(got[0], list) and got[0] == got[1]),
        *REFUSED,
    )  # fmt: skip


PLAIN = "hides the future and nothing else"


def row(
    name: str, rows: int, cached: int, *, dtype: str = "float32", probe: str = "mask"
) -> Check:
    given = (rows, cached) if probe != "mask" else (rows, cached, dtype)
    return Check(
        name,
        probe,
        given=given,
        expect=lambda: mask(rows, cached, dtype=np.dtype(dtype)),
        mistakes=partial(mistakes, rows, cached, dtype),
        needs=(PLAIN,) if name != PLAIN else (),
        where="causal_mask",
    )


def in_a_graph(name: str, rows: int, cached: int, *named: bool) -> Check:
    return Check(
        name,
        "added_twice",
        given=(rows, cached, *named),
        expect=lambda: np.stack([mask(rows, cached)] * BATCH),
        needs=(PLAIN,),
        where="causal_mask",
    )


TABLE = Table(
    checks=(
        row(PLAIN, 5, 0),
        row("puts 3 cached positions first, open to every token", 4, 3),
        row("works for one token", 1, 0),
        row("works for one token after 600 cached ones", 1, 600),
        row("works for 300 tokens after 30 cached ones", 300, 30),
        row("makes the mask in the dtype that is asked for", 3, 2, dtype="float64"),
        row("works in float16, for more tokens than it can count", 3, 2500,
            dtype="float16"),
        row("takes the length from a tensor's shape", 6, 2, probe="of_a_shape"),
        in_a_graph("can be traced with any number of tokens", 5, 0),
        in_a_graph("can be traced with any number of tokens after 3 cached ones", 4, 3),
        in_a_graph("takes the length as a name in a graph", 4, 3, True),
        Check(
            "is decorated with @F.functional",
            "is_functional",
            expect=lambda: True,
            where="causal_mask",
            mistakes=(
                Mistake("not-functional", "@F.functional is missing: it makes the mask "
                        "in a graph and outside.", gives=lambda: False),
            ),
        ),
    ),
    compiled=Check(
        "compiled and run by MAX: the same mask",
        "added",
        given=(5, 3),
        expect=lambda: np.stack([mask(5, 3)] * BATCH),
    ),
)  # fmt: skip
