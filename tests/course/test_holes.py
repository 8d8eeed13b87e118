"""The puzzles: rendered from solutions and hints, and open where they should be."""

import ast
import importlib
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from checker import holes
from checker.course import every, puzzles

ROOT = Path(__file__).resolve().parents[2]
NAMES = holes.names()
TEN = {puzzle.name for puzzle in puzzles()}

# A line of code as short as this one (`return x`) may well stand in a sentence.
TRIVIAL = 12


def solution(name: str) -> str:
    return (ROOT / "solutions" / f"{name}.py").read_text(encoding="utf-8")


def hints(name: str) -> list[holes.Hole]:
    return holes.parse((ROOT / "hints" / f"{name}.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_no_drift(name: str) -> None:
    """A puzzle in the repository is what its solution and hints render to."""
    text = (ROOT / "puzzles" / f"{name}.py").read_text(encoding="utf-8")
    assert text == holes.puzzle(name), "run: python -m checker.holes"


def test_one_of_each() -> None:
    """Puzzles, solutions and hints are files of the same names, one for each step."""
    folders = {"puzzles": "*.py", "solutions": "*.py", "hints": "*.toml"}
    for folder, pattern in folders.items():
        assert sorted(p.stem for p in (ROOT / folder).glob(pattern)) == NAMES
    assert sorted(puzzle.name for puzzle in every()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_equal_outside_the_holes(name: str) -> None:
    """Puzzle and solution are equal to the byte but between the marks."""

    def outside(text: str) -> str:
        return re.sub(r"(?ms)(^ *# hole: [^\n]*\n).*?(^ *# end$)", r"\1\2", text)

    assert outside(holes.puzzle(name)) == outside(solution(name))


@pytest.mark.parametrize("name", NAMES)
def test_holes_are_small(name: str) -> None:
    """One to four holes a file, six beyond the ten, each with one to six lines."""
    regions = holes.find(solution(name))
    assert 1 <= len(regions) <= (4 if name in TEN else 6)
    assert all(1 <= len(region.code) <= 6 for region in regions)


@pytest.mark.parametrize("name", NAMES)
def test_hints_do_not_give_the_line(name: str) -> None:
    """Each hole has a todo and three hints; none holds a line of the solution."""
    for region, hole in zip(holes.find(solution(name)), hints(name), strict=True):
        assert hole.todo
        assert len(hole.hints) >= 3
        told = [flat(text) for text in (hole.todo, *hole.hints)]
        for line in region.code:
            code = flat(line.partition("  #")[0])
            assert not any(code in text for text in told if len(code) > TRIVIAL), line


def flat(text: str) -> str:
    """Without spaces and quotes, so that a line is found however it is written."""
    return re.sub(r"[\s`'\"]", "", text)


@pytest.mark.parametrize("name", NAMES)
def test_line_length(name: str) -> None:
    """A puzzle is at most 88 columns wide, addresses aside."""
    wide = [line for line in holes.puzzle(name).splitlines() if len(line) > 88]
    assert all("https://" in line for line in wide)


# What the tutorial teaches in each step, in the words of its puzzle; beyond the ten,
# what the step is about.
CONCEPTS = {
    "config": "dataclass decorator None vocab_size huggingface n_inner",
    "causal": "-inf future softmax F.functional F.band_part autoregressive",
    "layernorm": "feature weight gamma bias beta F.layer_norm epsilon Module",
    "mlp": "expand intermediate GELU tanh c_fc c_proj Linear",
    "attention": "heads c_attn mask 1/sqrt(head_dim) softmax transpose V c_proj",
    "block": "pre-normalization residual ln_1 ln_2 attention MLP",
    "model": "wte wpe n_layer sequence final norm bias transformer transpose device",
    "tokenizer": "GPT2Tokenizer ids tensor NumPy device eos_token_id pad vocab_size",
    "generator": "autoregressive greedy temperature softmax append decode sampling",
    "demo": "pretrained weights tokenizer forward generator greedy moderate creative",
    "sampling": "logits -inf top-k top-p probability penalty temperature softmax",
    "cache": "keys values cached past positions prompt token context_length mask",
    "training": "loss surprise AdamW decay moments norm cosine peak warmup trace",
    "autodiff": "gradient chain rule reverse loss graph operation softmax layer norm",
}


@pytest.mark.parametrize("name", NAMES)
def test_concepts_of_the_tutorial(name: str) -> None:
    """The puzzle's text speaks of each concept and task of its step."""
    text = holes.puzzle(name).lower()
    missing = [word for word in CONCEPTS[name].lower().split() if word not in text]
    assert not missing


# Every hole raises its own name


@pytest.fixture
def puzzles(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports an untouched puzzle, its siblings being untouched puzzles too."""
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(ROOT / "puzzles"))
    yield importlib.import_module
    for name in NAMES:
        sys.modules.pop(name, None)


@pytest.mark.max
@pytest.mark.parametrize("name", NAMES)
def test_puzzles_import(
    name: str, puzzles: Callable[[str], ModuleType], capfd: pytest.CaptureFixture[str]
) -> None:
    """An untouched puzzle imports, and prints nothing."""
    assert puzzles(name).__doc__
    assert capfd.readouterr() == ("", "")


def sizes() -> SimpleNamespace:
    return SimpleNamespace(
        vocab_size=7,
        n_positions=5,
        n_embd=6,
        n_layer=1,
        n_head=2,
        n_inner=8,
        layer_norm_epsilon=0.1,
    )


def bare(kind: type) -> Any:
    """An object of a class, without its __init__."""
    return kind.__new__(kind)


def _state() -> dict[str, np.ndarray]:
    return {"w": np.ones(2, np.float32)}


def _loading(module: ModuleType) -> Any:
    """A model with one parameter, so that loading reaches the hole."""
    from max.experimental.tensor import Tensor

    model = bare(module.MaxGPT2Model)
    model.w = Tensor.from_dlpack(np.ones(2, np.float32))
    return model.load_huggingface_weights(SimpleNamespace(state_dict=_state), None)


def _walking(module: ModuleType) -> Any:
    """``gradients`` in a graph that is traced."""
    from max.dtype import DType
    from max.graph import DeviceRef, Graph, TensorType

    one = TensorType(DType.float32, [1], DeviceRef.CPU())
    with Graph("one", input_types=[one]) as graph:
        return module.gradients(graph.inputs[0].tensor, graph.inputs)


def _normalizing(module: ModuleType) -> Any:
    """The rule of layer norm, on what the lines above its hole need."""
    from max.dtype import DType
    from max.graph import DeviceRef, Graph, TensorType

    row = TensorType(DType.float32, [2, 3], DeviceRef.CPU())
    with Graph("row", input_types=[row]) as graph:
        [x] = graph.inputs
        return module.layer_norm(None, None, None, x.tensor, None, None, x.tensor)


def _stepping(module: ModuleType) -> Any:
    """A step of a model with a cache, on what the lines above its hole need."""
    made = bare(module.CachedGPT2)
    made.model = SimpleNamespace(transformer=None)
    ids = SimpleNamespace(shape=(1, 1), device=None)
    return made.step(ids, SimpleNamespace(dtype=None), None)


def _continuing(module: ModuleType) -> Any:
    """A generator with a cache, of which only the tokenizer is asked."""
    tokenizer = SimpleNamespace(encode=lambda text: np.zeros((1, 1), np.int64))
    model = SimpleNamespace(empty=lambda batch: None)
    made = module.CachedGenerator(model, tokenizer)
    return made.generate("a", sampler=lambda logits, ids: 0)


def _generator(module: ModuleType) -> Any:
    return module.TextGenerator(None, SimpleNamespace(encode=lambda text: text))


# For each hole, the call that runs into it.
CALLS: dict[str, Callable[[ModuleType], object]] = {
    "fill with minus infinity": lambda m: m.causal_mask(2, 0, dtype=None, device=None),
    "weight and bias": lambda m: m.LayerNorm(4),
    "normalize": lambda m: bare(m.LayerNorm)(None),
    "two linear layers": lambda m: m.GPT2MLP(8, sizes()),
    "expand, activate, project": lambda m: bare(m.GPT2MLP)(None),
    "split the heads": lambda m: m.GPT2Attention(sizes())._split_heads(None, 2, 3),
    "merge the heads": lambda m: m.GPT2Attention(sizes())._merge_heads(None, 2, 3),
    "attend": lambda m: m.GPT2Attention(sizes())._attn(None, None, None),
    "project, split, attend, merge, project": lambda m: m.GPT2Attention(sizes())(None),
    "the four parts": lambda m: m.GPT2Block(sizes()),
    "attention and MLP": lambda m: bare(m.GPT2Block)(None),
    "embeddings, blocks and the final norm": lambda m: m.GPTModel(sizes()),
    "from ids to hidden states": lambda m: bare(m.GPTModel)(None),
    "the language modeling head": lambda m: m.MaxGPT2Model(sizes()),
    "transpose and move": _loading,
    "load the tokenizer": lambda m: m.GPT2TokenizerWrapper("models/austen"),
    "encode": lambda m: bare(m.GPT2TokenizerWrapper).encode("a"),
    "decode": lambda m: bare(m.GPT2TokenizerWrapper).decode(None),
    "the padding token": lambda m: bare(m.GPT2TokenizerWrapper).pad_token_id,
    "encode the prompt": lambda m: _generator(m).generate("a"),
    "sample": lambda m: m._sample(None, 1.0, None),
    "penalize the tokens of the text": lambda m: m.repetition_penalty(None, [], 2.0),
    "keep k tokens": lambda m: m.top_k(None, 2),
    "keep the nucleus": lambda m: m.top_p(None, 0.5),
    "choose the next token": lambda m: m.Sampler()(None, []),
    "project, split, extend the caches": lambda m: m.attend(*[None] * 5),
    "hide the future": lambda m: m.mask_after(
        SimpleNamespace(dtype=None), SimpleNamespace(shape=(1, 2), device=None)
    ),
    "embed at the positions after the cached ones": _stepping,
    "feed what is new, choose, append": _continuing,
    "the mean surprise": lambda m: m.cross_entropy(None, None),
    "shorten": lambda m: m.clip([], 1.0),
    "step against the gradient": lambda m: m.adamw(*[None] * 4, step=1, rate=1.0),
    "up a line, down a cosine": lambda m: m.learning_rate(
        1, peak=1.0, warmup=1, steps=2
    ),
    "the loss and its gradients": lambda m: bare(m.Trainer).update(*[None] * 6),
    "walk back": _walking,
    "products": lambda m: m.product(SimpleNamespace(name="rmo.mul"), *"gyab"),
    "softmax": lambda m: m.softmax(None, *"gyx", None),
    "layer norm": _normalizing,
    "load, build, transfer": lambda m: m.main(["--model", "models/austen"]),
}

# Holes that another one stands in front of, in the same function, or that are not code.
BEHIND = {
    "clear the past": "causal_mask",
    "predict, choose, append": "generate",
    "tokenize and test": "main",
    "write in three ways": "main",
    "attend to all tokens so far": "attend",
    "run the blocks": "step",
    "clip and update": "update",
}


def raising() -> list[tuple[str, str]]:
    """(file, hole) for each hole that raises, all but those of step 1."""
    return [(n, hole.name) for n in NAMES if n != "config" for hole in hints(n)]


@pytest.mark.max
@pytest.mark.parametrize(("name", "hole"), raising())
def test_open_holes_raise(
    name: str, hole: str, puzzles: Callable[[str], ModuleType]
) -> None:
    """An open hole raises NotImplementedError with its own name."""
    if hole in BEHIND:
        text = holes.puzzle(name)
        function = next(
            node
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.FunctionDef) and node.name == BEHIND[hole]
        )
        assert f'raise NotImplementedError("{hole}")' in ast.get_source_segment(
            text, function
        )
        return
    with pytest.raises(NotImplementedError, match=f"^{re.escape(hole)}$"):
        CALLS[hole](puzzles(name))


def test_step_one_is_open() -> None:
    """Step 1 has no holes that raise: a missing import and decorator, and None."""
    text = holes.puzzle("config")
    tree = ast.parse(text)
    assert not any(isinstance(n, ast.Import | ast.ImportFrom) for n in ast.walk(tree))
    (config,) = (node for node in tree.body if isinstance(node, ast.ClassDef))
    assert not config.decorator_list
    values = [n.value for n in config.body if isinstance(n, ast.AnnAssign)]
    assert [ast.unparse(value) for value in values if value] == ["None"] * 7


# The marks

SOLUTION = """\
def double(x):
    # hole: double it
    return 2 * x  # twice
    # end
"""

HINTS = """\
[[hole]]
name = "double it"
todo = "Return twice x."
hints = ["a", "b", "c"]
"""


def test_render() -> None:
    """A hole's lines give way to its todo and a raise, at the indent of its marks."""
    assert holes.render(SOLUTION, HINTS) == textwrap.dedent(
        """\
        def double(x):
            # hole: double it
            # Return twice x.
            raise NotImplementedError("double it")
            # end
        """
    )


def test_find() -> None:
    """A region knows its name, its place, and its lines of code."""
    (region,) = holes.find(SOLUTION)
    assert (region.name, region.indent, region.line) == ("double it", "    ", 3)
    assert region.code == ("return 2 * x  # twice",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("    # end\n", ""), "line 2: the hole has no # end"),
        (("    return", "    # hole: b\n    return"), "line 3: the hole of line 2 has"),
        (("    # hole: double it\n", ""), "line 3: # end without a # hole: above"),
        (("    # end", "  # end"), "line 4: # end is not indented like line 2"),
        (("# hole: double it", "# hole: twice"), r"the holes \['twice'\], its hints"),
    ],
)
def test_bad_marks(change: tuple[str, str], message: str) -> None:
    """A mark that does not fit is named, with its line."""
    with pytest.raises(holes.HoleError, match=message):
        holes.render(SOLUTION.replace(*change), HINTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('name = "double it"', ""), "entry 1 has no name"),
        (('todo = "Return twice x."', ""), "'double it' needs a todo"),
        (('"a"', "1"), "'double it' needs hints"),
        (("[[hole]]", "[[hole"), "not TOML"),
    ],
)
def test_bad_hints(change: tuple[str, str], message: str) -> None:
    """A hints file that cannot be used is refused with a reason."""
    with pytest.raises(holes.HoleError, match=message):
        holes.render(SOLUTION, HINTS.replace(*change))


def test_missing_hints(tmp_path: Path) -> None:
    """A solution without hints is named."""
    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "new.py").write_text(SOLUTION)
    with pytest.raises(holes.HoleError, match=r"new: there is no .*new\.toml"):
        holes.puzzle("new", tmp_path)
