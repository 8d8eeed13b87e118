"""Explanations: each row is what really happens, and no row claims more than is known.

The mistaken lines are run in one process like the checker's worker, with the
interpreter in place of MAX's compiler. Everything else is plain data.
"""

import ast
import json
import linecache
import os
import re
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from checker.verdict import explain as module
from checker.verdict.explain import Explanation, Place, explain, shorten
from checker.verdict.explanations import EXPLANATIONS, Row, pattern

ROOT = Path(__file__).resolve().parents[2]
ROWS = {row.id: row for row in EXPLANATIONS}

SETTING = """
import math
import sys

import numpy as np
from max.driver import CPU
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import TensorType
from max.nn.module_v3 import Embedding, Linear, Module, Sequential

from causal import causal_mask
from config import GPT2Config
from layernorm import LayerNorm
from mlp import GPT2MLP

from max import driver

CONSTANT = Tensor.from_dlpack(np.ones(12, np.float32))


class Layer(Module):
    def __init__(self):
        self.c_fc = Linear(12, 28)
        self.weight = Tensor.from_dlpack(np.ones(12, np.float32))

    def _merge(self, x):
        return x

    def _merge_heads(self, x):
        x = x.transpose(0, 1)

    def __call__(self, x, ids):
        B, T, C = x.shape
        H, D, V, nothing = 3, 4, 28, None
        y, q, k, v = x, x, x, x
        array = np.linspace(-1, 1, 120, dtype=np.float32).reshape(2, 5, 12)
        config = GPT2Config()
        w, w1, b1, device = Tensor.ones([12, 12]), self.weight, self.weight, CPU()
        mask, p, tokens = x > 0, np.array([2, 3, 5]) / 10, ["he", "llo"]
        rng = np.random.default_rng(0)
        state = {"wte.weight": array}
        more = {"weight": array[0], "bias": array[0, 0], "ln_1.weight": array}
STATEMENTS
        return x
"""
"""The learner's file, but for the statements, which are one mistake."""

MAKES_LAYERS = "        layers = [Linear(12, 12), Linear(12, 12)]\n"
COMPILES = """
        x12 = TensorType(DType.float32, ("batch", 12), device=CPU())
        compiled = self.c_fc.compile(x12)
"""
LOADS = f"""
        from transformers import GPT2Tokenizer
        tokenizer = GPT2Tokenizer.from_pretrained({str(ROOT / "models/austen")!r})
"""

TRACED = {
    "returned-from-graph", "dim-without-number", "chunk-in-graph", "condition-in-graph",
    "symbolic-int", "symbolic-compared", "values-in-graph", "array-in-graph",
    "layer-made-in-graph", "parameter-made-in-graph", "tensor-of-another-graph",
    "operand-of-another-graph", "none-from-graph",
}  # fmt: skip
"""Rows about what goes wrong only while a graph is traced."""

LEFT = """
def attend(x):
    # hole: attend
    # What to do here.
    x = x + 1
    raise NotImplementedError("attend")
    # end
"""
WHOLE = {
    "selfless": "class Layer:\n    def _merge(tensor):\n        return tensor\n\n"
    "    def __call__(self, x, ids):\n        return self._merge(x)\n",
    "raise-left": LEFT + "\n\nclass Layer:\n    def __call__(self, x, ids):\n"
    "        return attend(1)\n",
    "indentation": "class Layer:\n    def first(self):\n        pass\n\n"
    "      def second(self):\n        pass\n",
    "not-python": "class Layer:\n    def first(self):\n        return (self\n",
}  # fmt: skip
"""Rows whose mistake takes a whole file."""


ALSO = (
    # more ways to the same mistake
    ("layer-not-called", "F.softmax(self.c_fc)"),
    ("layer-not-called", "x + self.c_fc"),
    ("layer-not-called", "x @ self.c_fc"),
    ("layer-not-called", "self.c_fc(self.c_fc)"),
    ("layer-not-called", "F.layer_norm(x, self.c_fc, b1, 1e-5)"),
    ("keyword-dim", "x.mean(dim=-1)"),
    ("keyword-dim", "F.split(x, [4, 4, 4], dim=-1)"),
    ("keyword-dim", "F.concat([x, x], dim=1)"),
    ("keyword-dim", "x.argmax(dim=-1)"),
    ("keyword-dim", "F.unsqueeze(x, dim=0)"),
    ("keyword-keepdim", "x.mean(-1, keepdim=True)"),
    ("method-of-f", "x.softmax(-1)"),
    ("method-of-f", "x.unsqueeze(0)"),
    ("method-of-f", "x.squeeze(0)"),
    ("method-of-f", "x.sum(-1)"),
    ("method-of-f", "x.pow(2)"),
    ("method-of-f", "F.softmax(x).sqrt()"),
    ("function-of-tensor", "F.zeros_like(x)"),
    ("function-of-tensor", "F.ones([2])"),
    ("no-torch", "torch.softmax(x, dim=-1)"),
    ("no-torch", "from torch import nn"),
    ("no-torch", "import torch.nn as nn"),
    ("no-torch", "nn.Linear(12, 12)"),
    ("sizes-without-list", "x.reshape(B, T, H, D)"),
    ("sizes-without-list", "F.reshape(x, 2, 60)"),
    ("sizes-without-list", "Tensor.ones(2, 5)"),
    ("axes-without-list", "F.permute(x, 0, 2, 1)"),
    ("axes-in-list", "x.transpose(0, 2, 1)"),
    ("size-as-shape", "Tensor.zeros(12)"),
    ("size-as-shape", "Tensor.full(12, 1.0)"),
    ("size-as-shape", "x.reshape(3)"),
    ("array-to-f", "F.softmax(array)"),
    ("array-to-f", "x @ array"),
    ("array-to-f", "Embedding(28, dim=12)(np.arange(5))"),
    ("array-in-operation", "F.exp(array)"),
    ("array-in-operation", "F.add(array, array)"),
    ("list-to-f", "Embedding(28, dim=12)([1, 2])"),
    ("none-operand", "x + nothing"),
    ("none-operand", "nothing(x)"),
    ("none-operand", "nothing.shape"),
    ("none-returned", "h = self._merge_heads(x)\nreturn F.softmax(h)"),
    ("several-elements", "while x: pass"),
    ("several-elements", "x[0].item()"),
    ("several-elements", "max(x)"),
    ("tensor-as-number", "int(x)"),
    ("iterated", "list(x)"),
    ("iterated", "q, k, v = x"),
    ("concat-without-list", "F.stack(x, x)"),
    ("slice-beyond", "x[0, 9]"),
    ("tensor-to-numpy", "np.mean(x, axis=-1)"),
    ("tensor-to-numpy", "np.concatenate([x, x])"),
    ("tensor-to-numpy", "np.matmul(x, x)"),
    ("tensor-to-numpy", "np.max(x)"),
    ("dim-needs-int", "np.sqrt(C)"),
    ("dim-needs-int", "math.sqrt(x.shape[-1])"),
    ("dim-needs-int", "range(T)"),
    ("dim-in-float-arithmetic", "C / 3"),
    ("dim-in-float-arithmetic", "T % 2"),
    ("dim-outside-graph", "x[:, : T - 1]"),
    ("dim-outside-graph", "C * 0.5"),
    ("dim-divides-tensor", "x * T"),
    ("size-not-int", "Linear(12, nothing)"),
    ("size-not-int", "Linear([12], 12)"),
    ("size-float", "Linear(12, 24 / 2)"),
    ("embedding-without-dim", "Embedding(28)"),
    ("by-name-only", "Linear(12, 12, False)"),
    ("by-name-only", "causal_mask(5, 0, DType.float32, CPU())"),
    ("argument-missing", "causal_mask(5, 0)"),
    ("arguments", "self._merge(x, 1)"),
    ("argument-missing", "F.where(mask, x)"),
    ("argument-missing", "LayerNorm()"),
    ("unexpected-keyword", "LayerNorm(12, epsilon=1e-5)"),
    ("layer-norm-arguments", "F.layer_norm(x, [12], w1, b1, 1e-5)"),
    ("layer-norm-arguments", "F.layer_norm(x, w1, b1)"),
    ("text-for-number", "range('3')"),
    ("dtype-of-max", 'Tensor.ones([2], dtype="float32")'),
    ("dtype-of-max", "Tensor.ones([2], dtype=float)"),
    ("cast-to", 'F.cast(x, "float32")'),
    ("device-of-max", 'Tensor.ones([2], device="cpu")'),
    ("device-of-max", "x.to(CPU)"),
    ("text-in-tensor", 'Tensor.constant("ab")'),
    ("from-dlpack-list", "Tensor.from_dlpack(tokens)"),
    ("owner-forgotten", "c_fc(x)"),
    ("owner-forgotten", "n_embd"),
    ("owner-forgotten", "_merge(x)"),
    ("attribute-misspelt", "self.c_fcc(x)"),
    ("attribute-misspelt", "config.n_emdb"),
    ("attribute-misspelt", "F.sofmax(x)"),
    ("attribute-misspelt", "x.reshpae([2])"),
    ("attribute-misspelt", "Tensor.form_dlpack(array)"),
    ("attribute-misspelt", "np.zeroes(3)"),
    ("attribute-missing", "self.bias"),
    ("attribute-missing", "config.hidden_size"),
    ("import-misspelt", "from config import GPT2Conf"),
    ("import-elsewhere", "from max.nn.module_v3 import LayerNorm"),
    ("key-misspelt", 'state["wte.weights"]'),
    ("list-called", "(layers)(x)"),
    ("sequential-list", "Sequential(each for each in layers)(x)"),
    ("property-called", "x.T()"),
    ("memory", "[0] * 10**15"),
    ("traced symbolic-int", "x.reshape([int(B), int(T), 12])"),
    ("traced symbolic-compared", "x if 3 < T else y"),
    ("traced condition-in-graph", "x.item()"),
    ("traced values-in-graph", "np.asarray(np.from_dlpack(x[0]))"),
    ("traced values-in-graph", "x[0, 0, 0].item()"),
    ("traced array-to-f", "return array"),
    ("traced layer-made-in-graph", "Embedding(28, dim=12)(ids)"),
    ("traced dim-in-float-arithmetic", "T ** 0.5"),
    ("traced size-float", "T * 0.5"),
    ("traced keyword-dim", "F.softmax(x, dim=-1)"),
    ("traced tensor-view", "x.view(B, T, H, D)"),
    # the same words, but another cause
    ("unexpected-keyword", "def softmax(x, axis): pass\nsoftmax(x, dim=-1)"),
    ("arguments", "def reshape(x, shape): pass\nreshape(x, 2, 5)"),
    ("arguments", "def permute(x, dims): pass\npermute(x, 0, 1)"),
    ("argument-missing", "def layer_norm(x): pass\nlayer_norm()"),
    ("arguments", "def merge(x): pass\nmerge(x, x)"),
    ("attribute-missing", "one = type('Tensor', (), {})()\none.size = 1\none.view(2)"),
    ("", "type('Tensor', (), {})().view(2)"),
    ("", "type('Linear', (), {})().cast(2)"),
    ("attribute-missing", "self.c_fc.in_features"),
    ("", "for each in 5: pass"),
    ("", "[1, 2][5]"),
    ("", "x @ x"),
    ("", "x + Tensor.ones([7])"),
    ("", "x.reshape([2, 5, 3, 5])"),
    ("", "{}['a']"),
    ("", "state['lm_head.weight']"),
    ("", "1 / 0"),
    ("", "'a' + 1"),
    ("attribute-of-another", "(1).numerator.foo.bar"),
    ("", "np.ones(3)[5]"),
    ("", "np.ones((2, 3)).reshape(4, 4)"),
    ("", "np.ones((2, 3)) @ np.ones((2, 3))"),
    ("", "np.ones(3).transpose(0, 1)"),
    ("", "np.softmax(array)"),
    ("", "open('/no/such/file')"),
    ("", "int('a')"),
    ("", "len(5)"),
    ("", "B, T = x.shape"),
    ("", "assert x.shape == (1, 2)"),
    ("", "raise ValueError('n_embd must be divisible by n_head')"),
    ("", "raise TypeError"),
    ("", "raise TypeError('')"),
    ("", "raise KeyError('x')"),
    ("", "raise NotImplementedError"),
    ("", "raise RecursionError('a')"),
    ("", "raise AttributeError(\"'Tensor' object has no attribute 'view'\")"),
    ("", "raise TypeError(\"softmax() got an unexpected keyword argument 'dim'\")"),
    ("", 'raise TypeError("f() takes 1 positional argument but 2 were given")'),
    ("", "raise RuntimeError('No active MLIR context')"),
    ("", "raise ImportError(\"cannot import name 'F' from 'max.graph' (x)\")"),
    ("", "x.register_buffer('a', x)"),
    ("", "F.nothing_like_it(x)"),
    ("", "import no_such_module"),
    ("", "import max.nn.functional"),
)
"""More lines as (row, line), some of them traced; with "" those that are no row's."""


def statements(line: str) -> str:
    """A line as statements in ``Layer.__call__``: an expression is returned."""
    try:
        ast.parse(line, mode="eval")
        return f"return ({line})"
    except SyntaxError:
        return line


def source(line: str) -> str:
    makes = {"layers": MAKES_LAYERS, "tokenizer": LOADS, "compiled": COMPILES}
    before = "".join(text for name, text in makes.items() if name in line)
    body = before + textwrap.indent(statements(line), " " * 8)
    return SETTING.replace("STATEMENTS", body)


def cases() -> dict[str, dict[str, Any]]:
    """What is run: each row's line and way, and more lines for some rows."""
    found = {}
    for row in EXPLANATIONS:
        traced = row.id in TRACED
        text = WHOLE.get(row.id) or source(row.wrote)
        found[row.id] = {"source": text, "traced": traced}
        if row.way:
            found[f"way {row.id}"] = {"source": source(row.way), "traced": traced}
    for number, (expected, line) in enumerate(ALSO):
        traced = expected.startswith("traced ")
        found[f"also {number}"] = {"source": source(line), "traced": traced}
    return found


@cache
def results() -> dict[str, Any]:
    """What ``describe`` said to each case, or None where nothing was raised."""
    done = subprocess.run(
        [sys.executable, __file__],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input=json.dumps(cases()),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.max
def test_the_mistaken_line_yields_its_row(name: str) -> None:
    """What a row says is raised is raised, and the row is the one that is found."""
    error = results()[name]
    assert error is not None, "nothing was raised"
    assert explain(error, "snippet.py").id == name, error
    said = f"{error['type']}: {' '.join(error['message'].split())}"
    assert pattern(ROWS[name].says[0]).fullmatch(said), "the page shows another message"


@pytest.mark.parametrize("number", range(len(ALSO)), ids=[" ".join(a) for a in ALSO])
@pytest.mark.max
def test_a_like_line_yields_the_row_or_none(number: int) -> None:
    """Variants are recognised; the same words for another cause are not."""
    error = results()[f"also {number}"]
    assert error is not None, "nothing was raised"
    assert explain(error, "snippet.py").id == ALSO[number][0].removeprefix("traced ")


@pytest.mark.parametrize("name", [row.id for row in EXPLANATIONS if row.way])
@pytest.mark.max
def test_the_way_runs(name: str) -> None:
    """What a row advises to write is code that MAX takes."""
    error = results()[f"way {name}"]
    assert error is None, error


# No row claims more than is known

INVENTED = (
    ("TypeError", "f() takes 2 positional arguments but 3 were given"),
    ("TypeError", "f() takes 1 positional argument but 2 were given"),
    ("TypeError", "Layer.forward() missing 1 required positional argument: 'x'"),
    ("TypeError", "f() got an unexpected keyword argument 'dim'"),
    ("TypeError", "f() got an unexpected keyword argument 'device'"),
    ("TypeError", "f() got multiple values for argument 'x'"),
    ("TypeError", "'int' object is not iterable"),
    ("TypeError", "'int' object is not callable"),
    ("TypeError", "'list' object is not callable"),
    ("TypeError", "'NoneType' object is not subscriptable"),
    ("TypeError", "unsupported operand type(s) for +: 'int' and 'str'"),
    ("TypeError", "'<' not supported between instances of 'str' and 'float'"),
    ("TypeError", "must be real number, not str"),
    ("TypeError", "unhashable type: 'list'"),
    ("TypeError", "list indices must be integers or slices, not str"),
    ("TypeError", ""),
    ("AttributeError", "'Tensor' object has no attribute 'view'"),
    ("AttributeError", "'Linear' object has no attribute 'cast'"),
    ("AttributeError", "'CPU' object has no attribute 'to_device'"),
    ("AttributeError", "'str' object has no attribute 'label'"),
    ("AttributeError", "'NoneType' object has no attribute 'shape'"),
    ("AttributeError", "partially initialized module 'model' has no attribute 'wte'"),
    ("AttributeError", "property 'weight' of 'Linear' object has no setter"),
    ("AttributeError", "c_fc"),
    ("ValueError", "too many values to unpack (expected 2)"),
    ("ValueError", "not enough values to unpack (expected 3, got 2)"),
    ("ValueError", "operands could not be broadcast together with shapes (2,) (3,)"),
    ("ValueError", "n_embd must be divisible by n_head"),
    ("ValueError", "Probabilities do not sum to 1."),
    ("ValueError", "axes don't match array"),
    ("ValueError", "matmul: Input operand 1 has a mismatch in its core dimension 0"),
    ("ValueError", "Failed to create op 'softmax': Diagnostics: something else"),
    ("ValueError", "epsilon must be positive"),
    ("RuntimeError", "Gamma size does not match dimension of reduction."),
    ("RuntimeError", "generator raised StopIteration"),
    ("RuntimeError", "dictionary changed size during iteration"),
    ("RuntimeError", "No active MLIR context"),
    ("RuntimeError", "Unsupported dtype in DLTensor."),
    ("IndexError", "list index out of range"),
    ("IndexError", "index 5 is out of bounds for axis 0 with size 3"),
    ("KeyError", "'weight'"),
    ("KeyError", "'transformer.wte.weight'"),
    ("ImportError", "attempted relative import with no known parent package"),
    ("ImportError", "cannot import name 'x' from partially initialized module 'a'"),
    ("ImportError", "cannot import name 'nothing' from 'config' (config.py)"),
    ("ModuleNotFoundError", "No module named 'attention2'"),
    ("NotImplementedError", "attend"),
    ("RecursionError", "maximum recursion depth exceeded"),
    ("OSError", "[Errno 28] No space left on device"),
    ("ZeroDivisionError", "division by zero"),
    ("OverflowError", "cannot convert float infinity to integer"),
    ("UnicodeDecodeError", "'utf-8' codec can't decode byte 0xff in position 0"),
    ("StopIteration", ""),
    ("EOFError", "EOF when reading a line"),
    ("AssertionError", ""),
    ("Exception", "self is missing"),
    ("Zork", "the grue has eaten your Tensor, axis, dim and self"),
)
"""Exceptions of nobody in particular: what some of them say, rows know too."""

ELSEWHERE = {"raiser": "somebody.else:f", "through": "somebody.else:f"}
THERE = {"raiser": "learner:f", "through": "", "expression": "f(x)"}
HANDS = {"tensor": "x", "array": "a", "number": "1", "list": "[1]", "text": "'a'"}
FACTS = {
    "none": {},
    "elsewhere": ELSEWHERE,
    "in the interpreter": {"raiser": "checker.interpreter.graph:run"},
    "in the learner's line": {**THERE, "traced": "yes"},
    "raised by the learner": {**THERE, **HANDS, "raised": "yes"},
}

TEXT_ALONE = {
    "array-returned", "driver-tensor-returned", "list-returned", "dim-for-int",
    "symbolic-compared", "dim-in-float-arithmetic", "one-more-axis", "no-torch",
    "text-for-number", "name-undefined", "assigned-later", "memory", "ends-the-program",
    "indentation", "not-python",
}  # fmt: skip
"""Rows that repeat what the exception itself says, whoever raised it."""


def invented(kind: str, message: str, **more: Any) -> dict[str, Any]:
    """What ``describe`` would say to an exception that nobody raised."""
    empty = {
        "frames": [], "definition": [], "shapes": {}, "name": "", "facts": {},
        "unusable": kind == "Unusable", "todo": False,
    }  # fmt: skip
    return {"type": kind, "message": message, **empty, **more}


@pytest.mark.parametrize("facts", FACTS.values(), ids=FACTS)
@pytest.mark.parametrize("said", INVENTED, ids=map(": ".join, INVENTED))
def test_nothing_is_said_about_invented_exceptions(
    said: tuple[str, str], facts: dict[str, str]
) -> None:
    """Without the evidence the sentence is the exception itself."""
    found = explain(invented(*said, facts=facts), "mlp.py")
    assert found.id == ""
    assert shorten(said[1].partition(" (")[0]) in found.sentence or not said[1]


@pytest.mark.parametrize("name", ROWS.keys() - TEXT_ALONE)
def test_the_same_words_from_elsewhere_are_not_explained(name: str) -> None:
    """A row knows who raised an exception, not only what it says."""
    row = ROWS[name]
    for says in row.says:
        said = re.sub(r"<(\w+)>", lambda found: row.like.get(found[1], "it"), says)
        kind, _, message = said.replace("…", "something").partition(": ")
        for facts in (ELSEWHERE, {**THERE, **HANDS, "raised": "yes"}):
            found = explain(invented(kind, message, facts=facts), "mlp.py")
            assert found.id in TEXT_ALONE | {""}


@pytest.mark.parametrize("row", EXPLANATIONS, ids=ROWS)
def test_no_pattern_matches_anything(row: Row) -> None:
    """Every pattern has an exception's kind and words, or facts that it needs."""
    for says in row.says:
        kind, _, words = says.partition(": ")
        assert re.fullmatch(r"…?\w*(Error|Exit|Interrupt|Unusable)", kind)
        literal = re.sub(r"…|<\w+>|\W", "", words)
        plain = kind in ("MemoryError", "SystemExit", "KeyboardInterrupt")
        assert len(literal) >= 8 or row.facts or row.needs or plain
        assert not pattern(says).fullmatch("Zork: the grue has eaten your Tensor")


def test_a_message_made_to_take_long_is_answered() -> None:
    """Wildcards do not multiply: a message of words that rows look for is cut."""
    words = "dimension at axis (value 1) and takes but given got an unexpected '' not "
    for kind in ("TypeError", "ValueError", "AttributeError", "ImportError"):
        error = invented(kind, f"f() Failed to create op '': {words * 60}~")
        assert explain(error, "mlp.py").id == ""


def test_every_row_has_an_id_of_its_own_and_english_that_fits() -> None:
    """Ids are unique and in kebab-case; sentences end, and their fields are shown."""
    assert len(ROWS) == len(EXPLANATIONS)
    for row in EXPLANATIONS:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.id)
        assert row.sentence.endswith(".") and "!" not in row.sentence
        assert row.needs <= {"way", *row.like}


# One by one


def test_a_message_of_max_is_one_sentence_with_plain_shapes() -> None:
    """What MAX wraps in ten lines is said in one, and no shape holds ``Dim(6)``."""
    message = (
        "Failed to create op 'add':\nInputs:\n    input_x = TensorValue(dtype=float32, "
        "shape=[Dim(2), Dim(5)], device=cpu:0)\n\nDiagnostics:\n    Input lhs (shape "
        "[2, 5]) dimension at axis 1 (value 5) and input rhs (shape [7]) dimension at "
        "axis 0 (value 7) are neither equivalent nor broadcastable."
    )
    assert shorten(message) == (
        "add: shapes [2, 5] and [7] do not fit together: axis 1 is 5 in one and 7 in "
        "the other"
    )
    assert shorten("got [Dim(2), Dim('batch')]") == "got [2, batch]"
    assert shorten("_softmax_like.<locals>.f() is not") == "f() is not"
    assert shorten("first\n\nsecond") == "first"
    assert shorten("") == "no message"
    assert shorten("a" * 300) == "a" * 199 + "…"


def test_a_place_is_data_and_the_innermost_of_the_learner() -> None:
    """Path, line and code come as they are, not as text to be parsed again."""
    frames = [["/mlp.py", 3, "outer", "inner()"], ["/mlp.py", 9, "inner", "1 / 0"]]
    error = invented("ZeroDivisionError", "division by zero", frames=frames)
    found = explain(error, "x")
    assert found == Explanation(
        "", "ZeroDivisionError: division by zero", Place("/mlp.py", 9, "1 / 0")
    )
    assert str(found.place) == "/mlp.py:9"


def test_shapes_are_shown_where_they_may_be_the_reason() -> None:
    """A ValueError may be about shapes, a NameError is not."""
    shapes = {"x": "[2, 5]"}
    assert explain(invented("ValueError", "no", shapes=shapes), "x").shapes == shapes
    assert explain(invented("NameError", "no", shapes=shapes), "x").shapes == {}


@pytest.mark.max
def test_a_method_without_self_is_shown_at_its_def() -> None:
    """The line to change is the ``def``, which no frame of the traceback shows."""
    found = explain(results()["selfless"], "snippet.py")
    assert found.place == Place("/snippet.py", 2, "def _merge(tensor):")
    assert "`Layer._merge`" in found.sentence


@pytest.mark.max
def test_an_indentation_is_shown_as_it_is() -> None:
    """The line above is shown with it, and the spaces before both."""
    found = explain(results()["indentation"], "snippet.py")
    assert found.place == Place("/snippet.py", 5, "  pass\ndef second(self):")


@pytest.mark.max
def test_the_exception_itself_stays_at_hand() -> None:
    """A sentence of a row comes with what was raised; without a row it is that."""
    found = explain(results()["keyword-dim"], "snippet.py")
    wanted = "TypeError: softmax_like_op() got an unexpected keyword argument 'dim'"
    assert found.exception == wanted
    assert explain(results()[also("x @ x")], "snippet.py").exception == ""


def also(line: str) -> str:
    return f"also {[written for _, written in ALSO].index(line)}"


@pytest.mark.parametrize(
    ("lines", "delete"),
    [
        (["raise NotImplementedError('attend')"], None),
        (["# What to do.", "", "raise NotImplementedError('attend')"], None),
        (["x = 1", "raise NotImplementedError('attend')"], 3),
        (["raise NotImplementedError('attend')", "return x"], 2),
        (["if x:", "    raise NotImplementedError('attend')"], None),
    ],
)
def test_code_in_a_hole_whose_raise_was_left(
    lines: list[str], delete: int | None
) -> None:
    """Whoever wrote code beside the ``raise`` is told which line to delete."""
    body = ["# hole: attend", *lines, "# end", "return 1"]
    text = "def attend(x):\n" + "".join(f"    {line}\n" for line in body)
    delete = delete and delete + 1  # below the def
    error = described(text, "attend")
    assert error["todo"]
    found = explain(error, "snippet.py")
    assert found.id == ("raise-left" if delete else "")
    assert (f"delete line {delete}." in found.sentence) == bool(delete)
    assert delete or found.sentence == "this hole is open: attend"


HOSTILE = """
class Hostile:
    def __getattribute__(self, name): raise SystemExit(name)
    def __repr__(self): raise KeyboardInterrupt
    def __eq__(self, other): raise ValueError
    __hash__ = None

class Mean(AttributeError, KeyError):
    def __str__(self): raise RuntimeError("no")

class Owner:
    @property
    def weight(self):
        global looked
        looked = True
        return 1

def run(x):
    hostile = Hostile()
    self = Owner()
    LINE
"""


@pytest.mark.parametrize(
    "line",
    [
        "hostile.thing",
        "hostile(hostile)",
        "hostile + 1",
        "{}[hostile]",
        "raise Mean(hostile)",
        "raise Mean",
        "weight",
        "self.weight()",
        "self.wieght",
        "import nothing.at.all",
        "raise ImportError(hostile)",
        "[][hostile]",
    ],
)
def test_objects_that_raise_are_described_and_not_called(line: str) -> None:
    """Whatever an object does when it is looked at, the description is JSON."""
    error = described(HOSTILE.replace("LINE", line), "run")
    assert line in [code for *_, code in json.loads(json.dumps(error))["frames"]]
    assert explain(error, "snippet.py").sentence
    assert ("looked" in SEEN) == (line == "self.weight()")


SEEN: dict[str, Any] = {}


def described(text: str, name: str) -> dict[str, Any]:
    """What ``describe`` says to the exception of a function in a learner's file."""
    from checker.worker.describe import describe

    path = "/described.py"
    lines = text.splitlines(keepends=True)
    linecache.cache[path] = (len(text), None, lines, path)
    SEEN.clear()
    SEEN["__name__"] = "described"
    exec(compile(text, path, "exec"), SEEN)
    files = {"described": {"path": path, "source": text, "learner": True}}
    try:
        SEEN[name](1)
    except BaseException as error:
        return describe(error, files)
    raise AssertionError("nothing was raised")


def test_the_page_is_current() -> None:
    """docs/pytorch-to-max.md is what ``python -m checker.verdict.explain`` writes."""
    assert module.PAGE.read_text(encoding="utf-8") == module.page()


def test_explaining_imports_neither_max_nor_numpy() -> None:
    """The parent reads rows; what MAX is, the worker knows."""
    code = (
        "import sys, checker.verdict.explain\n"
        "assert not {'max', 'numpy', 'checker.worker'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# The other process


def run_cases() -> None:
    """Read cases from standard input, run them, print what ``describe`` says."""
    from checker.worker.main import prepare

    prepare()
    answers = {name: run_case(**case) for name, case in json.load(sys.stdin).items()}
    print("\n" + json.dumps(answers))


def run_case(source: str, traced: bool) -> dict[str, Any] | None:
    import importlib

    from checker.worker.describe import describe
    from checker.worker.main import Files
    from checker.worker.probe import array

    files = {
        name: {
            "path": str(ROOT / "solutions" / f"{name}.py"),
            "source": (ROOT / "solutions" / f"{name}.py").read_text(encoding="utf-8"),
            "learner": False,
        }
        for name in ("config", "causal", "layernorm", "mlp", "attention")
    }
    files["snippet"] = {"path": "/snippet.py", "source": source, "learner": True}
    importer = Files(files)
    with importer.importable():
        try:
            result = call(importlib.import_module("snippet").Layer(), traced)
            if returned(source):
                array(result)  # as a probe takes it
        except BaseException as error:
            return describe(error, files)
    return None


def returned(source: str) -> bool:
    """Whether a statement hands something to the probe, which takes Tensors alone."""
    return re.search(r"\n        return (array|\[x\]|driver.*)\n", source) is not None


def call(layer: Any, traced: bool) -> Any:
    import numpy as np
    from max.driver import CPU
    from max.dtype import DType
    from max.experimental.tensor import Tensor
    from max.graph import TensorType

    if traced:
        x = TensorType(DType.float32, ("batch", "seqlen", 12), device=CPU())
        layer.compile(x, TensorType(DType.int64, ("batch", "seqlen"), device=CPU()))
        return None
    numbers = np.linspace(-1, 1, 120, dtype=np.float32).reshape(2, 5, 12)
    ids = np.arange(10, dtype=np.int64).reshape(2, 5)
    result = layer(Tensor.from_dlpack(numbers), Tensor.from_dlpack(ids))
    for each in result if isinstance(result, list) else [result]:
        if isinstance(each, Tensor):
            np.from_dlpack(each)
    return result


if __name__ == "__main__":
    run_cases()
