"""Step 2, ``causal.py``: the mask that hides the future.

Oracle: entry [i, j] is 0 where j <= i + num_tokens (the cached positions come first)
and -inf elsewhere; shape [sequence_length, sequence_length + num_tokens].
Vaswani et al. 2017, section 3.2.3; ``GPT2Attention`` in Hugging Face's
modeling_gpt2.py.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from checker.compare import same
from checker.probe import Learner, array, traced
from checker.table import Check, Late, Mistake, Step
from tests.common import NO_RETURN, name_missing

INF = np.inf


def mask(
    rows: int,
    cached: int,
    *,
    seen: Callable[[Any, Any, int], Any] = lambda i, j, cached: j <= i + cached,
    visible: float = 0.0,
    hidden: float = -INF,
    columns: int | None = None,
    dtype: type = np.float32,
) -> np.ndarray:
    """The mask as defined above; the keyword arguments make the mistakes."""
    i, j = np.ogrid[:rows, : rows + cached if columns is None else columns]
    return np.where(seen(i, j, cached), visible, hidden).astype(dtype)


def causal_mask(
    rows: int, cached: int, dtype: str = "float32"
) -> Callable[[Learner], Any]:
    """A probe: the learner's mask at this size."""

    def probe(causal: Learner) -> np.ndarray:
        from max.driver import CPU
        from max.dtype import DType

        made = causal.causal_mask(rows, cached, dtype=DType[dtype], device=CPU())
        return array(made, "causal_mask(...)")

    return probe


def is_functional(causal: Learner) -> bool:
    """Whether @F.functional made it: one of its wrappers is F.functional's own."""
    from max.experimental import functional as F

    wrapper = F.functional(lambda: None).__code__
    function = causal.causal_mask
    while function is not None:
        if getattr(function, "__code__", None) is wrapper:
            return True
        function = getattr(function, "__wrapped__", None)
    return False


def compiled(causal: Learner) -> np.ndarray:
    from max.driver import CPU
    from max.dtype import DType

    def adds_mask(x: Any) -> Any:
        return x + causal.causal_mask(5, 3, dtype=DType.float32, device=CPU())

    return traced(adds_mask, None, ("batch", 5, 8), np.ones((2, 5, 8), np.float32))


def finite(rows: int, cached: int) -> Callable[[Any], bool]:
    """Zeros where they belong and one large negative number elsewhere."""

    def recognise(got: Any) -> bool:
        want = mask(rows, cached)
        if not isinstance(got, np.ndarray) or got.shape != want.shape:
            return False
        hidden = got[want != 0]
        return bool(
            hidden.size
            and (got[want == 0] == 0).all()
            and np.isfinite(hidden).all()
            and (hidden < 0).all()
        )

    return recognise


def hides_other_tokens(rows: int, cached: int) -> Callable[[Any], bool]:
    """Zeros and minus infinities, but not where they belong."""

    def recognise(got: Any) -> bool:
        want = mask(rows, cached)
        if not isinstance(got, np.ndarray) or got.shape != want.shape:
            return False
        return bool(np.isin(got, (0, -INF)).all() and (got != want).any())

    return recognise


def mistakes(rows: int, cached: int, dtype: type = np.float32) -> tuple[Mistake, ...]:
    """The ways to be wrong, computed for this size."""

    def wrong(name: str, message: str, **flaw: Any) -> Mistake:
        flaw = {"dtype": dtype, **flaw}
        return Mistake(name, message, gives=lambda: mask(rows, cached, **flaw))

    found = [
        wrong("nothing-hidden", "Nothing is hidden: every entry is 0.", hidden=0.0),
        wrong("all-hidden", "Every entry is -inf.", visible=-INF),
        *(_about_cached(rows, cached, wrong) if cached else ()),
        wrong(
            "strict",
            "A token does not see itself here: the diagonal is hidden as well.",
            seen=lambda i, j, cached: j < i + cached,
        ),
        wrong(
            "one-ahead",
            "A token sees one token of the future: the band is one too wide.",
            seen=lambda i, j, cached: j <= i + cached + 1,
        ),
        wrong(
            "inverted",
            "The past is hidden and the future is open: the band is the wrong half.",
            visible=-INF,
            hidden=0.0,
        ),
        wrong(
            "upside-down",
            "The past is hidden: the mask is transposed.",
            seen=lambda i, j, cached: j - cached >= i,
        ),
        wrong(
            "upside-down-strict",
            "The past is hidden, and a token itself as well: the mask is transposed.",
            seen=lambda i, j, cached: j - cached > i,
        ),
        wrong(
            "only-itself",
            "A token sees no token but itself: the band has no lower part.",
            seen=lambda i, j, cached: j == i + cached,
        ),
        wrong(
            "zeros-and-ones",
            "This is a mask to multiply with (1 and 0); attention adds its mask.",
            visible=1.0,
            hidden=0.0,
        ),
        wrong(
            "ones-where-hidden",
            "Hidden entries are 1 here; they have to be -inf.",
            hidden=1.0,
        ),
        wrong(
            "minus-one",
            "Hidden entries are -1 here; they have to be -inf.",
            hidden=-1.0,
        ),
        wrong("plus-inf", "Hidden entries are +inf: the sign is lost.", hidden=INF),
        wrong(
            "one-where-visible",
            "Visible entries are 1 here; they have to be 0.",
            visible=1.0,
        ),
        wrong(
            "zero-times-infinity",
            "0 times -inf is NaN: choose between the two, do not multiply.",
            visible=np.nan,
        ),
        wrong(
            "zero-times-infinity-hidden",
            "Hidden entries are NaN: 0 times -inf, or -inf minus -inf.",
            hidden=np.nan,
        ),
        wrong(
            "all-nan",
            "Every entry is NaN: 0 times -inf is.",
            visible=np.nan,
            hidden=np.nan,
        ),
        Mistake(
            "finite",
            "Hidden entries are a negative number, not -inf: a little of the future "
            "comes through.",
            recognise=finite(rows, cached),
        ),
        *(
            wrong(
                f"dtype-{other.__name__}",
                f"The values are right, the dtype is {other.__name__} whatever is "
                "asked for: use the argument.",
                dtype=other,
            )
            for other in (np.float32, np.float64, np.float16)
        ),
        Mistake(
            "boolean",
            "This mask is True and False; attention adds 0 and -inf.",
            recognise=lambda got: isinstance(got, np.ndarray) and got.dtype == bool,
        ),
        Mistake(
            "extra-dimensions",
            "The mask has dimensions of size 1 in front: it is a matrix.",
            recognise=lambda got: (
                isinstance(got, np.ndarray)
                and got.ndim > 2
                and got.shape[-2:] == (rows, rows + cached)
            ),
        ),
    ]
    return (
        *_distinct(found, mask(rows, cached, dtype=dtype)),
        *ANYWHERE,
        Mistake(
            "hides-other-tokens",
            "Entries are 0 and -inf, but the -inf are not the future's.",
            recognise=hides_other_tokens(rows, cached),
        ),
        Mistake(
            "other-shape",
            "The mask has a row for each new token and a column for each cached and "
            "new one: this has another shape.",
            probe=causal_mask(rows, cached),
            recognise=lambda got: got.shape != (rows, rows + cached),
        ),
    )


def _distinct(found: list[Mistake], right: np.ndarray) -> list[Mistake]:
    """Without those that look right at this size, or like one named before."""
    seen, distinct = [right], []
    for mistake in found:
        answer = mistake.gives() if mistake.gives else None
        if isinstance(answer, np.ndarray):
            if any(same(answer, other, 0.0) for other in seen):
                continue
            seen.append(answer)
        distinct.append(mistake)
    return distinct


def _about_cached(
    rows: int, cached: int, wrong: Callable[..., Mistake]
) -> list[Mistake]:
    total = rows + cached
    return [
        wrong(
            "cached-not-shifted",
            "num_tokens widens the mask, but does not shift the diagonal.",
            seen=lambda i, j, cached: j <= i,
        ),
        wrong(
            "cached-not-shifted-strict",
            "num_tokens widens the mask, but does not shift the diagonal, and a token "
            "does not see itself.",
            seen=lambda i, j, cached: j < i,
        ),
        wrong(
            "cached-last",
            "The cached positions stand last here; they come first.",
            seen=lambda i, j, cached: (j <= i) | (j >= rows),
        ),
        wrong(
            "cached-hidden",
            "The cached positions are hidden here; every token sees them.",
            seen=lambda i, j, cached: (j <= i + cached) & (j >= cached),
        ),
        wrong(
            "cached-wrong-way",
            "num_tokens shifts the diagonal the wrong way.",
            seen=lambda i, j, cached: j <= i - cached,
        ),
        wrong(
            "cached-ignored",
            "num_tokens is ignored: the mask is square.",
            seen=lambda i, j, cached: j <= i,
            columns=rows,
        ),
        wrong(
            "cached-too-few-columns",
            "num_tokens shifts the diagonal, but the mask has no columns for it.",
            columns=rows,
        ),
        Mistake(
            "cached-rows",
            "num_tokens adds rows; it adds columns.",
            recognise=lambda got: (
                isinstance(got, np.ndarray)
                and got.shape in ((total, total), (total, rows))
            ),
        ),
        wrong(
            "cached-columns-only",
            "The mask has a column for each cached position only.",
            columns=cached,
        ),
    ]


def check(
    name: str, rows: int, cached: int, dtype: str = "float32", **more: Any
) -> Check:
    return Check(
        name,
        causal_mask(rows, cached, dtype),
        expect=lambda: mask(rows, cached, dtype=np.dtype(dtype).type),
        mistakes=Late(lambda: mistakes(rows, cached, np.dtype(dtype).type)),
        where="causal_mask",
        **more,
    )


def shapes_at_two_sizes(causal: Learner) -> list[list[int]]:
    return [list(causal_mask(rows, 0)(causal).shape) for rows in (3, 5)]


ANYWHERE = (
    Mistake(
        "size-hard-coded",
        "The mask has the same shape whatever sequence_length is.",
        probe=shapes_at_two_sizes,
        recognise=lambda got: got[0] == got[1],
    ),
    Mistake(
        "not-a-tensor",
        "What is returned is not a MAX Tensor: make one of it.",
        raises="Unusable: .* not a MAX Tensor",
    ),
    name_missing("causal_mask"),
    NO_RETURN,
)
"""Mistakes that show at every size alike."""

PLAIN = "hides the future and nothing else"

STEP = Step(
    uses=(),
    checks=(
        check(PLAIN, 5, 0),
        check(
            "puts 3 cached positions first, open to every token", 4, 3, needs=(PLAIN,)
        ),
        check("works for one token", 1, 0, needs=(PLAIN,)),
        check("works for one token after 6 cached ones", 1, 6, needs=(PLAIN,)),
        check(
            "makes the mask in the dtype that is asked for",
            3,
            2,
            "float64",
            needs=(PLAIN,),
        ),
        Check(
            "is decorated with @F.functional",
            is_functional,
            expect=lambda: True,
            where="causal_mask",
            mistakes=(
                Mistake(
                    "not-functional",
                    "@F.functional is missing: with it a function takes and gives "
                    "tensors both inside a graph and outside.",
                    gives=lambda: False,
                ),
            ),
        ),
    ),
    compiled=Check(
        "compiled and run by MAX: the same mask",
        compiled,
        expect=lambda: np.ones((2, 5, 8), np.float32) + mask(5, 3),
    ),
)
