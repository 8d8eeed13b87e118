"""Step 13: the graphs that the learner's ``gradients`` differentiates, and their data.

A loss is the sum of a result divided by ``v``. Its gradient at the result is 1 / v,
loud, and no rule of the learner's is needed for that. Sizes differ pairwise.

A graph is traced by a function of ``m``, which has MAX's operations by their names in
``max.graph.ops``, and of values. There is no derivative in this file.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from checker.worker.probe import Learner, Unusable
from tests.support.data import Array, Weights, noise

Values = dict[str, Any]
"""Values of a graph by their names."""
Trace = Callable[[Any, Values], Values]
"""From ``m`` and a graph's inputs to further values, "loss" among them."""


@dataclass(frozen=True, eq=False)
class Case:
    """A graph to differentiate.

    Attributes:
        arrays: what it runs on, by the names of its inputs.
        trace: makes the loss of them.
        wrt: the names of the values whose gradients are asked for.
        shapes: of the inputs whose sizes have names.
        calls: how often gradients are asked for; the last ones count.
    """

    arrays: Weights
    trace: Trace
    wrt: tuple[str, ...]
    shapes: dict[str, tuple[str | int, ...]] = field(default_factory=dict)
    calls: int = 1


def differentiated(learner: Learner, case: Case) -> Weights:
    """The gradients by name, computed by a graph of their own. The graph lives on: a
    file may still hold values of it."""
    from max.driver import CPU
    from max.engine import InferenceSession
    from max.graph import Graph, ops

    graph = Graph("gradients", input_types=_types(case))
    learner.kept.setdefault("graphs", []).append(graph)
    with graph:
        inputs = (each.tensor for each in graph.inputs)
        values = dict(zip(case.arrays, inputs, strict=True))
        values |= case.trace(ops, values)
        for _ in range(case.calls):
            found = _asked(learner, values, case.wrt)
        graph.output(*found)
    model = InferenceSession(devices=[CPU()]).load(graph)
    results = model.execute(*(np.array(each) for each in case.arrays.values()))
    arrays = (np.array(np.from_dlpack(each)) for each in results)
    return dict(zip(case.wrt, arrays, strict=True))


def _types(case: Case) -> list[Any]:
    from max.dtype import DType
    from max.graph import DeviceRef, TensorType

    return [
        TensorType(
            DType.from_numpy(array.dtype),
            case.shapes.get(name, array.shape),
            DeviceRef.CPU(),
        )
        for name, array in case.arrays.items()
    ]


def _asked(learner: Learner, values: Values, names: tuple[str, ...]) -> list[Any]:
    """What ``gradients`` gives: one value of the graph for each name."""
    from max.graph import TensorValue
    from max.graph.value import HasTensorValue

    with missing_rules():
        found = learner.gradients(values["loss"], [values[name] for name in names])
    if found is None:
        raise Unusable("gradients(...) is None: is a `return` missing?")
    if not isinstance(found, list | tuple):
        raise Unusable(f"gradients(...) is a {type(found).__name__}, not a list")
    if len(found) != len(names):
        wanted = f"want {len(names)}: one for each of wrt"
        raise Unusable(f"gradients(...) has the length {len(found)}, {wanted}")
    for number, value in enumerate(found):
        if not isinstance(value, TensorValue | HasTensorValue):
            kind = "None" if value is None else f"a {type(value).__name__}"
            said = f"gradients(...)[{number}] is {kind}, not a value of the graph"
            raise Unusable(said)
    return [TensorValue(value) for value in found]


OPERATION = re.compile(r"\br?mo\.\w+")


@contextmanager
def missing_rules() -> Iterator[None]:
    """An error that names an operation is about a missing rule, not about a hole."""
    try:
        yield
    except NotImplementedError as error:
        if not OPERATION.search(str(error)):
            raise
        said = f"NotImplementedError: {error}"
        raise Unusable(said).with_traceback(error.__traceback__) from None


def total(m: Any, y: Any) -> Any:
    """The sum of all numbers: [1]."""
    return m.sum(y.reshape([-1]), 0)


def loss(m: Any, y: Any, v: Any) -> Values:
    return {"loss": total(m, y / v)}


def divisor(name: str, *shape: int) -> Array:
    """v, neither near 0 nor large: 1 / v is between 0.2 and 3."""
    g = noise(name, *shape)
    return np.asarray(1 / (np.sign(g) * np.clip(np.abs(g) + 0.2, 0, 3)), np.float32)


# The walk

X, V = noise("x", 2, 5, 3), divisor("v", 2, 5, 3)
A, B = noise("a", 2, 5, 3), noise("b", 2, 5, 3)
FAR = noise("far", 4).astype(np.float64)
IDS = np.arange(6).reshape(3, 2)
LOOSE = noise("loose")


def seed(m: Any, at: Values) -> Values:
    """A loss of shape [1, 1]."""
    return {"loss": m.sum(m.sum(at["x"] / at["v"], 1), 0)}


def chain(m: Any, at: Values) -> Values:
    return loss(m, m.exp(m.tanh(at["x"])), at["v"])


def uses(m: Any, at: Values) -> Values:
    """a in three operations, tanh(b) in one and in one behind it, c twice in one."""
    a, b, c = at["a"], at["b"], at["c"]
    three = m.exp(a) + m.tanh(a) - a
    h = m.tanh(b)
    return loss(m, three + (h + m.exp(h)) + (c + c), at["v"])


def between(m: Any, at: Values) -> Values:
    h = m.tanh(at["x"])
    y = m.exp(h)
    return {"h": h, "y": y, **loss(m, y, at["v"])}


def apart(m: Any, at: Values) -> Values:
    """The loss depends on x alone, and not on what else is computed from it: floor,
    which has no derivative to speak of."""
    return {"beside": m.floor(at["x"]), **chain(m, at)}


# The learner's rules

SPREAD: Weights = {
    "row": noise("row", 3),
    "column": noise("column", 5, 1),
    "number": noise("number"),
    "high": noise("high", 4, 1),
    "wide": noise("wide", 1, 7),
}
FACTORS: Weights = {
    "a": noise("a", 4, 3), "b": noise("b", 3, 5),
    "batch a": noise("batch a", 2, 3, 4), "batch b": noise("batch b", 2, 4, 5),
    "tokens": noise("tokens", 2, 5, 3), "layer": noise("layer", 3, 4),
    "shared": noise("shared", 3, 4), "many": noise("many", 2, 4, 5),
}  # fmt: skip
SQUARES: Weights = {
    "a": noise("square a", 4, 4), "b": noise("square b", 4, 4),
    "batch a": noise("squares a", 3, 4, 4), "batch b": noise("squares b", 3, 4, 4),
}  # fmt: skip
PAIRS = {"a": "b", "batch a": "batch b", "tokens": "layer", "shared": "many"}
WIDTH, EPS = 7, 0.1
SCORES, W = noise("scores", 2, 5, WIDTH), divisor("w", 2, 5, WIDTH)
UNEVEN = noise("uneven", 2, 5, WIDTH) * np.geomspace(0.2, 2, 5, dtype="f")[:, None] + 1
GAMMA, BETA = 1 + noise("gamma", WIDTH) / 2, noise("beta", WIDTH)


def multiply(m: Any, at: Values) -> Values:
    return loss(m, at["a"] * at["b"], at["v"])


def spread(m: Any, at: Values) -> Values:
    """Factors that are broadcast: one, then both."""
    product = at["x"] * at["row"] * at["column"] * at["number"]
    outer = at["high"] * at["wide"]
    return {"loss": total(m, product / at["v"]) + total(m, outer / at["u"])}


def matmul(m: Any, at: Values) -> Values:
    losses = [
        total(m, at[a] @ at[b] / at[f"{a} @ {b}"]) for a, b in PAIRS.items() if a in at
    ]
    return {"loss": sum(losses[1:], losses[0])}


def with_divisors(factors: Weights) -> Weights:
    """And those of the products of matrices."""
    found = dict(factors)
    for a, b in PAIRS.items():
        if a in factors:
            found[f"{a} @ {b}"] = divisor(a, *(factors[a] @ factors[b]).shape)
    return found


def softmax(m: Any, at: Values) -> Values:
    return loss(m, m.softmax(at["x"]), at["v"])


def layer_norm(m: Any, at: Values) -> Values:
    return loss(m, m.layer_norm(at["x"], at["gamma"], at["beta"], EPS), at["v"])


# The rules that are given: an operation each, on an input of its name, [2, 5, 3].

READ = np.array([[1, 4, 1], [0, 1, 2]])
CHOSEN = np.array([[2, 0, 1, 2, 2], [0, 1, 1, 0, 2]])[..., None]
Part = tuple[tuple[int, ...], Callable[[Any, Any], Any]]
"""The shape of a result, and the result."""


def same(result: Callable[[Any, Any], Any]) -> Part:
    return (2, 5, 3), result


GROUPS: dict[str, dict[str, Part]] = {
    "numbers": {
        "a + 1": same(lambda m, x: x + 1),
        "1 - a": same(lambda m, x: 1 - x),
        "-a": same(lambda m, x: -x),
        "a / 3": same(lambda m, x: x / 3),
        "2 / a": same(lambda m, x: 2 / x),
        "exp": same(lambda m, x: m.exp(x)),
        "log": same(lambda m, x: m.log(x)),
        "sqrt": same(lambda m, x: m.sqrt(x)),
        "rsqrt": same(lambda m, x: m.rsqrt(x)),
        "tanh": same(lambda m, x: m.tanh(x)),
        "a ** 3": same(lambda m, x: x**3),
        "a ** -0.5": same(lambda m, x: x**-0.5),
        "2 ** a": same(lambda m, x: m.pow(2.0, x)),
        "where": same(lambda m, x: m.where(x > 1, x, -x)),
    },
    "axes": {
        "sum": ((1, 5, 3), lambda m, x: m.sum(x, 0)),
        "mean": ((2, 1, 3), lambda m, x: m.mean(x, 1)),
        "max": ((2, 5, 1), lambda m, x: m.max(x, axis=-1)),
        "logsoftmax": same(lambda m, x: m.logsoftmax(x)),
        "broadcast_to": (
            (2, 4, 5, 3),
            lambda m, x: m.broadcast_to(m.unsqueeze(x, 1), [2, 4, 5, 3]),
        ),
        "a - a[0, 0]": same(lambda m, x: x - x[0, 0]),
    },
    "moves": {
        "reshape": ((5, 2, 3), lambda m, x: m.reshape(x, [5, 2, 3])),
        "transpose": ((5, 2, 3), lambda m, x: m.transpose(x, 0, 1)),
        "permute": ((5, 3, 2), lambda m, x: m.permute(x, [1, 2, 0])),
        "split": ((2, 2, 3), lambda m, x: m.split(x, [1, 2, 2], 1)[1]),
        "concat": ((2, 2, 3), lambda m, x: m.concat([x[:, :1], x[:, 2:3]], 1)),
        "a[:, -3:-1]": ((2, 2, 3), lambda m, x: x[:, -3:-1]),
        "a[:, 1::2]": ((2, 2, 3), lambda m, x: x[:, 1::2]),
        "a[:, :-1]": ((2, 4, 3), lambda m, x: x[:, :-1]),
        "a[0]": ((5, 3), lambda m, x: x[0]),
        "a[:, -1]": ((2, 3), lambda m, x: x[:, -1]),
    },
}


def group(name: str) -> Case:
    """A graph of all operations of a group."""
    parts = GROUPS[name]
    inputs = {part: np.exp(noise(part, 2, 5, 3) / 2) for part in parts}
    below = {str(size): divisor("below", *size) for size, _ in parts.values()}

    def trace(m: Any, at: Values) -> Values:
        results = [(str(size), y(m, at[part])) for part, (size, y) in parts.items()]
        return summed(m, results, at)

    return Case({**inputs, **below}, trace, tuple(parts))


def summed(m: Any, results: list[tuple[str, Any]], at: Values) -> Values:
    """The loss of several results, each with the name of its divisor."""
    sums: Values = {}
    for below, y in results:
        sums[below] = sums[below] + y if below in sums else y
    losses = [total(m, y / at[below]) for below, y in sums.items()]
    return {"loss": sum(losses[1:], losses[0])}


def lookups(m: Any, at: Values) -> Values:
    """Some rows are read twice, some never."""
    results = [
        ("below rows", m.gather(at["rows"], at["read"], 0)),
        ("below columns", m.gather(at["columns"], at["read"], 1)),
        ("below one of each", m.gather_nd(at["one of each"], at["chosen"], 2)),
    ]
    return summed(m, results, at)


LOOKED_UP: Weights = {
    "rows": noise("rows", 5, 4),
    "columns": noise("columns", 4, 5),
    "one of each": noise("one of each", 2, 5, 3),
    "read": READ,
    "chosen": CHOSEN,
    "below rows": divisor("rows", 2, 3, 4),
    "below columns": divisor("columns", 4, 2, 3),
    "below one of each": divisor("one of each", 2, 5),
}

# GPT-2 with one block, matrices [in, out], and the head tied to wte.

BATCH, TOKENS, CHANNELS, HEADS, VOCABULARY = 4, 5, 6, 3, 11
SIZES: dict[str, tuple[int, ...]] = {
    "wte.weight": (VOCABULARY, CHANNELS),
    "wpe.weight": (7, CHANNELS),
    "ln_1.weight": (CHANNELS,),
    "ln_1.bias": (CHANNELS,),
    "c_attn.weight": (CHANNELS, 3 * CHANNELS),
    "c_attn.bias": (3 * CHANNELS,),
    "attn.c_proj.weight": (CHANNELS, CHANNELS),
    "ln_2.weight": (CHANNELS,),
    "ln_2.bias": (CHANNELS,),
    "c_fc.weight": (CHANNELS, 9),
    "c_fc.bias": (9,),
    "mlp.c_proj.weight": (9, CHANNELS),
}
GPT2: Weights = {name: noise(f"s13 {name}", *size) for name, size in SIZES.items()}
TEXT = np.argsort(noise("text", BATCH, TOKENS + 1, VOCABULARY))[..., 0]
FED: Weights = {
    "ids": TEXT[:, :-1].copy(),
    "targets": TEXT[:, 1:, None].copy(),
    "positions": np.arange(TOKENS),
    "mask": np.triu(np.full((TOKENS, TOKENS), -np.inf, np.float32), 1),
}
NAMED: dict[str, tuple[str | int, ...]] = {
    "ids": ("batch", "seqlen"),
    "targets": ("batch", "seqlen", 1),
    "positions": ("seqlen",),
    "mask": ("seqlen", "seqlen"),
}


def gpt2(m: Any, at: Values) -> Values:
    """The mean of -log p(target), the cross-entropy; ``head`` is wte, unless given."""
    wte = at["wte.weight"]
    x = m.gather(wte, at["ids"], 0) + m.gather(at["wpe.weight"], at["positions"], 0)
    x = x + attention(m, norm(m, x, "ln_1", at), at)
    inner = norm(m, x, "ln_2", at) @ at["c_fc.weight"] + at["c_fc.bias"]
    x = x + m.gelu(inner, "tanh") @ at["mlp.c_proj.weight"]
    log_p = m.logsoftmax(x @ m.transpose(at.get("head", wte), 0, 1))
    picked = m.gather_nd(log_p, at["targets"], 2)  # [B, T]
    return {"loss": -m.mean(m.reshape(picked, [-1]), 0)}


def norm(m: Any, x: Any, name: str, at: Values) -> Any:
    return m.layer_norm(x, at[f"{name}.weight"], at[f"{name}.bias"], EPS)


def attention(m: Any, x: Any, at: Values) -> Any:
    qkv = x @ at["c_attn.weight"] + at["c_attn.bias"]
    size = CHANNELS // HEADS
    shape = [*x.shape[:-1], HEADS, size]
    parts = m.split(qkv, [CHANNELS] * 3, -1)
    q, k, v = (m.transpose(m.reshape(part, shape), 1, 2) for part in parts)
    scores = q @ m.transpose(k, 2, 3) / size**0.5 + at["mask"]
    heard = m.transpose(m.softmax(scores) @ v, 1, 2)
    return m.reshape(heard, list(x.shape)) @ at["attn.c_proj.weight"]


def small(m: Any, at: Values) -> Values:
    """What MAX compiles: each rule of the learner's, and a value that is used twice."""
    y = m.layer_norm(at["x"], at["gamma"], at["beta"], EPS) @ at["w"]
    return loss(m, m.softmax(y) * y, at["v"])


CASES: dict[str, Case] = {
    "again": Case({"x": X, "v": V}, chain, ("x",), calls=2),
    "seed": Case({"x": X[0], "v": V[0]}, seed, ("loss",)),
    "chain": Case({"x": X, "v": V}, chain, ("x",)),
    "uses": Case({"a": A, "b": B, "c": X, "v": V}, uses, ("a", "b", "c")),
    "between": Case({"x": X, "v": V}, between, ("x", "h", "y", "loss")),
    "apart": Case(
        {"x": X, "v": V, "far": FAR, "ids": IDS, "loose": LOOSE},
        apart,
        ("far", "x", "ids", "beside", "loose"),
    ),
    "multiply": Case({"a": A, "b": B, "v": V}, multiply, ("a", "b")),
    "multiply squares": Case(
        {"a": SQUARES["a"], "b": SQUARES["b"], "v": divisor("s", 4, 4)},
        multiply,
        ("a", "b"),
    ),
    "spread": Case(
        {**SPREAD, "x": X, "v": V, "u": divisor("u", 4, 7)}, spread, ("x", *SPREAD)
    ),
    "matmul": Case(with_divisors(FACTORS), matmul, tuple(FACTORS)),
    "matmul squares": Case(with_divisors(SQUARES), matmul, tuple(SQUARES)),
    "softmax": Case({"x": SCORES, "v": np.abs(W)}, softmax, ("x",)),  # no sum near 0
    "layer norm": Case(
        {"x": UNEVEN, "gamma": GAMMA, "beta": BETA, "v": W},
        layer_norm,
        ("x", "gamma", "beta"),
    ),
    **{name: group(name) for name in GROUPS},
    "lookups": Case(LOOKED_UP, lookups, ("rows", "columns", "one of each")),
    "gpt2": Case({**GPT2, **FED}, gpt2, tuple(GPT2), NAMED),
    "small": Case(
        {"x": UNEVEN, "gamma": GAMMA, "beta": BETA, "w": noise("w", WIDTH, 4),
         "v": divisor("s", 2, 5, 4)},
        small,
        ("x", "gamma", "beta", "w"),
    ),
}  # fmt: skip

# The probes


def gradients(learner: Learner, name: str) -> Weights:
    return differentiated(learner, CASES[name])


def errors_beside_x(learner: Learner, name: str) -> dict[str, str]:
    """What is raised for x with each of the others in wrt, and for x alone."""
    case = CASES[name]
    asked = {each: ("x", each) for each in case.wrt if each != "x"}
    return {
        each: raised(learner, replace(case, wrt=wrt))[0]
        for each, wrt in {"x": ("x",), **asked}.items()
    }


def lacks_a_rule(learner: Learner, name: str) -> bool:
    """Whether an exception names an operation that is not in ``RULES``."""
    kind, message = raised(learner, CASES[name])
    named = OPERATION.findall(message)
    return kind == "NotImplementedError" and any(n not in learner.RULES for n in named)


def of_several_elements(learner: Learner) -> str:
    """What is raised for a loss [2, 5, 3]."""

    def trace(m: Any, at: Values) -> Values:
        return {"loss": m.exp(at["x"])}

    return raised(learner, Case({"x": X}, trace, ("x",)))[0]


STRANGE = {
    "rmo.mo.atanh": "atanh", "rmo.mo.cumsum": "cumsum", "rmo.mo.sin": "sin",
    "rmo.mo.cos": "cos", "rmo.mo.trunc": "trunc", "rmo.mo.floor": "floor",
}  # fmt: skip
"""Operations that GPT-2 does not have, and their names in ``max.graph.ops``."""


def without_a_rule(learner: Learner) -> dict[str, Any]:
    """What is raised on the way through an operation that has no rule."""
    rules = learner.RULES
    name = next((name for name in STRANGE if name not in rules), "rmo.mo.atanh")

    def trace(m: Any, at: Values) -> Values:
        return loss(m, getattr(m, STRANGE[name])(m.tanh(at["x"])), at["v"])

    kept = {name: rules.pop(name)} if name in rules else {}
    try:
        kind, message = raised(learner, Case({"x": X, "v": V}, trace, ("x",)))
    finally:
        rules.update(kept)
    return {"raised": kind, "named": STRANGE[name] in message}


def enters(learner: Learner) -> dict[str, bool]:
    """Whether ``rule`` puts a rule into ``RULES``, under each of its names."""
    names, rules = ("course.one", "course.two"), learner.RULES
    learner.rule(*names)(lambda *_: ())
    return {name: rules.pop(name, None) is not None for name in names}


NOTHING = "no exception"


def raised(learner: Learner, case: Case) -> tuple[str, str]:
    """The type and the text of the exception, if there is one. No hole is open here:
    the checks that ask for it need others."""
    try:
        differentiated(learner, case)
    except Unusable as error:
        kind, _, message = str(error).partition(": ")
        return kind, message
    except Exception as error:
        known = (ValueError, KeyError, NotImplementedError, type(error))
        first = next(each for each in known if isinstance(error, each))
        return first.__name__, str(error)
    return NOTHING, ""
