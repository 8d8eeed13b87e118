"""The reference solutions: what their scaffolding promises. Whether they compute the
right thing is for the checkers and for parity with Hugging Face."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.checkpoint import expected

pytestmark = pytest.mark.max

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted(path.stem for path in (ROOT / "solutions").glob("*.py"))

SIZES = {
    "vocab_size": 11,
    "n_positions": 7,
    "n_embd": 6,
    "n_layer": 2,
    "n_head": 3,
    "n_inner": 8,
    "layer_norm_epsilon": 0.1,
}


@pytest.fixture
def solution(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a solution, its siblings being solutions too."""
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(ROOT / "solutions"))
    yield __import__
    for name in NAMES:
        sys.modules.pop(name, None)


Solution = Callable[[str], ModuleType]


# Weights


class Torch:
    """A tensor as PyTorch offers one: an array only when detached and on the CPU."""

    def __init__(self, array: np.ndarray, *steps: str) -> None:
        self.array, self.steps = array, steps

    def __getattr__(self, name: str) -> Any:
        if name in ("detach", "cpu", "float"):
            return lambda: Torch(self.array, *self.steps, name)
        raise AttributeError(name)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        assert self.steps == ("detach", "cpu", "float")
        return self.array.astype(dtype)


def state() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in expected(SIZES).items()
    }


def loaded(solution: Solution, tensors: dict[str, Any]) -> dict[str, np.ndarray]:
    from max.driver import CPU

    config = solution("config").GPT2Config(**SIZES)
    model = solution("model").MaxGPT2Model(config)
    checkpoint = SimpleNamespace(state_dict=lambda: tensors)
    model.load_huggingface_weights(checkpoint, CPU())
    return {name: np.from_dlpack(tensor) for name, tensor in model.parameters}


@pytest.mark.parametrize("kind", [np.asarray, Torch])
def test_weights_load(kind: Callable[[np.ndarray], Any], solution: Solution) -> None:
    """NumPy's and PyTorch's tensors load alike, extra ones are left alone, and Conv1D
    weights are transposed and the others not."""
    tensors = {name: kind(array) for name, array in state().items()}
    extra = {"transformer.h.0.attn.bias": kind(np.ones((1, 1, 7, 7), np.float32))}
    found = loaded(solution, {**tensors, **extra})
    assert found.keys() == tensors.keys()
    conv1d = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    for name, array in state().items():
        want = array.T if name.endswith(conv1d) else array
        np.testing.assert_array_equal(found[name], want)


def test_float16_loads_as_float32(solution: Solution) -> None:
    """Weights of half precision are widened, as the course computes in float32."""
    half = {name: array.astype(np.float16) for name, array in state().items()}
    assert {array.dtype for array in loaded(solution, half).values()} == {
        np.dtype(np.float32)
    }


def test_weights_lack_a_tensor(solution: Solution) -> None:
    """A missing tensor is named."""
    tensors = state()
    del tensors["transformer.h.1.mlp.c_fc.bias"]
    with pytest.raises(ValueError, match=r"no tensor transformer\.h\.1\.mlp\.c_fc\.bi"):
        loaded(solution, tensors)


def test_weights_of_another_shape(solution: Solution) -> None:
    """A tensor of another shape is named, with both shapes."""
    tensors = state()
    tensors["transformer.wpe.weight"] = np.ones((8, 6), np.float32)
    want = r"transformer\.wpe\.weight has shape \[8, 6\] in the checkpoint, want \[7, 6"
    with pytest.raises(ValueError, match=want):
        loaded(solution, tensors)


def test_heads_must_divide(solution: Solution) -> None:
    """A number of heads that does not divide n_embd is named with the rule."""
    config = solution("config").GPT2Config(**{**SIZES, "n_head": 4})
    with pytest.raises(ValueError, match="n_embd must be divisible by n_head: 6 feat"):
        solution("model").MaxGPT2Model(config)


# Generation


class Letters:
    """A tokenizer of one id a letter."""

    def encode(self, text: str) -> Any:
        from max.experimental.tensor import Tensor

        ids = [ord(letter) - ord("a") for letter in text]
        return Tensor.from_dlpack(np.array([ids], dtype=np.int64))

    def decode(self, tokens: Any) -> str:
        return "".join(chr(ord("a") + i) for i in np.from_dlpack(tokens).reshape(-1))


def next_letter(input_ids: Any) -> Any:
    """Logits for which the letter after the last is by far the likeliest."""
    from max.experimental.tensor import Tensor

    ids = np.from_dlpack(input_ids)
    return Tensor.from_dlpack(9 * np.eye(26, dtype=np.float32)[(ids + 1) % 26])


def generator(solution: Solution, model: Any = next_letter) -> Any:
    return solution("generator").TextGenerator(model, Letters(), context_length=4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"max_new_tokens": -1}, "max_new_tokens is -1, must be 0 or more"),
        ({"temperature": 0.0}, "temperature is 0.0, must be above 0"),
        ({"temperature": float("nan")}, "temperature is nan, must be above 0"),
    ],
)
def test_bad_settings(
    settings: dict[str, Any], message: str, solution: Solution
) -> None:
    """Bad input is refused with its value and the rule."""
    with pytest.raises(ValueError, match=message):
        generator(solution).generate(**{"prompt": "a", **settings})


def test_temperature_does_not_matter_to_greedy(solution: Solution) -> None:
    """Greedy generation takes no temperature, so any will do."""
    writer = generator(solution)
    text = writer.generate("ab", max_new_tokens=3, do_sample=False, temperature=0.0)
    assert text == "abcde"


@pytest.mark.parametrize("temperature", [1e-300, 1e-9, 1e9])
def test_extreme_temperatures(temperature: float, solution: Solution) -> None:
    """No temperature above 0 overflows; a tiny one is greedy."""
    writer = generator(solution)
    text = writer.generate("ab", max_new_tokens=3, temperature=temperature, seed=0)
    assert len(text) == 5
    assert text == "abcde" or temperature > 1


@pytest.mark.parametrize("position", [slice(None), slice(-1, None)])
def test_last_position_is_enough(position: slice, solution: Solution) -> None:
    """A model may return every position's logits, or the last one's alone."""
    from max.experimental.tensor import Tensor

    def model(input_ids: Any) -> Any:
        logits = np.from_dlpack(next_letter(input_ids))[:, position]
        return Tensor.from_dlpack(np.ascontiguousarray(logits))

    writer = generator(solution, model)
    assert writer.generate("ab", max_new_tokens=6, do_sample=False) == "abcdefgh"


def arguments() -> int:
    """How many tensors MAX's global graph knows, those let go included."""
    from max import _core
    from max.experimental.tensor import GRAPH

    graph = _core.Operation._from_cmlir(GRAPH.graph._mlir_op)
    return len(graph.regions[0].front.arguments)


def test_results_are_let_go(solution: Solution) -> None:
    """MAX's global graph keeps neither the model's inputs nor its results."""
    from max.experimental.tensor import GRAPH

    writer = generator(solution)
    writer.generate("a", max_new_tokens=2)
    before, known = len(GRAPH.sources), arguments()
    writer.generate("a", max_new_tokens=50)
    assert len(GRAPH.sources) - before == 2  # prompt and text, not 50 results
    assert arguments() - known == 2


def test_tensors_that_are_held_stay(solution: Solution) -> None:
    """A model may keep what it was given and what it gave: both stay as they were."""
    from max.experimental.tensor import GRAPH

    kept = []

    def model(input_ids: Any) -> Any:
        logits = next_letter(input_ids)
        kept.extend([input_ids, logits])
        return logits

    generator(solution, model).generate("ab", max_new_tokens=3)
    shapes = [[int(size) for size in tensor.shape] for tensor in kept]
    assert shapes[:4] == [[1, 2], [1, 2, 26], [1, 3], [1, 3, 26]]
    assert all(tensor._value._mlir_value in GRAPH.sources for tensor in kept)
