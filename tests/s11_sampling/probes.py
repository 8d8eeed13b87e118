"""Step 11: what is asked of the learner's filters and of their Sampler.

Logits are a ladder of values in shuffled order, so that it is known which token is the
first, second or third most probable, and ids tell nothing.
"""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from checker.worker.probe import Learner, Unusable
from tests.support.data import Array, noise

Ids = list[int]

# The arrays


def order(name: str, size: int) -> Array:
    """The ids from the most to the least probable token, int64 [size]."""
    return noise(f"order of {name}", size).argsort(kind="stable")


def shuffled(name: str, ladder: Array) -> Array:
    """The values of a ladder, the first for the most probable token, float32 [V]."""
    logits = np.empty(len(ladder), np.float32)
    logits[order(name, len(ladder))] = ladder
    return logits


def ranked(name: str, size: int, *ranks: int) -> Ids:
    """The ids of the tokens of these ranks in ``shuffled``; rank 0 is the highest."""
    return [int(order(name, size)[rank]) for rank in ranks]


def ladder(name: str, top: float, bottom: float, size: int) -> Array:
    """Descending values; each step is uneven, by a quarter at most."""
    even = np.linspace(top, bottom, size)
    return even + np.tanh(noise(f"ladder of {name}", size)) * (even[0] - even[1]) / 8


V, K, P, PENALTY = 29, 5, 0.65, 1.7
NEVER = -150.0
"""A logit so low that the probability is lost in a sum with others."""

SHALLOW, DEEP = ladder("top", 3.3, 2.0, 12), ladder("rest", 1.6, -4.4, V - 12)
PLAIN = shuffled("plain", np.array([*SHALLOW, *DEEP]))
"""Seven tokens have the probability P together, and many others are not far below."""
SEEN = ranked("plain", V, 2, 20, 5, 2, 27, 9, 5, 2, 20)
"""Ids of tokens with positive and negative logits, some of them several times."""
GRID: Ids = [*SEEN[1:], *SEEN[:4]]
"""The same tokens, as many as a [3, 4] array holds."""

SEEN_FIRST = PLAIN.copy()
SEEN_FIRST[SEEN[0]] = 3.9
"""The same, but a token of the text is the most probable one."""
FLAT = shuffled("flat", ladder("flat", 1.0, 0.0, V))
"""All tokens are nearly as probable."""

FEW = shuffled("few", np.repeat([2.5, 1.25, 0.5, -0.75, -2.0], [3, 41, 90, 77, 100]))
"""311 logits with five values: most have many equals."""
EQUAL = shuffled(
    "equal", np.array([*[0.0] * 16, *ladder("equal", NEVER, -170, V - 16)])
)
"""16 tokens have a probability of 1/16, and the rest nothing."""
STEEP = shuffled("steep", np.array([*[0.0] * 4, *np.linspace(NEVER, -400, V - 4)]))
"""Four tokens have all the probability that a sum can hold: 1/4 each."""
LEFT = shuffled("left", np.array([*ladder("left", 1.7, 0.2, 7), *[-np.inf] * (V - 7)]))
"""What a filter has left: seven tokens."""
GRAIN, GRAINS = 2236.45 / 2**24, 3000
SAND = shuffled("sand", np.log([1 - GRAINS * GRAIN, *[GRAIN] * GRAINS]))
"""One token has 0.6 of the probability, and 3000 have a grain each. Above 0.5 float32
counts in steps of 2**-24, so that a sum loses 0.45 of a step with each grain."""
HEAP = 1 - 750.2 * GRAIN
"""A probability that is reached with 2250 grains; in float32 it takes one more."""
SHIFTS, NEAR = (0.0, 1000.0, -1000.0), (0.0, 30.0, -30.0)
BINARY = np.round(PLAIN * 64) / 64
"""Multiples of 1/64: they stay exact when 1000 is added."""

LOGITS: dict[str, Array] = {
    "plain": PLAIN,
    "few": FEW,
    "equal": EQUAL,
    "steep": STEEP,
    "left": LEFT,
    "sand": SAND,
    **{f"shifted by {by:g}": BINARY + np.float32(by) for by in SHIFTS + NEAR},
}

# The functions


def kind(value: Any) -> str:
    """ "list", "max Tensor"."""
    module = type(value).__module__.split(".")[0]
    return f"{module} {type(value).__name__}".removeprefix("builtins ")


def vector(value: Any, what: str) -> Array:
    """A NumPy array, copied; float64 holds the same numbers as float32."""
    if value is None:
        raise Unusable(f"{what} is None: is a `return` missing?")
    if not isinstance(value, np.ndarray):
        raise Unusable(f"{what} is a {kind(value)}, want a NumPy array")
    return np.array(value, np.float32 if value.dtype == np.float64 else None)


def filtered(learner: Learner, function: str, name: str, setting: float) -> Array:
    """What ``top_k`` or ``top_p`` makes of ``LOGITS[name]``."""
    logits = LOGITS[name].copy()
    answer = getattr(learner, function)(logits, setting)
    return vector(answer, f"{function}(...)")


def several(learner: Learner, function: str, *asked: list[Any]) -> list[Array]:
    """The answers to pairs of a name of LOGITS and a setting."""
    return [filtered(learner, function, *one) for one in asked]


FORMS: dict[str, Callable[[], Any]] = {
    "list": lambda: list(SEEN),
    "[1, T]": lambda: np.array([SEEN], np.int64),
    "[3, 4]": lambda: np.array(GRID, np.int64).reshape(3, 4),
    "long": lambda: [*SEEN, *[SEEN[4]] * 300],
    "empty list": list,
    "empty [0]": lambda: np.zeros(0, np.int64),
    "empty [1, 0]": lambda: np.zeros((1, 0), np.int64),
}
"""The tokens so far, made anew for each call."""


def penalized(learner: Learner, *asked: list[Any]) -> list[Array]:
    """What ``repetition_penalty`` makes of PLAIN, for pairs of a penalty and a form."""
    what = "repetition_penalty(...)"
    return [
        vector(learner.repetition_penalty(PLAIN.copy(), FORMS[form](), penalty), what)
        for penalty, form in asked
    ]


def afterwards(learner: Learner, function: str) -> dict[str, Any]:
    """What was given to a function, after calls with the ids as an array and a list."""
    logits, array, ids = PLAIN.copy(), np.array([SEEN], np.int64), list(SEEN)
    call = getattr(learner, function)
    if function == "repetition_penalty":
        call(logits, array, PENALTY)
        call(PLAIN.copy(), ids, PENALTY)
    else:
        call(logits, {"top_k": K, "top_p": P}[function])
    return {"logits": logits, "ids": array, "list": ids}


# The Sampler

WIDE = (3.6, *np.linspace(0, -0.5, 80))
"""One token has more than a third of the draws, and 80 have the rest."""
HALVES = (5.0, *np.linspace(0.1, -0.1, 148))
"""One token has half of the draws: any other temperature shows."""
CLIFF, HILL = np.linspace(4, -52, 81), np.linspace(4, -36, 81)
"""Each token has half the draws of the one before, or 0.6 times."""
SLOPE = np.linspace(3.5, -4.2, 23)
"""Each token has 0.7 times the draws of the one before."""
SHARP = (4.0, 0.0, -1.0)
"""One token has nearly all the draws: a second softmax shows."""
RANKS = (1, 2, 1)


@dataclass(frozen=True)
class Case:
    """A Sampler's settings, and what it is given.

    The logits are a profile times the temperature, so that the right shares do not
    depend on it. ``ranks`` are those of the tokens in ids, which are repeated to any
    length.
    """

    name: str
    profile: Any
    settings: dict[str, Any]
    ranks: tuple[int, ...] = RANKS

    @cached_property
    def logits(self) -> Array:
        """Not to be changed: a probe gives away copies."""
        heat = self.settings.get("temperature", 1.0)
        return shuffled(self.name, heat * np.array(self.profile))

    @cached_property
    def ids(self) -> Ids:
        return ranked(self.name, len(self.profile), *self.ranks)


CASES = {
    case.name: case
    for case in (
        Case("default", HALVES, {}),
        Case("hot", WIDE, {"temperature": 3.3}, ranks=(0, 3, 40, 0)),
        Case("cold", CLIFF, {"temperature": 0.36}),
        Case("sharp", SHARP, {"temperature": 0.5}),
        Case("top-k", HILL, {"temperature": 2.5, "top_k": 3}),
        Case("sharp k", (*SHARP, -3.0), {"temperature": 1.6, "top_k": 2}),
        Case("top-p", HILL, {"temperature": 2.5, "top_p": 0.82}),
        Case("sharp p", (*SHARP, -3.0), {"temperature": 1.6, "top_p": 0.99}),
        Case("both", HILL, {"temperature": 2.0, "top_k": 4, "top_p": 0.88}),
        Case(
            "all",
            SLOPE,
            {"temperature": 1.5, "top_k": 5, "top_p": 0.88, "penalty": 1.6},
            ranks=(0, 3, 15, 4, 0, 0, 3),
        ),
    )
}


def sampler(learner: Learner, **settings: Any) -> Callable[[Array, Any], int]:
    """A new Sampler, which has to return the id of a token."""
    choose = learner.Sampler(**settings)
    if not callable(choose):
        raise Unusable("Sampler(...) has no `__call__`: sampler(logits, ids) calls it")

    def call(logits: Array, ids: Any) -> int:
        token = choose(logits, ids)
        if token is None:
            raise Unusable("Sampler(...)(...) is None: is a `return` missing?")
        if isinstance(token, bool) or not isinstance(token, int | np.integer):
            raise Unusable(f"Sampler(...)(...) is a {kind(token)}, want an int")
        if not 0 <= token < len(logits):
            known = f"there are {len(logits)} tokens, 0 to {len(logits) - 1}"
            raise Unusable(f"Sampler(...)(...) is the id {token}; {known}")
        return int(token)

    return call


ROUND, BRIEF, FEWEST, LEAST, MOST = 20, 6, 4, 16, 48
"""Draws of a Sampler; and Samplers: of sharp cases, to judge at all, if possible, with
time left."""
AT_ALL, BY_THE_CLOCK = 0.3, 1.0
"""Seconds of the processor, and by the clock, after which FEWEST are enough."""


def draws(learner: Learner, seconds: float, *names: str) -> dict[str, list[Ids]]:
    """What Samplers draw in each case: each has its own seed and draws ROUND tokens,
    while the text grows. As many as the processor does in ``seconds``, LEAST to MOST.

    A busy machine leaves fewer, but never so few that nothing can be said.
    """
    found: dict[str, list[Ids]] = {name: [] for name in names}
    began, clock = time.process_time(), time.monotonic()
    for number in range(MOST):
        for name in names:
            if number < BRIEF or not name.startswith("sharp"):
                found[name].append(one_round(learner, CASES[name], number))
        spent = time.process_time() - began
        late = spent > AT_ALL or time.monotonic() - clock > BY_THE_CLOCK
        if number + 1 >= (FEWEST if late else LEAST) and (late or spent > seconds):
            break
    return found


def one_round(learner: Learner, case: Case, number: int) -> Ids:
    """Draws of a new Sampler. Seeds are far apart: some use seed + position."""
    choose = sampler(learner, seed=10_007 * number, **case.settings)
    logits = case.logits
    return [choose(logits.copy(), text) for text in growing(case.ids, ROUND)]


def growing(ids: Ids, times: int) -> Iterator[Ids]:
    """The same tokens again and again: as texts of 1, 2, 3 … more tokens."""
    for length in range(len(ids), len(ids) + times):
        yield [ids[at % len(ids)] for at in range(length)]


CHOICES = 9


def choice(number: int) -> tuple[Array, Ids]:
    """Logits, and a text in which the most probable token and others are."""
    name = f"choice {number}"
    logits = shuffled(name, np.array([3.1, *ladder(name, 3.05, -3.7, V - 1)]))
    return logits, ranked(name, V, 0, 4, 22, 0, 9)


def greedily(learner: Learner, *penalty: float) -> Ids:
    """What one Sampler at temperature 0, with a penalty or without, chooses for several
    logits and texts."""
    settings = {"penalty": penalty[0]} if penalty else {}
    choose = sampler(learner, temperature=0, **settings)
    return [choose(*choice(number)) for number in range(CHOICES)]


def repeatedly(learner: Learner) -> Ids:
    """What Samplers at temperature 0 choose for the same logits."""
    settings = [{"temperature": 0.0, "seed": seed} for seed in range(20)]
    return [sampler(learner, **each)(FLAT.copy(), list(SEEN)) for each in settings]


def chosen_for(learner: Learner, *forms: str) -> Ids:
    """What a Sampler with a penalty chooses greedily, for each form of the ids."""
    choose = sampler(learner, temperature=0, penalty=9.0)
    return [choose(SEEN_FIRST.copy(), FORMS[form]()) for form in forms]


def least(learner: Learner, *settings: dict[str, Any]) -> list[Ids]:
    """What hot Samplers draw that may take one token only."""
    texts = [choice(number) for number in range(CHOICES)]
    samplers = [sampler(learner, seed=3, temperature=5.0, **each) for each in settings]
    return [[choose(z.copy(), ids) for z, ids in texts] for choose in samplers]


def certain(learner: Learner, *shifts: Any) -> list[Ids]:
    """What is drawn where one token has all the probability, and all logits have the
    same number added. Settings may come last."""
    settings = {"top_p": 0.9}
    if isinstance(shifts[-1], dict):
        *shifts, settings = shifts  # type: ignore[assignment]
    found = []
    for shift in shifts:
        choose = sampler(learner, seed=3, temperature=0.8, **settings)
        given = [sure(number) + np.float32(shift) for number in range(CHOICES)]
        found.append([choose(logits, list(SEEN)) for logits in given])
    return found


def sure(number: int) -> Array:
    """Logits of which one is far above the others."""
    return shuffled(f"sure {number}", np.array([40.0, *[0.0] * (V - 1)]))


DRAWN = 12


def seeded(learner: Learner, *seeds: int | None) -> list[Ids]:
    """The first draws of new Samplers with these seeds."""
    samplers = (sampler(learner, seed=seed) for seed in seeds)
    return [[choose(*now) for now in moments()] for choose in samplers]


def moments() -> list[tuple[Array, Ids]]:
    """What a Sampler is given while a text grows; nearly all tokens are as probable."""
    return [(FLAT.copy(), ids) for ids in growing(SEEN, DRAWN)]


def in_turns(learner: Learner) -> dict[str, Ids]:
    """The draws of a Sampler alone, and of two that are called in turns."""
    alone = sampler(learner, seed=7)
    found = {"alone": [alone(*now) for now in moments()], "one": [], "other": []}
    pair = [sampler(learner, seed=seed) for seed in (7, 7)]
    for now in moments():
        for name, choose in zip(("one", "other"), pair, strict=True):
            found[name].append(choose(*now))
    return found


def among_others(learner: Learner) -> dict[str, Any]:
    """The draws of a Sampler alone, and while other code seeds the random numbers that
    NumPy and Python share; and whether the Sampler has changed those."""
    before, state = np.random.get_state(), random.getstate()
    try:
        np.random.seed(1)
        random.seed(1)
        shared = _shared()
        choose = sampler(learner, seed=7)
        alone = [choose(*now) for now in moments()]
        changed = [one != other for one, other in zip(shared, _shared(), strict=True)]
        choose = sampler(learner, seed=7)
        disturbed = []
        for number, now in enumerate(moments()):
            np.random.seed(number)
            random.seed(number)
            disturbed.append(choose(*now))
    finally:
        np.random.set_state(before)
        random.setstate(state)
    names = ("changes NumPy's", "changes Python's")
    return {
        "alone": alone,
        "disturbed": disturbed,
        **dict(zip(names, changed, strict=True)),
    }


def _shared() -> tuple[bytes, Any]:
    """Where the shared random numbers of NumPy and of Python are."""
    _, key, *rest = np.random.get_state()
    return key.tobytes() + repr(rest).encode(), random.getstate()


def given_afterwards(learner: Learner, *names: str) -> dict[str, Any]:
    """What was given to Samplers, after calls with the ids as an array and a list."""
    found: dict[str, Any] = {}
    for name in names:
        case = CASES[name]
        array, ids = np.array([case.ids], np.int64), [*case.ids]
        choose = sampler(learner, seed=1, **case.settings)
        for text in (array, ids):
            found[name] = case.logits.copy()
            choose(found[name], text)
        found |= {"ids": array, "list": ids}
    return found
