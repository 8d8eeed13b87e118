"""The gradients of step 13: of each operation, of all accepted files, of GPT-2.

They are compared with differences. The interpreter evaluates graphs of float32 in
float64 for that, so that the differences are exact to nine digits.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import record_gradients
import record_parity
from max.driver import CPU
from max.dtype import DType
from max.experimental import functional as F
from max.experimental import tensor as eager
from max.experimental.tensor import Tensor
from max.graph import DeviceRef, Dim, Graph, TensorType, TensorValue, ops

from checker.course import puzzle, reference, siblings
from checker.interpreter import graph as interpreter
from checker.interpreter import interpreting
from checker.worker.files import Files
from checker.worker.probe import Learner
from tests.course.submission_files import Submission, submissions
from tests.s07_model.probes import FLAT
from tests.s13_autodiff import table
from tests.s13_autodiff.probes import CASES

pytestmark = pytest.mark.max

Array = np.ndarray
HOST = DeviceRef.CPU()
SOLUTIONS = Path(__file__).resolve().parents[2] / "solutions"
PYTORCH = importlib.util.find_spec("torch") is not None
STEP = 1e-6
EXACT = 1e-6
"""How far a gradient may be from a difference, relative to its own length."""


@pytest.fixture(scope="module")
def autodiff() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SOLUTIONS)
        yield importlib.import_module("autodiff")
    for name in [path.stem for path in SOLUTIONS.glob("*.py")]:
        sys.modules.pop(name, None)


# A graph with a loss, its gradients, and differences


class Differentiated:
    """A loss and its gradients, as programs of the interpreter that compute in float64.

    Args:
        trace: from the graph's inputs to the loss and what it depends on.
    """

    def __init__(
        self,
        autodiff: Any,
        types: list[TensorType],
        trace: Callable[..., tuple[TensorValue, list[TensorValue]]],
    ) -> None:
        self.graph = Graph("differentiated", input_types=types)
        with self.graph:
            loss, wrt = trace(*(each.tensor for each in self.graph.inputs))
            found = autodiff.gradients(loss, wrt)
        for x, gradient in zip(wrt, found, strict=True):
            assert (gradient.shape, gradient.dtype) == (x.shape, x.dtype)
        self.loss, self.gradients = self._program([loss]), self._program(found)

    def _program(self, values: list[TensorValue]) -> interpreter.Program:
        outputs = [*map(interpreter.to_mlir, values)]
        operations = interpreter.needed_for(outputs)
        arguments = self.graph._graph_body.arguments
        return interpreter.Program(operations, outputs, arguments)

    def compare(self, arrays: list[Array], places: list[int]) -> None:
        """Compare with differences of the loss, in one random direction: that of all
        arrays at ``places``, whose gradients these are."""
        rng = np.random.default_rng(1)
        ways = {place: rng.standard_normal(arrays[place].shape) for place in places}
        with in_float64(self.loss, self.gradients):
            found = self.gradients.run(arrays, {})
            steps = [self._moved(arrays, ways, sign) for sign in (STEP, -STEP)]
            ahead, behind = (self.loss.run(each, {})[0].item() for each in steps)
        pairs = zip(found, ways.values(), strict=True)
        products = np.array([np.vdot(gradient, way) for gradient, way in pairs])
        lengths = [np.linalg.norm(gradient) for gradient in found]
        assert np.isfinite(products).all() and max(lengths) > 1e-3
        far = abs((ahead - behind) / (2 * STEP) - products.sum())
        assert far < EXACT * (1 + np.linalg.norm(lengths)), (far, products)

    @staticmethod
    def _moved(arrays: list[Array], ways: dict[int, Array], step: float) -> list[Array]:
        return [
            each + step * ways[place] if place in ways else each
            for place, each in enumerate(arrays)
        ]


@contextlib.contextmanager
def in_float64(*programs: interpreter.Program) -> Iterator[None]:
    """What is of float32 in the programs is computed in float64."""
    for op in (op for program in programs for op in program.ops):
        if op.name == "mo.constant":
            assert op.constant is not None  # read as what it is stored in
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(interpreter.NUMPY, DType.float32, np.float64)
        yield


def tensor_type(array: Array, *shape: str | int) -> TensorType:
    dtype = DType.from_numpy(array.dtype)
    return TensorType(dtype, shape or array.shape, HOST)


# Each operation

RNG = np.random.default_rng(3)


def normal(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def positive(*shape: int) -> Array:
    return np.exp(normal(*shape) / 2)


def ids(below: int, *shape: int) -> Array:
    return RNG.integers(0, below, shape)


def of_one(op: Callable[[Any], Any], x: Array | None = None) -> tuple[Any, ...]:
    return op, normal(2, 3, 4) if x is None else x


def of_two(
    op: Callable[[Any, Any], Any], *shape: int, x: Array | None = None
) -> tuple[Any, ...]:
    return op, normal(2, 3, 4) if x is None else x, normal(*shape)


EVERYWHERE = (
    *("abs", "cos", "erf", "exp", "gelu", "negate", "relu", "sigmoid", "silu", "sin"),
    "tanh",
)
Operations = dict[str, tuple[Any, ...]]
NUMBERS: Operations = {
    **{
        f"{name} {kind}": of_one(getattr(ops, name), x)
        for kind, x in {
            "normal": normal(2, 3, 4),
            "positive": positive(2, 3, 4),
        }.items()
        for name in EVERYWHERE
    },
    **{
        name: of_one(getattr(ops, name), positive(2, 3, 4))
        for name in ("log", "log1p", "sqrt", "rsqrt")
    },
    "gelu tanh": of_one(lambda x: ops.gelu(x, "tanh")),
    "gelu quick": of_one(lambda x: ops.gelu(x, "quick")),
    "add": of_two(lambda a, b: a + b, 4),
    "sub": of_two(lambda a, b: a - b, 3, 1),
    "mul": of_two(lambda a, b: a * b, 1, 1),
    "mul scalar": of_two(lambda a, b: a * b),
    "mul itself": of_one(lambda a: a * a),
    "div": (lambda a, b: a / b, normal(2, 3, 4), positive(3, 1)),
    "pow": of_two(lambda a, b: ops.pow(a, b), 4, x=positive(2, 3, 4)),
    "square": of_one(lambda a: a**2),
    "cube": of_one(lambda a: ops.pow(a, 3)),
    "root": of_one(lambda a: ops.pow(a, -0.5), positive(2, 3)),
    "exponent": of_one(lambda a: ops.pow(2.0, a)),
    "max": of_two(lambda a, b: ops.max(a, b), 4),
    "min": of_two(lambda a, b: ops.min(a, b), 3, 1),
    "max scalar": of_one(lambda a: ops.max(a, 0.3)),
    "where": of_two(lambda a, b: ops.where(a > b, a, b * 2), 4),
    "where scalar": of_one(lambda a: ops.where(a > 0, a, -1.0)),
    "masked": of_one(lambda a: ops.softmax(ops.where(a > 0, a, float("-inf")))),
    "cast": of_one(lambda a: a.cast(DType.float64).cast(DType.float32)),
}
AXES: Operations = {
    "softmax": of_one(ops.softmax),
    "logsoftmax": of_one(ops.logsoftmax),
    "layer_norm": (
        lambda x, g, b: ops.layer_norm(x, g, b, 0.1),
        normal(2, 3, 4),
        normal(4),
        normal(4),
    ),
    "layer_norm of rows": (
        lambda x, g, b: ops.layer_norm(x, g, b, 1e-5),
        normal(3, 4),
        normal(4),
        normal(4),
    ),
    "mean": of_one(lambda x: ops.mean(x, 1)),
    "sum": of_one(lambda x: ops.sum(x, 0)),
    "largest": of_one(lambda x: ops.max(x, axis=1)),
    "least": of_one(lambda x: ops.min(x, axis=-1)),
}
PRODUCTS: Operations = {
    "matrices": (lambda a, b: a @ b, normal(3, 4), normal(4, 5)),
    "layer": (lambda a, b: a @ b, normal(2, 3, 4), normal(4, 5)),
    "batches": (lambda a, b: a @ b, normal(2, 1, 3, 4), normal(5, 4, 6)),
    "shared": (lambda a, b: a @ b, normal(3, 4), normal(2, 4, 6)),
    "by vector": (ops.matmul, normal(2, 3, 4), normal(4)),
    "vector by": (ops.matmul, normal(4), normal(4, 3)),
    "vector by batch": (ops.matmul, normal(4), normal(2, 4, 3)),
    "vectors": (ops.matmul, normal(4), normal(4)),
    "outer": (ops.outer, normal(3), normal(4)),
}
SLICES: dict[str, Any] = {
    "[0]": lambda x: x[0],
    "[-1]": lambda x: x[-1],
    "[:, 1:]": lambda x: x[:, 1:],
    "[:, :-1]": lambda x: x[:, :-1],
    "[:, -3:-1]": lambda x: x[:, -3:-1],
    "[::2]": lambda x: x[::2],
    "[1::2, ..., ::3]": lambda x: x[1::2, ..., ::3],
    "[..., -1]": lambda x: x[..., -1],
    "[:, None, 2]": lambda x: x[:, None, 2],
    "[-4::3, :2]": lambda x: x[-4::3, :2],
    "[:, -5:6:2]": lambda x: x[:, -5:6:2],
    "[::-1] by tensors": lambda x: x[(slice(None, None, -1), 4), (slice(5, 1, -2), 2)],
}
MOVES: Operations = {
    **{name: of_one(op, normal(5, 7, 6)) for name, op in SLICES.items()},
    "[i] by tensors": (lambda x, i: x[i[0]] * x[i[1]], normal(5, 3), np.array([1, -1])),
    "reshape": of_one(lambda x: x.reshape([4, 6])),
    "permute": of_one(lambda x: x.permute([2, 0, 1])),
    "transpose": of_one(lambda x: x.transpose(0, -1)),
    "broadcast": of_one(lambda x: x.broadcast_to([2, 3, 4]), normal(3, 1)),
    "rebind": of_one(lambda x: x.rebind([2, 3, 4])),
    "concat": of_two(lambda a, b: ops.concat([a, b, a], 1), 2, 1, 4),
    "stack": of_two(lambda a, b: ops.stack([a, b], -1), 2, 3, 4),
    "split": of_one(lambda x: ops.split(x, [1, 2], 1)[1]),
    "split, all used": of_one(lambda x: ops.max(*ops.split(x, [2, 2], 2))),
    "chunk": of_one(lambda x: ops.chunk(x, 2, 2)[1]),
    "unsqueeze": of_one(lambda x: ops.unsqueeze(ops.squeeze(x, 1), 0), normal(2, 1, 3)),
    "flatten": of_one(lambda x: ops.flatten(x, 1)),
    "band": of_one(lambda x: ops.band_part(x, None, 0), normal(2, 4, 4)),
    "not the band": of_one(lambda x: ops.band_part(x, 1, 0, exclude=True)),
    "rows": (lambda x, i: ops.gather(x, i, 0), normal(5, 3), ids(5, 2, 4) - 2),
    "columns": (lambda x, i: ops.gather(x, i, 1), normal(3, 5, 2), ids(5, 2, 4)),
    "last": (lambda x, i: ops.gather(x, i, -1), normal(3, 2, 5), ids(5, 7)),
    "nd": (ops.gather_nd, normal(3, 5, 2), np.stack([ids(3, 4), ids(5, 4)], -1)),
    "nd in 1 dimension": (
        lambda x, i: ops.gather_nd(x, i, 1), normal(3, 5, 6, 2), ids(5, 3, 4, 2)
    ),
    "nd in 2 dimensions": (
        lambda x, i: ops.gather_nd(x, i, 2), normal(3, 5, 6), ids(6, 3, 5, 1)
    ),
}  # fmt: skip
OPERATIONS = {**NUMBERS, **AXES, **PRODUCTS, **MOVES}


def differentiated(
    autodiff: Any, op: Callable[..., Any], arrays: list[Array], *shape: str | int
) -> None:
    """Compare the gradients of sum(sin(op(...))); ``shape`` is the first input's."""
    floats = [place for place, each in enumerate(arrays) if each.dtype == np.float32]

    def trace(*xs: TensorValue) -> tuple[TensorValue, list[TensorValue]]:
        loss = ops.sum(ops.sin(op(*xs)).reshape([-1]), 0)
        return loss, [xs[place] for place in floats]

    first, *others = arrays
    types = [tensor_type(first, *shape), *map(tensor_type, others)]
    Differentiated(autodiff, types, trace).compare(arrays, floats)


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation(name: str, autodiff: Any) -> None:
    """The gradient of an operation is what a difference says."""
    op, *arrays = OPERATIONS[name]
    differentiated(autodiff, op, arrays)


SYMBOLIC: dict[str, Callable[[Any], Any]] = {
    "[:, :-1]": lambda x: x[:, :-1],
    "[:, -1]": lambda x: x[:, -1],
    "[:, 1::2]": lambda x: x[:, 1::2],
    "[:, : T - 2]": lambda x: x[:, : Dim("tokens") - 2],
    "mean": lambda x: ops.mean(x, 1),
    "bias": lambda x: x * x[0, 0],
    "concat": lambda x: ops.concat([x, x[:, 1:], x], 1),
    "attention": lambda x: ops.softmax(x @ x.transpose(1, 2)) @ x,
    "heads": lambda x: x.reshape(["batch", "tokens", 2, 2]).permute([0, 2, 1, 3]),
    "mask": lambda x: ops.band_part(x @ x.transpose(1, 2), None, 0),
    "layer": lambda x: x @ ops.transpose(x[0, :4].rebind([4, 4]), 0, 1),
    "layer_norm": lambda x: ops.layer_norm(x, x[0, 0], x[0, 1], 0.1),
}


@pytest.mark.parametrize("name", SYMBOLIC)
def test_symbolic_sizes(name: str, autodiff: Any) -> None:
    """Sizes may have names when the gradients are traced."""
    differentiated(autodiff, SYMBOLIC[name], [normal(5, 7, 4)], "batch", "tokens", 4)


def test_every_rule_is_tested(autodiff: Any) -> None:
    """Each rule belongs to an operation above."""
    arrays = [array for _, *arrays in OPERATIONS.values() for array in arrays]
    with Graph("all", input_types=[*map(tensor_type, arrays)]) as graph:
        inputs = iter(graph.inputs)
        for op, *own in OPERATIONS.values():
            op(*(next(inputs).tensor for _ in own))
        names = {each.operation.name for each in graph._graph_body.operations}
    assert not autodiff.RULES.keys() - names


# Control flow, and what has no gradient


def test_a_condition_is_no_zero(autodiff: Any) -> None:
    """What a block reads from outside is on the way to the loss: no silent zeros."""
    kind = TensorType(DType.float32, [3], HOST)
    with Graph("condition", input_types=[kind]) as graph:
        [x] = (each.tensor for each in graph.inputs)
        either = ops.cond(
            ops.constant(True, DType.bool, HOST), [kind], lambda: x * 2, lambda: x
        )
        with pytest.raises(NotImplementedError, match=r"mo\.if"):
            autodiff.gradients(ops.sum(either[0], 0), [x])


@pytest.mark.parametrize("shape", [[2], [1, 3], [0], ["batch"]])
def test_a_loss_of_several_elements(shape: list[Any], autodiff: Any) -> None:
    """It is refused with its shape, and so is one that could have several."""
    kind = TensorType(DType.float32, shape, HOST)
    with Graph("loss", input_types=[kind]) as graph:
        [x] = (each.tensor for each in graph.inputs)
        said = f"the loss has the shape [{', '.join(map(str, shape))}], must have one"
        with pytest.raises(ValueError, match=re.escape(said)):
            autodiff.gradients(x * 2, [x])


def test_a_missing_rule_is_named(autodiff: Any) -> None:
    """With the shapes that it was given, which tell the learner where it is."""
    kind = TensorType(DType.float32, ["batch", 3], HOST)
    with Graph("missing", input_types=[kind]) as graph:
        [x] = (each.tensor for each in graph.inputs)
        loss = ops.sum(ops.atanh(x).reshape([-1]), 0)
        said = r"no rule for rmo\.mo\.atanh of float32 \[batch, 3\]"
        with pytest.raises(NotImplementedError, match=said):
            autodiff.gradients(loss, [x])


def test_integers_have_no_gradient(autodiff: Any) -> None:
    """Nothing goes back through a cast to integers or an index."""
    types = [
        TensorType(DType.float32, [3], HOST), TensorType(DType.int64, [2], HOST)
    ]  # fmt: skip
    with Graph("integers", input_types=types) as graph:
        x, i = (each.tensor for each in graph.inputs)
        rows = ops.gather(x, x.cast(DType.int64), 0) + ops.gather(x, i, 0)[0]
        found = autodiff.gradients(ops.sum(rows, 0), [x, i])
        assert [each.dtype for each in found] == [DType.float32, DType.int64]


# All accepted files


def accepted() -> list[Any]:
    steps = ("s02", "s03", "s04", "s05", "s06", "s07")
    files = [each for each in submissions("right") if each.step in steps]
    return [pytest.param(each, id=each.id) for each in files]


@pytest.fixture
def float32_on_the_cpu() -> Iterator[None]:
    """As in a worker, whatever the machine has."""
    tokens = [
        (each, each.set(value))
        for each, value in (
            (eager._DEFAULT_DEVICE, CPU()),
            (eager._DEFAULT_DTYPE, DType.float32),
        )
    ]
    with interpreting():
        yield
    for each, token in tokens:
        each.reset(token)


@contextlib.contextmanager
def learners(file: Submission) -> Iterator[tuple[ModuleType, ModuleType]]:
    """The module that a file is, with the reference for others; and its step's probes.
    Of step 2 it is attention, with the file's mask."""
    own = puzzle(file.step)
    target = puzzle("attention") if file.step == "s02" else own
    names = [target.name, *(each.name for each in siblings(target.name))]
    sources = {name: reference(name).text for name in names}
    sources[own.name] = file.source.decode()
    files = {
        name: {"path": f"/learner/{name}.py", "source": source}
        for name, source in sources.items()
    }
    with Files(files).importable():
        probes = importlib.import_module(f"{target.package}.probes")
        yield importlib.import_module(target.name), probes


@pytest.mark.parametrize("file", accepted())
def test_accepted_file(
    file: Submission, autodiff: Any, float32_on_the_cpu: None
) -> None:
    """Whatever a right file is written with has rules, and they are right."""
    with learners(file) as (module, probes):
        layer = probes.layer
        sizes = FLAT if file.step == "s07" else layer.sizes
        made = layer.made(Learner(module, f"{module.__name__}.py"), sizes)
        parameters = dict(made.parameters)
        x = layer.x(sizes)
        arrays = [x, *(np.array(np.from_dlpack(p)) for p in parameters.values())]

        def trace(*values: TensorValue) -> tuple[TensorValue, list[TensorValue]]:
            given = [Tensor.from_graph_value(value) for value in values]
            named = dict(zip(parameters, given[1:], strict=True))
            with made._mapped_parameters(lambda name, _: named[name]):
                y = TensorValue(made(given[0]))
            loss = ops.sum(ops.sin(y).reshape([-1]), 0)
            return loss, [values[place] for place in places]

        places = [n for n, each in enumerate(arrays) if each.dtype == np.float32]
        symbolic = tensor_type(x, "batch", "seqlen", *layer.symbolic)
        types = [symbolic, *map(tensor_type, arrays[1:])]
        Differentiated(autodiff, types, trace).compare(arrays, places)


# The formulas of the table


@pytest.mark.parametrize(
    ("case", "oracle"),
    [
        ("chain", lambda: table.walk("chain")),
        ("uses", lambda: table.walk("uses")),
        ("multiply", table.multiply),
        ("spread", table.spread),
        ("matmul", table.matmul),
        ("matmul squares", lambda: table.matmul(case="matmul squares")),
        ("softmax", table.softmax),
        ("layer norm", lambda: {**table.norm_dx(), **table.norm_parameters()}),
    ],
)
def test_formulas_of_the_table(case: str, oracle: Callable[[], dict[str, Any]]) -> None:
    """They agree with the complex step, which knows no formula of a derivative."""
    found, want = oracle(), table.exact(case)
    assert list(found) == list(CASES[case].wrt)
    for name, each in found.items():
        np.testing.assert_allclose(each, want[name], rtol=1e-5, atol=1e-5, strict=True)


# GPT-2 beside PyTorch


def ours(autodiff: Any) -> dict[str, Array]:
    """The gradients of the solutions' GPT-2, by the names and in the layouts of the
    checkpoint."""
    case = record_gradients.CASE
    model = importlib.import_module("model")
    config = importlib.import_module("config").GPT2Config(**case.sizes)
    made = model.MaxGPT2Model(config)
    made.load_huggingface_weights(Checkpoint(), CPU())
    parameters = dict(made.parameters)
    tokens = tensor_type(case.input_ids, "batch", "seqlen")
    types = [tokens, tokens, *(p.type for p in parameters.values())]
    with Graph("gpt2", input_types=types) as graph:
        values = [each.tensor for each in graph.inputs]
        fed, wanted, *given = map(Tensor.from_graph_value, values)
        named = dict(zip(parameters, given, strict=True))
        with made._mapped_parameters(lambda name, _: named[name]):
            log_p = F.logsoftmax(made(fed))
        picked = F.gather_nd(log_p, F.unsqueeze(wanted, -1), batch_dims=2)
        loss = -F.mean(F.reshape(picked, [-1]), axis=0)
        found = autodiff.gradients(TensorValue(loss), values[2:])
        graph.output(*found)
    arrays = (np.array(np.from_dlpack(p)) for p in parameters.values())
    results = run(graph, case.input_ids, record_gradients.targets(case), *arrays)
    return as_checkpoint(dict(zip(parameters, results, strict=True)))


class Checkpoint:
    def state_dict(self) -> dict[str, Array]:
        return record_gradients.CASE.state


def run(graph: Graph, *arrays: Array) -> list[Array]:
    from max.engine import InferenceSession

    with interpreting():
        model = InferenceSession(devices=[CPU()]).load(graph)
        return [np.array(np.from_dlpack(each)) for each in model.execute(*arrays)]


def as_checkpoint(found: dict[str, Array]) -> dict[str, Array]:
    """Conv1D's layout for three matrices; the head's gradient added to that of wte."""
    conv1d = ("c_attn.weight", "c_proj.weight", "c_fc.weight")
    turned = {n: g.T if n.endswith(conv1d) else g for n, g in found.items()}
    head = turned.pop("lm_head.weight")
    turned["transformer.wte.weight"] = turned["transformer.wte.weight"] + head
    return turned


def close(found: Array, want: Array, largest: float, name: str) -> None:
    """1e-5 of the largest number of a gradient; that of the key's bias, which changes
    nothing, is 0 but for rounding."""
    np.testing.assert_allclose(
        found, want, rtol=0, atol=1e-5 * largest, err_msg=name, strict=True
    )


def test_gpt2_as_in_pytorch(autodiff: Any) -> None:
    """The solutions' gradients are PyTorch's, or what was recorded of them."""
    found = ours(autodiff)
    if PYTORCH:
        case = record_gradients.CASE
        want = record_gradients.answer(case, record_parity.live(case))
        for name, each in want.items():
            close(found[name], each, np.abs(each).max(), name)
        assert found.keys() == want.keys()
        return
    want = recorded()
    assert found.keys() == want.keys()
    for name, each in want.items():
        close(record_gradients.part(found[name]), each, each[-1], name)


def recorded() -> dict[str, Array]:
    """A stale recording is an error."""
    with np.load(record_gradients.RECORDING) as file:
        found = dict(file)
    if found.pop("fingerprint") != record_gradients.CASE.fingerprint:
        pytest.fail("the case changed: run tests/course/record_gradients.py")
    return found


@pytest.mark.skipif(not PYTORCH, reason="needs PyTorch, which the course does not")
def test_recording_of_pytorch_is_true() -> None:
    """What was recorded is what PyTorch says."""
    case = record_gradients.CASE
    live = record_gradients.answer(case, record_parity.live(case))
    found = recorded()
    assert found.keys() == live.keys()
    for name, each in live.items():
        close(record_gradients.part(each), found[name], found[name][-1], name)
