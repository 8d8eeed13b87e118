"""The reference solutions: what their scaffolding promises. Whether they compute the
right thing is for the checkers and for parity with Hugging Face."""

import re
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from checker.interpreter import interpreting
from models.checkpoint import expected
from models.lean import Lean, lean

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


LINEAR = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            [f"transformer.h.{n}.{name}.weight" for n in (0, 1) for name in LINEAR],
            "h.0.attn.c_attn.weight is [6, 18], want [18, 6]; "
            "h.0.mlp.c_fc.weight is [6, 8], want [8, 6]; "
            "h.0.mlp.c_proj.weight is [8, 6], want [6, 8]",
        ),
        (
            ["transformer.wte.weight", "transformer.wpe.weight", "lm_head.weight"],
            "wte.weight is [6, 11], want [11, 6]; wpe.weight is [6, 7], want [7, 6]; "
            "lm_head.weight is [6, 11], want [11, 6]",
        ),
    ],
    ids=["Conv1D", "embeddings"],
)
def test_weights_transposed(names: list[str], message: str, solution: Solution) -> None:
    """Weights that are the wrong way round are named with both shapes, up to three."""
    tensors = state()
    for name in names:
        tensors[name] = np.ascontiguousarray(tensors[name].T)
    whole = f"these would fit if transposed: {message}"
    with pytest.raises(ValueError, match=f"^{re.escape(whole)}$"):
        loaded(solution, tensors)


def test_weights_of_another_size(solution: Solution) -> None:
    """A tensor that fits neither way is named with both shapes."""
    tensors = state()
    tensors["transformer.wpe.weight"] = np.ones((8, 6), np.float32)
    want = r"^these do not fit: wpe\.weight is \[8, 6\], want \[7, 6\]$"
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
        ({"prompt": ""}, "prompt is '', must hold at least one token"),
        ({"max_new_tokens": -1}, "max_new_tokens is -1, must be 0 or more"),
        ({"temperature": 0.0}, "temperature is 0.0, must be above 0 to sample"),
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


def random_model(solution: Solution) -> Any:
    """GPT-2 of SIZES with random weights."""
    from max.driver import CPU

    model = solution("model").MaxGPT2Model(solution("config").GPT2Config(**SIZES))
    model.load_huggingface_weights(SimpleNamespace(state_dict=state), CPU())
    return model


def test_any_kind_of_model(solution: Solution) -> None:
    """The module itself, what `compile` returned and that made lean write the same."""
    from max.driver import CPU
    from max.dtype import DType
    from max.graph import TensorType

    with interpreting():
        module = random_model(solution)
        ids = TensorType(DType.int64, ("batch", "seqlen"), device=CPU())
        compiled = module.compile(ids)
        texts = [
            generator(solution, model).generate("bad", max_new_tokens=8, seed=1)
            for model in (module, compiled, lean(compiled))
        ]
    assert texts[0].startswith("bad")
    assert texts == [texts[0]] * 3
    assert len(set(texts[0])) > 2


class NextLetter:
    """``next_letter`` as an engine's model."""

    def execute(self, ids: Any) -> list[Any]:
        from max import driver

        return [driver.Tensor.from_dlpack(np.from_dlpack(next_letter(ids)).copy())]


def test_results_are_let_go(solution: Solution) -> None:
    """The generator holds no logits, so those of a lean model are freed."""
    from max.driver import CPU

    forward = Lean(NextLetter(), CPU(), single=True)
    results: list[weakref.ref[Any]] = []

    def model(input_ids: Any) -> Any:
        logits = forward(input_ids)
        results.append(weakref.ref(logits))
        return logits

    writer = generator(solution, model)
    assert writer.generate("a", max_new_tokens=5, do_sample=False) == "abcdef"
    assert [ref() for ref in results] == [None] * 5


def test_tensors_that_are_held_stay(solution: Solution) -> None:
    """A model may keep what it was given and what it gave: both stay as they were."""
    kept = []

    def model(input_ids: Any) -> Any:
        logits = next_letter(input_ids)
        kept.append((input_ids, logits))
        return logits

    generator(solution, model).generate("ab", max_new_tokens=3, do_sample=False)
    ids = [np.from_dlpack(given).tolist() for given, _ in kept]
    assert ids == [[[0, 1]], [[0, 1, 2]], [[0, 1, 2, 3]]]
    best = [np.from_dlpack(logits).argmax(-1).tolist() for _, logits in kept]
    assert best == [[[1, 2]], [[1, 2, 3]], [[1, 2, 3, 4]]]
