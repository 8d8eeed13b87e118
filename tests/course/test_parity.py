"""The solutions compute what Hugging Face's GPT-2 computes, layer by layer.

With PyTorch installed the other side is a live ``GPT2LMHeadModel``, whose weights also
go through ``load_huggingface_weights`` as they are; without, it is what
``record_parity.py`` recorded from one. Each model is compiled once, with symbolic sizes
and the outputs of all its layers as results.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import record_parity
from max.driver import CPU
from max.dtype import DType
from max.experimental.tensor import Tensor, TensorType
from max.nn.module_v3 import Module
from record_parity import AUSTEN, CASES, TOLERANCE, Arrays, Case, as_text

from checker.interpreter import interpreting

pytestmark = pytest.mark.max

SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"
PYTORCH = importlib.util.find_spec("torch") is not None


def solution(name: str) -> Any:
    """A module of the solutions, as ``python solutions/demo.py`` would import it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SOLUTIONS)
        return importlib.import_module(name)


@pytest.fixture(scope="module", autouse=True)
def solutions_are_forgotten() -> Iterator[None]:
    """The sibling names (config, model, …) are left free for other tests."""
    yield
    for name in [path.stem for path in SOLUTIONS.glob("*.py")]:
        sys.modules.pop(name, None)


class Tapped(Module):
    """A model that returns its layers' outputs as well, the logits last."""

    def __init__(self, model: Module, layers: list[str]) -> None:
        self.model = model
        self.layers = layers
        self.seen: dict[str, Tensor] = {}
        for name, module in model.descendants:
            if name in layers:
                module.__class__ = tapped(type(module), name, self.seen)

    def __call__(self, input_ids: Tensor) -> tuple[Tensor, ...]:
        logits = self.model(input_ids)
        return (*(self.seen[name] for name in self.layers), logits)


def tapped(kind: type, name: str, seen: dict[str, Tensor]) -> type:
    """The class of a layer, remembering what it returns."""

    def call(self: Any, *args: Any) -> Tensor:
        seen[name] = kind.__call__(self, *args)
        return seen[name]

    return type(kind.__name__, (kind,), {"__call__": call})


class Ids:
    """Stands in for the tokenizer of a model that has none: token ids in decimals."""

    def encode(self, text: str) -> Tensor:
        return Tensor.from_dlpack(np.array([text.split()], dtype=np.int64))

    def decode(self, tokens: Tensor) -> str:
        return as_text(np.from_dlpack(tokens).ravel())


class Remembering:
    """A tokenizer that remembers what it decoded last."""

    def __init__(self, case: Case) -> None:
        text = isinstance(case.prompt, str)
        wrapper = solution("tokenizer").GPT2TokenizerWrapper
        self.tokenizer = wrapper(str(AUSTEN)) if text else Ids()
        self.encode = self.tokenizer.encode
        self.prompt = case.prompt if text else as_text(case.prompt)

    def decode(self, tokens: Tensor) -> str:
        self.decoded = np.from_dlpack(tokens).ravel().copy()
        return self.tokenizer.decode(tokens)


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture(scope="module")
def theirs(case: Case) -> Any:
    """Anything with a state_dict in Hugging Face's names: a live model if possible."""
    if PYTORCH:
        return record_parity.live(case)
    return SimpleNamespace(state_dict=lambda: case.state)


@pytest.fixture(scope="module")
def want(case: Case, theirs: Any) -> Arrays:
    return record_parity.answer(case, theirs) if PYTORCH else recorded(case)


@pytest.fixture(scope="module")
def ours(case: Case, theirs: Any) -> Tapped:
    """The solution with the weights of the other side."""
    model = solution("model").MaxGPT2Model(solution("config").GPT2Config(**case.sizes))
    model.load_huggingface_weights(theirs, CPU())
    return Tapped(model, case.layers)


@pytest.fixture(scope="module")
def compiled(ours: Tapped) -> Callable[..., tuple[Tensor, ...]]:
    """``ours`` by MAX, for any batch and length."""
    return ours.compile(TensorType(DType.int64, ("batch", "seqlen"), device=CPU()))


def recorded(case: Case) -> Arrays:
    """The recorded part of the answer; a stale recording is an error."""
    with np.load(record_parity.RECORDING) as file:
        found = {key: file[key] for key in file if key.startswith(f"{case.name}/")}
    answer = {key.partition("/")[2]: value for key, value in found.items()}
    if answer.pop("fingerprint") != case.fingerprint:
        pytest.fail(
            "the case or its weights changed: run tests/course/record_parity.py"
        )
    return answer


def run(case: Case, model: Callable[..., Any], input_ids: np.ndarray) -> Arrays:
    """The outputs of all layers, by name."""
    outputs = model(Tensor.from_dlpack(input_ids))
    arrays = [np.from_dlpack(output).copy() for output in outputs]
    return dict(zip([*case.layers, "logits"], arrays, strict=True))


def assert_close(case: Case, got: Arrays, want: Arrays) -> None:
    """Every layer within 1e-4 absolute; against a recording, in its part."""
    for name in got:
        part = got[name] if PYTORCH else case.part(name, got[name])
        np.testing.assert_allclose(
            part, want[name], rtol=0, atol=TOLERANCE, err_msg=name, strict=True
        )


def assert_greedy(case: Case, model: Callable[..., Any], want: Arrays) -> None:
    """The solution's generator takes the same tokens and writes the same text."""
    tokenizer = Remembering(case)
    generator = solution("generator").TextGenerator(
        model, tokenizer, context_length=case.sizes["n_positions"]
    )
    text = generator.generate(
        tokenizer.prompt, max_new_tokens=case.new_tokens, do_sample=False
    )
    assert tokenizer.decoded.tolist() == want["greedy"].tolist()
    assert text == want["text"]


def test_layers_interpreted(case: Case, ours: Tapped, want: Arrays) -> None:
    """Eagerly, on the interpreter, each layer gives what Hugging Face's gives."""
    with interpreting():
        assert_close(case, run(case, ours, case.input_ids), want)


def test_layers_compiled(case: Case, want: Arrays, compiled: Any) -> None:
    """Compiled by MAX, each layer gives what Hugging Face's gives."""
    assert_close(case, run(case, compiled, case.input_ids), want)


@pytest.mark.parametrize("case", CASES[:1], ids=["tiny"], indirect=True, scope="module")
def test_layers_eager(case: Case, want: Arrays, ours: Tapped) -> None:
    """Eagerly, by MAX itself, each layer agrees: the tiny model stands for all."""
    assert_close(case, run(case, ours, case.input_ids), want)


def test_prefix_compiled(case: Case, compiled: Any) -> None:
    """The same compiled model takes another batch and length, and gives the same."""
    ids = case.input_ids
    full, part = run(case, compiled, ids), run(case, compiled, ids[:1, :3].copy())
    for name in part:
        np.testing.assert_allclose(
            part[name], full[name][:1, :3], rtol=0, atol=TOLERANCE, err_msg=name
        )


def test_greedy_interpreted(case: Case, ours: Tapped, want: Arrays) -> None:
    """The module itself, interpreted, writes what Hugging Face's generate writes."""
    with interpreting():
        assert_greedy(case, ours.model, want)


def test_greedy_compiled(case: Case, want: Arrays, compiled: Any) -> None:
    """Compiled by MAX, it writes what Hugging Face's generate writes."""
    assert_greedy(case, lambda ids: compiled(ids)[-1], want)


@pytest.mark.skipif(not PYTORCH, reason="needs PyTorch, which the course does not")
def test_recording_is_true(case: Case, want: Arrays) -> None:
    """What was recorded is what the live model says."""
    for name, array in recorded(case).items():
        live = case.part(name, want[name])
        if name in ("greedy", "text"):
            assert np.array_equal(array, live)
        else:
            np.testing.assert_allclose(array, live, rtol=0, atol=TOLERANCE)
