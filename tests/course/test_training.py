"""Training beside PyTorch: a hundred steps, or what was recorded of them."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import record_gradients
import record_parity
import record_training
from max.driver import CPU
from record_training import CASE, FLOOR, PEAK, STEPS, WARMUP, part

from checker.course import ROOT
from checker.interpreter import install, uninstall

pytestmark = pytest.mark.max

PYTORCH = importlib.util.find_spec("torch") is not None
SIBLINGS = ("config", "causal", "layernorm", "mlp", "attention", "block", "model")
TIED = (("lm_head.weight", "transformer.wte.weight"),)
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def training() -> Iterator[Any]:
    """The solutions, interpreted."""
    sys.path.insert(0, str(ROOT / "solutions"))
    install()
    yield importlib.import_module("training")
    uninstall()
    sys.path.remove(str(ROOT / "solutions"))
    for name in (*SIBLINGS, "autodiff", "training"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def trained(training: Any) -> Arrays:
    """The losses of the solutions' Trainer, and the parameters after the last step."""
    config = importlib.import_module("config").GPT2Config(**CASE.sizes)
    model = importlib.import_module("model").MaxGPT2Model(config)
    model.load_huggingface_weights(Checkpoint(), CPU())
    trainer = training.Trainer(model, tied=TIED)
    losses = [
        trainer.step(batch["ids"], batch["targets"], rate)
        for batch, rate in zip(
            record_training.batches(), rates(training)[1 : STEPS + 1], strict=True
        )
    ]
    arrays = {name: np.from_dlpack(p) for name, p in model.parameters}
    return {"losses": np.array(losses), **arrays}


class Checkpoint:
    def state_dict(self) -> Arrays:
        return {name: each.copy() for name, each in CASE.state.items()}


def rates(training: Any) -> list[float]:
    settings = {"peak": PEAK, "warmup": WARMUP, "steps": STEPS, "floor": FLOOR}
    return [training.learning_rate(step, **settings) for step in range(STEPS + 11)]


@pytest.fixture(scope="module")
def wanted() -> Arrays:
    """PyTorch's answer, or the recording; a stale recording is an error."""
    if PYTORCH:
        live = record_training.answer(record_parity.live(CASE))
        return {"rates": np.array(record_training.rates()), **live}
    return recorded()


def recorded() -> Arrays:
    with np.load(record_training.RECORDING) as file:
        found = dict(file)
    if found.pop("fingerprint") != CASE.fingerprint:
        pytest.fail("the case changed: run tests/course/record_training.py")
    return found


def test_losses_of_a_hundred_steps_are_those_of_pytorch(
    trained: Arrays, wanted: Arrays
) -> None:
    np.testing.assert_allclose(trained["losses"], wanted["losses"], rtol=2e-5)
    assert trained["losses"][-10:].mean() < 0.75 * trained["losses"][:10].mean()


def test_parameters_afterwards_are_those_of_pytorch(
    trained: Arrays, wanted: Arrays
) -> None:
    """But for the bias of the keys: its gradient is 0 and rounding, which AdamW makes
    as large as any."""
    conv1d = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    for name, want in wanted.items():
        if name in ("losses", "rates") or name.endswith("c_attn.bias"):
            continue
        found = trained[name].T if name.endswith(conv1d) else trained[name]
        recorded_part = want if len(want.shape) == 1 and not PYTORCH else part(want)
        found = part(found)
        np.testing.assert_allclose(
            found, recorded_part, rtol=0, atol=2e-4, err_msg=name
        )


def test_rates_are_those_of_pytorch(training: Any, wanted: Arrays) -> None:
    """After the last step PyTorch's cosine rises again; the course's stays."""
    found = rates(training)
    np.testing.assert_allclose(found[: STEPS + 1], wanted["rates"], atol=1e-9)
    assert found[STEPS:] == [FLOOR] * 11


def test_both_of_a_pair_hold_the_same(trained: Arrays) -> None:
    (name, other) = TIED[0]
    np.testing.assert_array_equal(trained[name], trained[other])


@pytest.mark.skipif(not PYTORCH, reason="needs PyTorch, which the course does not")
def test_recording_of_pytorch_is_true(wanted: Arrays) -> None:
    """What was recorded is what PyTorch says."""
    found = recorded()
    assert found.keys() == wanted.keys()
    np.testing.assert_allclose(wanted["losses"], found["losses"], rtol=2e-5)
    assert len(found["transformer.wte.weight"]) == record_gradients.KEPT + 1


def test_goes_on_where_a_state_was_taken(training: Any) -> None:
    """Another trainer that is given the state takes the same steps."""

    def trainer() -> Any:
        config = importlib.import_module("config").GPT2Config(**CASE.sizes)
        model = importlib.import_module("model").MaxGPT2Model(config)
        model.load_huggingface_weights(Checkpoint(), CPU())
        return training.Trainer(model, tied=TIED)

    def steps(trainer: Any, first: int, last: int) -> list[float]:
        found = record_training.batches()[first:last]
        return [trainer.step(each["ids"], each["targets"], 0.01) for each in found]

    one, other = trainer(), trainer()
    steps(one, 0, 3)
    state = one.compiled.state()
    wanted = steps(one, 3, 6)
    other.compiled.restore(state)
    assert steps(other, 3, 6) == wanted
    for (name, p), (_, q) in zip(
        one.model.parameters, other.model.parameters, strict=True
    ):
        np.testing.assert_array_equal(np.from_dlpack(p), np.from_dlpack(q), name)
    with pytest.raises(KeyError):
        other.compiled.restore({"steps": np.array(3)})
