"""Step 11 computes what transformers' logits processors compute, but for ties.

The oracles of its table and the solution are compared with what
``record_sampling.py`` recorded; neither PyTorch nor MAX is needed.
"""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import record_sampling
from record_sampling import CASES, RECORDING, Case

from tests.s11_sampling.table import keep, nucleus, penalize
from tests.support.formulas import softmax

SOLUTION = Path(__file__).resolve().parents[2] / "solutions" / "sampling.py"
PYTORCH = importlib.util.find_spec("torch") is not None
TIES = [case for case in CASES if case.name.startswith("ties")]
ALIKE = [case for case in CASES if case not in TIES]


@pytest.fixture(scope="module")
def sampling() -> Iterator[ModuleType]:
    """The solution."""
    spec = importlib.util.spec_from_file_location("sampling", SOLUTION)
    assert spec is not None and spec.loader is not None
    module = sys.modules["sampling"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["sampling"]


def recorded(case: Case) -> np.ndarray:
    with np.load(RECORDING) as file:
        return file[case.name]


def by_oracle(case: Case) -> np.ndarray:
    """The case by the oracles of the table, in the order of a Sampler."""
    asked = case.settings
    z = penalize(case.logits, case.ids, asked.get("penalty", 1.0))
    z = (z / np.float32(asked.get("temperature", 1.0))).astype(np.float32)
    z = keep(z, int(asked.get("top_k", len(z))))
    return nucleus(z, asked.get("top_p", 1.0))


def by_solution(sampling: ModuleType, case: Case) -> np.ndarray:
    """The case by the functions of the solution, in the order of a Sampler."""
    asked = case.settings
    z = sampling.repetition_penalty(case.logits, case.ids, asked.get("penalty", 1.0))
    z = z / np.float32(asked.get("temperature", 1.0))
    z = sampling.top_k(z, int(asked.get("top_k", len(z))))
    return sampling.top_p(z, asked.get("top_p", 1.0))


def named(cases: list[Case]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


@named(ALIKE)
def test_oracle(case: Case) -> None:
    """The oracles leave the tokens that transformers leaves, with its logits."""
    np.testing.assert_allclose(by_oracle(case), recorded(case), rtol=1e-6, strict=True)


@named(ALIKE)
def test_solution(case: Case, sampling: ModuleType) -> None:
    """So does the solution, in float32."""
    found = by_solution(sampling, case)
    np.testing.assert_allclose(found, recorded(case), rtol=1e-6, strict=True)


@named(TIES)
def test_ties(case: Case, sampling: ModuleType) -> None:
    """Of tokens with equal logits exactly as many are kept as needed, the lower ids.

    transformers differs. TopKLogitsWarper leaves out what is below the k-th largest
    logit, so it keeps all tokens that equal it, and more than k. TopPLogitsWarper keeps
    as many as we do, but those that its sort, which is not stable, happens to put last.
    With our rule there is one right answer, however a filter is written. Real logits
    are hardly ever equal, and then it makes no difference.
    """
    theirs, ours = recorded(case), by_oracle(case)
    np.testing.assert_array_equal(by_solution(sampling, case), ours)
    assert not np.array_equal(ours, theirs)
    last = ours[ours > -np.inf].min()
    np.testing.assert_array_equal(ours[ours > last], theirs[theirs > last])
    tied = np.flatnonzero(case.logits == last)
    kept = np.count_nonzero(ours == last)
    assert 0 < kept < len(tied)
    np.testing.assert_array_equal(np.flatnonzero(ours == last), tied[:kept])
    if "top_k" in case.settings:
        assert np.count_nonzero(ours > -np.inf) == case.settings["top_k"]
        assert np.count_nonzero(theirs == last) == len(tied)
    else:
        assert np.count_nonzero(theirs == last) == kept


class Noting:
    """A generator that notes what it is to draw from."""

    def choice(self, count: int, p: np.ndarray) -> int:
        self.count, self.p = count, p
        return int(p.argmax())


@named(ALIKE)
def test_sampler(case: Case, sampling: ModuleType) -> None:
    """A Sampler draws from the softmax of what transformers leaves."""
    choose = sampling.Sampler(**case.settings)
    choose.rng = Noting()
    choose(case.logits, case.ids)
    want = softmax(recorded(case).astype(np.float64))
    assert choose.rng.count == case.size
    np.testing.assert_allclose(choose.rng.p, want, rtol=1e-4, atol=1e-12)


@pytest.mark.skipif(not PYTORCH, reason="needs PyTorch, which the course does not")
@named([*CASES])
def test_recording_is_true(case: Case) -> None:
    """What was recorded is what transformers says; which of equals is not certain."""
    order = np.sort if case in TIES else np.asarray
    want = order(recorded(case))
    np.testing.assert_allclose(order(record_sampling.answer(case)), want, rtol=1e-6)


LOGITS = np.array([0.5, 2.0, -1.0, 2.0], np.float32)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.1}, "temperature is -0.1, must be 0 or more"),
        ({"temperature": float("nan")}, "temperature is nan, must be 0 or more"),
        ({"top_k": 0}, "top_k is 0, must be above 0"),
        ({"top_k": -3}, "top_k is -3, must be above 0"),
        ({"top_p": 0.0}, "top_p is 0.0, must be above 0"),
        ({"top_p": float("nan")}, "top_p is nan, must be above 0"),
        ({"penalty": 0}, "penalty is 0, must be above 0"),
        ({"penalty": -1.2}, "penalty is -1.2, must be above 0"),
    ],
)
def test_bad_settings(
    settings: dict[str, Any], message: str, sampling: ModuleType
) -> None:
    """A Sampler refuses a bad setting when it is made, with its value and the rule."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        sampling.Sampler(**settings)


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        ("top_k", (0,), "k is 0, must be above 0"),
        ("top_p", (0.0,), "p is 0.0, must be above 0"),
        ("top_p", (-0.5,), "p is -0.5, must be above 0"),
        ("repetition_penalty", ([1], 0.0), "penalty is 0.0, must be above 0"),
    ],
)
def test_bad_arguments(
    function: str, arguments: tuple[Any, ...], message: str, sampling: ModuleType
) -> None:
    """So do the functions."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        getattr(sampling, function)(LOGITS, *arguments)


@pytest.mark.parametrize("temperature", [1e-300, 1e-9, 1e9, 1e300])
def test_extreme_temperatures(temperature: float, sampling: ModuleType) -> None:
    """No temperature above 0 overflows: a tiny one draws from the most probable tokens
    alone, a huge one from all alike."""
    choose = sampling.Sampler(temperature=temperature, seed=0)
    drawn = {choose(LOGITS, []) for _ in range(60)}
    assert drawn == ({1, 3} if temperature < 1 else {0, 1, 2, 3})


def test_logits_may_be_read_only(sampling: ModuleType) -> None:
    """Nothing is written into the logits, which a model's tensor may share."""
    logits = LOGITS.copy()
    logits.flags.writeable = False
    choose = sampling.Sampler(temperature=0.7, top_k=3, top_p=0.9, penalty=1.3, seed=1)
    assert choose(logits, np.array([[1, 2]])) in range(4)
