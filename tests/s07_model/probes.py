"""Step 7: what is asked of the learner's GPTModel and MaxGPT2Model, and the data.

Three blocks where their order counts, so that "the first only" and "all but the last"
differ; two to load, one elsewhere. Ids are below n_positions: a file that mixes up
tokens and positions gets an answer. Unlike GPT-2's, ``lm_head`` is not tied to wte.
"""

from typing import Any

import numpy as np

from checker.worker.probe import Learner, Unusable, array, attribute, fill, tensor
from tests.s03_layernorm import probes as norms
from tests.s06_block import probes as blocks
from tests.support.data import SIZES, Array, Sizes, Weights, config, noise
from tests.support.layers import Layer
from tests.support.live_model import Arrays, Live, pytorch_only

DEEP: Sizes = {**SIZES, "n_layer": 3, "n_head": 6, "batch": 2, "tokens": 5}
FLAT: Sizes = {**DEEP, "n_layer": 1}
TWO: Sizes = {**DEEP, "n_layer": 2}
FULL: Sizes = {**DEEP, "batch": 1, "n_positions": 300, "tokens": 300}
OTHER = dict(vocab_size=33_000, n_positions=9, n_embd=8, n_layer=1, n_head=2,
             n_inner=20, layer_norm_epsilon=0.5, batch=1, tokens=9)  # fmt: skip
TALL: Sizes = {**OTHER, "vocab_size": 23, "n_layer": 11}
TABLES = ("wte.weight", "wpe.weight", "ln_f.weight", "ln_f.bias")
CONV1D = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
"""What Hugging Face stores the other way round, [in, out]."""


def ids(sizes: Sizes) -> Array:
    """Token ids, int64 [B, T], no two of them equal where there are enough; of many
    tokens the last is one."""
    batch, tokens, vocab_size = sizes["batch"], sizes["tokens"], sizes["vocab_size"]
    mixed = np.argsort(noise("ids", sizes["n_positions"])) % vocab_size
    if vocab_size > 10 * sizes["n_positions"]:
        mixed = vocab_size - 1 - 1000 * mixed
    return mixed[: batch * tokens].reshape(batch, tokens).astype(np.int64)


def transformer_weights(sizes: Sizes) -> Weights:
    """Those of a GPTModel; matrices as ``Linear`` stores them, [out, in]."""
    channels = sizes["n_embd"]
    found = {
        "wte.weight": noise("wte", sizes["vocab_size"], channels),
        "wpe.weight": noise("wpe", sizes["n_positions"], channels),
    }
    for number in range(sizes["n_layer"]):
        found |= blocks.weights(sizes, f"h.{number}.")
    return found | norms.weights(sizes, "ln_f.")


def weights(sizes: Sizes) -> Weights:
    """Those of a MaxGPT2Model, by the names of a checkpoint."""
    own = transformer_weights(sizes)
    head = noise("lm_head", sizes["vocab_size"], sizes["n_embd"])
    return {f"transformer.{path}": own[path] for path in own} | {"lm_head.weight": head}


def is_conv1d(path: str) -> bool:
    return path.endswith(tuple(f"{name}.weight" for name in CONV1D))


# The learner's model, whatever keeps its blocks.


def blocks_of(transformer: Any) -> list[Any]:
    """What is in ``h``: a Sequential, a list, or a module with children."""
    h = attribute(transformer, "h")
    if hasattr(h, "ln_1"):
        return [h]  # a block, not a row of them
    try:
        return list(h)
    except TypeError:
        return [child for _, child in getattr(h, "children", ())]


def owner(made: Any, path: str) -> tuple[Any, str]:
    """The block that a parameter is in, and its path from there."""
    if path.startswith("transformer."):
        return owner(attribute(made, "transformer"), path.partition(".")[2])
    if not path.startswith("h."):
        return made, path
    _, number, rest = path.split(".", 2)
    found = blocks_of(made)
    if int(number) >= len(found):
        raise Unusable(f"h has {len(found)} blocks; block {number} is missing")
    return found[int(number)], rest


def parameter(made: Any, path: str) -> Any:
    return attribute(*owner(made, path))


def filled(made: Any, w: Weights) -> Any:
    for path, value in w.items():
        part, rest = owner(made, path)
        fill(part, {rest: value})
    return made


def new_transformer(model: Learner, sizes: Sizes) -> Any:
    """Three blocks take long to make: what ``parts`` has looked at can be filled."""
    return model.kept.pop("new", None) or model.GPTModel(config(**sizes))


def new_model(model: Learner, sizes: Sizes) -> Any:
    return model.MaxGPT2Model(config(**sizes))


transformer = Layer(
    "GPTModel", new_transformer, transformer_weights, DEEP, FULL, x=ids, fill=filled
)
layer = Layer("MaxGPT2Model", new_model, weights, FLAT, OTHER, x=ids, fill=filled)


def parts(model: Learner) -> dict[str, Any]:
    """The parts of a new GPTModel."""
    from max.nn.module_v3 import Module

    made = transformer.build(model, DEEP)
    inside = blocks_of(made)
    strange = [type(each).__name__ for each in inside if not isinstance(each, Module)]
    names = () if strange else getattr(made, "parameters", ())
    norm = getattr(inside[0], "ln_1", None) if inside else None
    model.kept["new"] = made
    return {
        **{path: shape_of(attribute(made, path)) for path in TABLES},
        "number of blocks": strange[0] if strange else len(inside),
        "different blocks": len({id(each) for each in inside}),
        "h is found by Module": any(name.startswith("h.") for name, _ in names),
        "features of a block": shape_of(getattr(norm, "weight", None)),
        "is a Module": isinstance(made, Module),
    }


def ends(model: Learner) -> dict[str, Any]:
    """The parts of a new MaxGPT2Model. Another layer than MAX's ``Linear`` may keep its
    weight either way round."""
    from max.nn.module_v3 import Linear, Module

    made = layer.build(model, FLAT)
    attribute(made, "transformer.wte")
    head, shape = made.lm_head, shape_of(attribute(made, "lm_head.weight"))
    return {
        "lm_head.weight": shape if type(head) is Linear else sorted(shape)[::-1],
        "lm_head has a bias": hasattr(getattr(head, "bias", None), "shape"),
        "is a Module": isinstance(made, Module),
    }


def shape_of(value: Any) -> Any:
    return [int(n) for n in value.shape] if hasattr(value, "shape") else repr(value)


def loads(model: Learner, kind: str) -> dict[str, Any]:
    """The logits after loading; which parameters hold what else than their own tensor,
    as a Linear needs it; which tensors of the checkpoint have changed.

    Of many layers, the logits only where something else is held: they take long.
    """
    if kind not in model.kept:
        model.kept[kind] = _load(model, kind)
    found: dict[str, Any] = model.kept[kind]
    return found


def _load(model: Learner, kind: str) -> dict[str, Any]:
    from max.driver import CPU

    sizes = TWO if kind == "arrays" else TALL
    w = weights(sizes)
    own = {path: w[path].T.copy() if is_conv1d(path) else w[path] for path in w}
    start = {path: noise(f"start {path}", *w[path].shape) for path in w}
    checkpoint = Arrays(own) if kind == "arrays" else Live(own)
    made = filled(layer.build(model, sizes), start)
    shapes = {path: shape_of(parameter(made, path)) for path in w}
    with pytorch_only():
        load = attribute(made, "load_huggingface_weights")
        before = {p: start[p].T.copy() if is_conv1d(p) else start[p] for p in w}
        load(type(checkpoint)(before), CPU())  # what is loaded last counts
        load(checkpoint, CPU())
    holds = [
        [path, how]
        for path in w
        if (how := _held(parameter(made, path), shapes[path], path, own, start))
    ]
    return {
        "logits": _logits(made, sizes, holds) if holds or kind == "arrays" else None,
        "holds": holds,
        "changed": [
            path for path in w if not _equal(checkpoint.state[path], own[path])
        ],
    }


def _held(now: Any, shape: Any, path: str, own: Weights, start: Weights) -> str:
    """What a parameter holds; nothing where it is its own tensor in its own layout."""
    try:
        value, mine = array(now, "it"), own[path]
    except Unusable as error:
        return str(error)
    right = mine.T if is_conv1d(path) else mine
    known = [("", right if list(right.shape) == shape else right.T)]
    known += [("as stored", mine), ("transposed", mine.T)]
    known += [("reshaped", mine.reshape(mine.shape[::-1]))]
    known += [("not loaded", start[path]), ("not loaded", start[path].T)]
    known += [(f"from {name}", w) for name in own for w in (own[name], own[name].T)]
    return next((how for how, w in known if _equal(value, w)), "strange")


def _equal(one: Array, other: Array) -> bool:
    if one.shape != other.shape:
        return False
    near = abs(float(one.flat[0]) - float(other.flat[0])) < 1e-2  # most are not
    return near and np.allclose(one, other, 1e-6, 1e-6)


def _logits(made: Any, sizes: Sizes, holds: list[Any]) -> Array | None:
    """None where what was loaded does not fit together."""
    try:
        return layer.answer(made, tensor(ids(sizes)))
    except Exception:
        if not holds:
            raise
        return None
