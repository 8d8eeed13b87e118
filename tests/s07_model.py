"""Step 7, ``model.py``: the complete GPT-2, and loading Hugging Face's weights.

Oracle: ln_f(h(wte[ids] + wpe[0 .. T-1])), and lm_head of that. Radford et al. 2019,
section 2.3; ``GPT2Model`` and ``GPT2LMHeadModel`` in Hugging Face's modeling_gpt2.py.
Three blocks, so that "the first only" and "all but the last" are different. Ids stay
below n_positions, so that a file that mixes up tokens and positions gets an answer.

Loading is judged by the logits afterwards. ``Stored`` arrays stand in for a
checkpoint's tensors, with NumPy's interface and PyTorch's. Only when the logits are
wrong, each parameter is compared with the checkpoint, to say what has gone wrong.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import combinations, product
from typing import Any

import numpy as np

from checker.compare import same
from checker.probe import Learner, Unusable, array, attribute, fill, tensor, traced
from checker.table import Check, Mistake, Step
from tests import s03_layernorm as norms
from tests import s06_block as blocks
from tests.common import SIZES, config, name_missing, new_layers, noise, softmax
from tests.live_model import Checkpoint
from tests.s03_layernorm import SLIPS, TRACING
from tests.s05_attention import rows_apart
from tests.s06_block import NOT_A_TENSOR, PART_ARGUMENTS

LAYERS = 3
SMALL = {**SIZES, "n_layer": LAYERS, "n_head": 4}
OTHER = {
    "vocab_size": 23,
    "n_positions": 9,
    "n_embd": 8,
    "n_layer": 1,
    "n_head": 2,
    "n_inner": 20,
    "layer_norm_epsilon": 0.5,
}
B, T, C = 2, 5, SMALL["n_embd"]
V, POSITIONS, EPS = (
    SMALL["vocab_size"],
    SMALL["n_positions"],
    SMALL["layer_norm_epsilon"],
)

Array = np.ndarray
Weights = dict[str, Array]

IDS = np.array([[3, 14, 1, 5, 9], [2, 6, 0, 16, 8]], np.int64)
FULL_IDS = np.arange(2 * POSITIONS).reshape(2, POSITIONS) * 5 % POSITIONS
OTHER_IDS = np.array([[7, 2, 1, 8]], np.int64)


def weights(sizes: dict[str, Any]) -> Weights:
    """By the names of a checkpoint; matrices as ``Linear`` stores them, [out, in]."""
    channels = sizes["n_embd"]
    wte = noise("wte", sizes["vocab_size"], channels)
    found = {
        "transformer.wte.weight": wte,
        "transformer.wpe.weight": noise("wpe", sizes["n_positions"], channels),
    }
    for i in range(sizes["n_layer"]):
        found |= blocks.weights(channels, sizes["n_inner"], f"transformer.h.{i}.")
    found |= norms.weights(channels, "transformer.ln_f.")
    return found | {"lm_head.weight": wte}  # tied, as in every GPT-2


CONV1D = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
"""What Hugging Face stores the other way round, [in, out]."""


def kind_of(path: str) -> str | None:
    return next((kind for kind in CONV1D if path.endswith(f"{kind}.weight")), None)


def state(w: Weights) -> Weights:
    """The same in a checkpoint's layouts."""
    return {path: (v.T if kind_of(path) else v).copy() for path, v in w.items()}


class Oracle:
    """A model as functions: wte, wpe, the blocks, ln_f and lm_head."""

    def __init__(self, sizes: dict[str, Any]) -> None:
        self.w, self.sizes = weights(sizes), sizes
        eps = sizes["layer_norm_epsilon"]
        self.blocks = [
            blocks.Parts(self.w, sizes["n_head"], f"transformer.h.{i}.", (eps, eps))
            for i in range(sizes["n_layer"])
        ]

    @property
    def wte(self) -> Array:
        return self.w["transformer.wte.weight"]

    @property
    def wpe(self) -> Array:
        return self.w["transformer.wpe.weight"]

    def ln_f(self, x: Array, eps: float | None = None) -> Array:
        eps = self.sizes["layer_norm_epsilon"] if eps is None else eps
        weight, bias = (self.w[f"transformer.ln_f.{n}"] for n in ("weight", "bias"))
        return norms.layer_norm(x, weight, bias, eps)

    def lm_head(self, x: Array) -> Array:
        return x @ self.w["lm_head.weight"].T


Embed = Callable[[Oracle, Array], Array]
Run = Callable[[Oracle, Array], Array]
Finish = Callable[[Oracle, Array, Run], Array]


def positions(ids: Array) -> Array:
    return np.broadcast_to(np.arange(ids.shape[1]), ids.shape)


def embedded(m: Oracle, ids: Array) -> Array:
    return m.wte[ids] + m.wpe[positions(ids)]


def through(*order: int) -> Run:
    """The blocks with these numbers, one after the other."""

    def run(m: Oracle, x: Array) -> Array:
        for i in order:
            x = blocks.block(x, m.blocks[i])
        return x

    return run


def in_order(m: Oracle, x: Array) -> Array:
    return through(*range(len(m.blocks)))(m, x)


def normalized(m: Oracle, x: Array, run: Run) -> Array:
    return m.ln_f(run(m, x))


def hidden(
    m: Oracle,
    ids: Array = IDS,
    embed: Embed = embedded,
    run: Run = in_order,
    finish: Finish = normalized,
) -> Array:
    """Hidden states [B, T, C]; other steps than these make the mistakes."""
    return finish(m, embed(m, ids), run).astype(np.float32)


def logits(m: Oracle, ids: Array = IDS, **flaws: Any) -> Array:
    return m.lm_head(hidden(m, ids, **flaws))


M = Oracle(SMALL)


def _at(place: Callable[[Array], Array]) -> Embed:
    """Other positions than 0 .. T-1."""
    return lambda m, ids: m.wte[ids] + m.wpe[place(ids)]


def _rows(ids: Array) -> Array:
    return np.broadcast_to(np.arange(len(ids))[:, None], ids.shape)


EMBEDDING: dict[str, tuple[str, Embed]] = {
    "positions-ignored": (
        "the position embeddings are not added",
        lambda m, ids: m.wte[ids],
    ),
    "positions-zero": (
        "every token gets the embedding of position 0",
        _at(np.zeros_like),
    ),
    "positions-one-more": (
        "the positions are one too high: they start at 1, not at 0",
        _at(lambda ids: positions(ids) + 1),
    ),
    "positions-one-less": (
        "the positions are one too low: they start at -1, not at 0",
        _at(lambda ids: positions(ids) - 1),
    ),
    "positions-reversed": (
        "the positions run backwards",
        _at(lambda ids: positions(ids)[:, ::-1]),
    ),
    "positions-last": (
        "every token gets the embedding of the last position, T - 1",
        _at(lambda ids: 0 * ids + ids.shape[1] - 1),
    ),
    "positions-length": (
        "every token gets the embedding of position T, the number of tokens",
        _at(lambda ids: 0 * ids + ids.shape[1]),
    ),
    "positions-over-batch": (
        "the positions count the rows of the batch, not the tokens",
        _at(_rows),
    ),
    "positions-counted-on": (
        "the positions count on from one row of the batch to the next",
        _at(lambda ids: np.arange(ids.size).reshape(ids.shape)),
    ),
    "positions-from-the-end": (
        "the last positions of the table are used: a text starts at position 0",
        _at(lambda ids: positions(ids) + POSITIONS - ids.shape[1]),
    ),
    "positions-of-the-ids": (
        "wpe looks up the token ids; it wants the positions",
        lambda m, ids: m.wte[ids] + m.wpe[ids],
    ),
    "tables-swapped": (
        "wte and wpe are swapped: wte looks up the positions, wpe the ids",
        lambda m, ids: m.wpe[ids] + m.wte[positions(ids)],
    ),
    "wte-for-both": (
        "wte looks up the positions as well; they have their own table, wpe",
        lambda m, ids: m.wte[ids] + m.wte[positions(ids)],
    ),
    "wpe-for-both": (
        "wpe looks up the ids as well; they have their own table, wte",
        lambda m, ids: m.wpe[ids] + m.wpe[positions(ids)],
    ),
    "tokens-ignored": (
        "the token embeddings are not added",
        lambda m, ids: m.wpe[positions(ids)],
    ),
    "embeddings-multiplied": (
        "the two embeddings are multiplied; they are added",
        lambda m, ids: m.wte[ids] * m.wpe[positions(ids)],
    ),
    "embeddings-subtracted": (
        "the position embeddings are subtracted",
        lambda m, ids: m.wte[ids] - m.wpe[positions(ids)],
    ),
    "embeddings-averaged": (
        "the mean of the two embeddings is taken; it is their sum",
        lambda m, ids: embedded(m, ids) / 2,
    ),
    "positions-twice": (
        "the position embeddings are added twice",
        lambda m, ids: m.wte[ids] + 2 * m.wpe[positions(ids)],
    ),
    "tokens-scaled": (
        "the token embeddings are multiplied by sqrt(n_embd), as in the original "
        "Transformer; GPT-2 does not",
        lambda m, ids: m.wte[ids] * C**0.5 + m.wpe[positions(ids)],
    ),
    "embeddings-scaled": (
        "the embeddings are multiplied by sqrt(n_embd); GPT-2 does not",
        lambda m, ids: embedded(m, ids) * C**0.5,
    ),
    "embeddings-divided": (
        "the embeddings are divided by sqrt(n_embd); GPT-2 does not",
        lambda m, ids: embedded(m, ids) / C**0.5,
    ),
}


def _residual(m: Oracle, x: Array) -> Array:
    for parts in m.blocks:
        x = x + blocks.block(x, parts)
    return x


def _side_by_side(m: Oracle, x: Array) -> Array:
    return np.sum([blocks.block(x, parts) for parts in m.blocks], 0)


def _side_by_side_on_top(m: Oracle, x: Array) -> Array:
    return x + _side_by_side(m, x)


def _embeddings_again(m: Oracle, x: Array) -> Array:
    found = x
    for parts in m.blocks:
        found = blocks.block(found, parts) + x
    return found


def _norm_after_each(m: Oracle, x: Array) -> Array:
    for parts in m.blocks:
        x = m.ln_f(blocks.block(x, parts))
    return x


def _norm_before_each(m: Oracle, x: Array) -> Array:
    for parts in m.blocks:
        x = blocks.block(m.ln_f(x), parts)
    return x


RUNNING: dict[str, tuple[str, Run]] = {
    "no-blocks": (
        "no block is applied, or what the blocks compute is dropped",
        through(),
    ),
    "first-block-only": (
        "only the first block is applied; there are n_layer of them",
        through(0),
    ),
    "last-block-only": (
        "only what the last block makes of the embeddings is kept: each block takes "
        "what the one before gives",
        through(2),
    ),
    "last-block-missing": ("the last block is not applied", through(0, 1)),
    "first-block-missing": ("the first block is not applied", through(1, 2)),
    "first-block-for-all": (
        "the first block is applied n_layer times",
        through(0, 0, 0),
    ),
    "last-block-for-all": (
        "one and the same block is applied n_layer times",
        through(2, 2, 2),
    ),
    "blocks-reversed": ("the blocks are applied last to first", through(2, 1, 0)),
    "first-block-twice": ("the first block is applied twice", through(0, 0, 1, 2)),
    "last-block-twice": ("the last block is applied twice", through(0, 1, 2, 2)),
    "first-block-again": (
        "the first block is applied again after the last",
        through(0, 1, 2, 0),
    ),
    "each-block-twice": ("each block is applied twice", through(0, 0, 1, 1, 2, 2)),
    "all-blocks-twice": ("all blocks are applied twice", through(0, 1, 2, 0, 1, 2)),
    "residual-around-blocks": (
        "the input of each block is added to its output; a block does so itself",
        _residual,
    ),
    "residual-around-all": (
        "the embeddings are added once more after the last block",
        lambda m, x: x + in_order(m, x),
    ),
    "embeddings-at-each-block": (
        "the embeddings are added again after each block",
        _embeddings_again,
    ),
    "blocks-side-by-side": (
        "each block works on the embeddings, and the results are summed",
        _side_by_side,
    ),
    "blocks-side-by-side-on-top": (
        "each block works on the embeddings, and the results are added to them",
        _side_by_side_on_top,
    ),
}

FINISHING: dict[str, tuple[str, Finish]] = {
    "final-norm-missing": (
        "there is no final norm, or its result is dropped",
        lambda m, x, run: run(m, x),
    ),
    "final-norm-first": (
        "ln_f comes before the blocks; it belongs after the last",
        lambda m, x, run: run(m, m.ln_f(x)),
    ),
    "final-norm-first-and-last": (
        "ln_f comes before the blocks as well as after the last",
        lambda m, x, run: m.ln_f(run(m, m.ln_f(x))),
    ),
    "final-norm-twice": (
        "ln_f is applied twice",
        lambda m, x, run: m.ln_f(m.ln_f(run(m, x))),
    ),
    "final-norm-epsilon": (
        "ln_f does not get layer_norm_epsilon of the configuration",
        lambda m, x, run: m.ln_f(run(m, x), norms.DEFAULT),
    ),
    "final-norm-added": (
        "ln_f is added to what the blocks give, in place of following them",
        lambda m, x, run: run(m, x) + m.ln_f(run(m, x)),
    ),
    "final-norm-after-each": (
        "ln_f comes after each block; it belongs after the last alone",
        lambda m, x, run: _norm_after_each(m, x),
    ),
    "final-norm-after-each-and-last": (
        "ln_f comes after each block, and once more after the last",
        lambda m, x, run: m.ln_f(_norm_after_each(m, x)),
    ),
    "final-norm-before-each": (
        "ln_f comes before each block; it belongs after the last",
        lambda m, x, run: _norm_before_each(m, x),
    ),
    "final-norm-of-embeddings": (
        "ln_f is applied to the embeddings, and the blocks are left out",
        lambda m, x, run: m.ln_f(m.ln_f(x)),
    ),
}


def _pick(*which: Any) -> Callable[[], Array]:
    return lambda: logits(M)[which]


HEAD: dict[str, tuple[str, Callable[[], Array]]] = {
    "head-missing": (
        "lm_head is not applied: these are the hidden states",
        lambda: hidden(M),
    ),
    "head-transposed": (
        "the last two axes are swapped: logits are [B, T, V]",
        lambda: logits(M).swapaxes(1, 2),
    ),
    "last-position-only": (
        "only the logits of the last position come out; the model gives those of all",
        _pick(slice(None), -1),
    ),
    "last-position-kept": (
        "only the logits of the last position come out; the model gives those of all",
        _pick(slice(None), slice(-1, None)),
    ),
    "last-position-missing": (
        "the last position is missing: the model gives the logits of all",
        _pick(slice(None), slice(None, -1)),
    ),
    "first-position-missing": (
        "the first position is missing: the model gives the logits of all",
        _pick(slice(None), slice(1, None)),
    ),
    "first-position-only": (
        "only the logits of the first position come out",
        _pick(slice(None), 0),
    ),
    "first-row-only": ("only the first row of the batch comes out", _pick(0)),
    "averaged": (
        "the logits are averaged over the tokens",
        lambda: logits(M).mean(1),
    ),
    "hidden-states-averaged": (
        "the logits are averaged over the tokens, and kept as one position",
        lambda: logits(M).mean(1, keepdims=True),
    ),
    "softmax": (
        "a softmax is applied to the logits; the generator does that, after dividing "
        "by the temperature",
        lambda: softmax(logits(M)),
    ),
    "softmax-over-tokens": (
        "a softmax over the tokens is applied to the logits",
        lambda: softmax(logits(M), 1),
    ),
    "log-softmax": (
        "the logarithm of the softmax comes out, not the logits",
        lambda: np.log(softmax(logits(M))),
    ),
    "sigmoid": (
        "a sigmoid is applied to the logits",
        lambda: 1 / (1 + np.exp(-logits(M))),
    ),
    "logits-scaled": (
        "the logits are divided by sqrt(n_embd)",
        lambda: logits(M) / np.float32(C**0.5),
    ),
    "head-on-the-embeddings": (
        "the transformer is left out: lm_head is applied to the embeddings",
        lambda: M.lm_head(embedded(M, IDS)),
    ),
    "head-on-the-tokens": (
        "the transformer is left out: lm_head is applied to the token embeddings",
        lambda: M.lm_head(M.wte[IDS]),
    ),
    "normalized-again": (
        "ln_f is applied once more before lm_head; the transformer has done so",
        lambda: M.lm_head(M.ln_f(hidden(M))),
    ),
    "flattened": (
        "batch and tokens are merged into one axis; logits are [B, T, V]",
        lambda: logits(M).reshape(B * T, V),
    ),
}


def _mistake(name: str, message: str, gives: Callable[[], object]) -> Mistake:
    return Mistake(name, f"This is what comes out when {message}.", gives=gives)


def steps() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The single flaws of ``hidden``, by name."""
    for argument, table in (
        ("embed", EMBEDDING),
        ("run", RUNNING),
        ("finish", FINISHING),
    ):
        for name, (message, flaw) in table.items():
            yield name, message, {argument: flaw}


def two_mistakes(got: Any) -> bool:
    """Two or three of the flaws at once."""
    if not isinstance(got, np.ndarray) or got.shape != (B, T, C):
        return False
    embeddings = [embedded, *(flaw for _, flaw in EMBEDDING.values())]
    runs = [in_order, *(flaw for _, flaw in RUNNING.values())]
    ends = [normalized, *(flaw for _, flaw in FINISHING.values())][:6]
    for embed, run in product(embeddings, runs):
        x = embed(M, IDS)
        after = run(M, x)
        for finish in ends:
            found = finish(
                M,
                x,
                lambda m, given, x=x, after=after, run=run: (
                    after if given is x else run(m, given)
                ),
            )
            if same(got, found.astype(np.float32), 5e-5):
                return True
    return False


# Building the learner's model.


def blocks_of(transformer: Any) -> list[Any]:
    """What is in ``h``: a Sequential, a list, or a module with children."""
    h = attribute(transformer, "h")
    if hasattr(h, "ln_1"):
        return [h]  # a block, not a row of them
    try:
        return list(h)
    except TypeError:
        return [child for _, child in getattr(h, "children", ())]


def filled(transformer: Any, w: Weights) -> Any:
    """A GPTModel with these in the place of its parameters."""
    own = {
        p.removeprefix("transformer."): v for p, v in w.items() if p != "lm_head.weight"
    }
    fill(transformer, {p: v for p, v in own.items() if not p.startswith("h.")})
    found = blocks_of(transformer)
    layers = 1 + max(int(p.split(".")[1]) for p in own if p.startswith("h."))
    if len(found) != layers:
        raise Unusable(f"h has {len(found)} blocks, want {layers}")
    for i, block in enumerate(found):
        prefix = f"h.{i}."
        fill(
            block, {p[len(prefix) :]: v for p, v in own.items() if p.startswith(prefix)}
        )
    return transformer


def transformer(model: Learner) -> Any:
    return filled(model.GPTModel(config(**SMALL)), M.w)


def whole(model: Learner, sizes: dict[str, Any] = SMALL, oracle: Oracle = M) -> Any:
    made = model.MaxGPT2Model(config(**sizes))
    filled(attribute(made, "transformer"), oracle.w)
    return fill(made, {"lm_head.weight": oracle.w["lm_head.weight"]})


def load_into(made: Any, checkpoint: Checkpoint) -> Any:
    from max.driver import CPU

    attribute(made, "load_huggingface_weights")(checkpoint, CPU())
    return made


# Probes.


def parts(model: Learner) -> dict[str, Any]:
    """The parts of a new GPTModel."""
    from max.nn.module_v3 import Module

    made = model.GPTModel(config(**SMALL))
    found = {path: _shape(attribute(made, path)) for path in PARTS}
    inside = blocks_of(made)
    first = [each for each in inside[:1] if isinstance(each, Module)]
    strange = [type(each).__name__ for each in inside if not isinstance(each, Module)]
    return {
        **found,
        "ln_1 of a block": [_shape(attribute(each, "ln_1.weight")) for each in first],
        "number of blocks": strange[0] if strange else len(inside),
        "different blocks": len({id(each) for each in inside}),
        "h is found by Module": any(n.startswith("h.") for n, _ in _parameters(made)),
        "is a Module": isinstance(made, Module),
    }


def _shape(value: Any) -> Any:
    if not hasattr(value, "shape"):
        return repr(value)
    return [int(n) for n in value.shape]


def _parameters(made: Any) -> list[tuple[str, Any]]:
    return list(getattr(made, "parameters", ()))


PARTS = {
    "wte.weight": [V, C],
    "wpe.weight": [POSITIONS, C],
    "ln_f.weight": [C],
    "ln_f.bias": [C],
}
LAYOUT = {
    **PARTS,
    "ln_1 of a block": [[C]],
    "number of blocks": LAYERS,
    "different blocks": LAYERS,
    "h is found by Module": True,
    "is a Module": True,
}


def hidden_states(model: Learner) -> Array:
    return array(transformer(model)(tensor(IDS)), "GPTModel(...)(input_ids)")


def calls_twice(model: Learner) -> list[Array]:
    made = transformer(model)
    return [array(made(tensor(IDS))) for _ in range(2)]


def at_full_length(model: Learner) -> Array:
    return array(transformer(model)(tensor(FULL_IDS)))


def head(model: Learner) -> dict[str, Any]:
    """The parts of a new MaxGPT2Model."""
    from max.nn.module_v3 import Module

    made = model.MaxGPT2Model(config(**SMALL))
    attribute(made, "transformer.wte")
    bias = getattr(attribute(made, "lm_head"), "bias", None)
    return {
        "lm_head.weight": sorted(
            _shape(attribute(made, "lm_head.weight")), reverse=True
        ),
        "lm_head has a bias": hasattr(bias, "shape"),
        "is a Module": isinstance(made, Module),
    }


def head_shape(model: Learner) -> Any:
    made = model.MaxGPT2Model(config(**SMALL))
    return _shape(attribute(made, "lm_head.weight"))


HEAD_LAYOUT = {
    "lm_head.weight": [V, C],
    "lm_head has a bias": False,
    "is a Module": True,
}


def scores(model: Learner) -> Array:
    return array(whole(model)(tensor(IDS)), "MaxGPT2Model(...)(input_ids)")


def scores_twice(model: Learner) -> list[Array]:
    made = whole(model)
    return [array(made(tensor(IDS))) for _ in range(2)]


def loads(model: Learner) -> dict[str, Any]:
    """The logits after loading, and what is left of the ids and of the checkpoint."""
    ids, checkpoint = tensor(IDS), Checkpoint(state(M.w))
    made = load_into(model.MaxGPT2Model(config(**SMALL)), checkpoint)
    return {
        "logits": array(made(ids), "MaxGPT2Model(...)(input_ids)"),
        "ids": array(ids),
        **{path: np.asarray(value) for path, value in checkpoint.state.items()},
    }


@lru_cache(maxsize=1)
def loaded(model: Learner) -> dict[str, str]:
    """What each parameter holds after loading.

    "stored" or "transposed" (its own tensor, in the checkpoint's layout or the other
    one), "reshaped" (transposed in shape, not in order), "start" (as before loading),
    "from NAME" (another tensor of the checkpoint) or "strange".
    """
    made, stored = model.MaxGPT2Model(config(**SMALL)), state(M.w)
    before = {path: parameter(made, path) for path in stored}  # not computed yet
    load_into(made, Checkpoint(stored))
    return {
        path: _origin(parameter(made, path), before[path], path, stored)
        for path in stored
    }


def parameter(made: Any, path: str) -> Any:
    if not path.startswith("transformer.h."):
        return attribute(made, path)
    number, _, rest = path.removeprefix("transformer.h.").partition(".")
    return attribute(blocks_of(made.transformer)[int(number)], rest)


def _origin(now: Any, before: Any, path: str, stored: Weights) -> str:
    if now is before:
        return "start"
    own, value = stored[path], array(now, path)
    if _equal(value, own):
        return "stored"
    if _equal(value, own.T):
        return "transposed"
    if _equal(value, own.reshape(own.shape[::-1])):
        return "reshaped"
    if _equal(value, array(before, path)):
        return "start"
    for name, other in stored.items():
        if _equal(value, other) or _equal(value, other.T):
            return f"from {name}"
    return "strange"


def _equal(one: Array, other: Array) -> bool:
    return one.shape == other.shape and np.allclose(one, other, 1e-6, 1e-6)


def at_other_sizes(model: Learner) -> Array:
    made = model.MaxGPT2Model(config(**OTHER))
    load_into(made, Checkpoint(state(weights(OTHER))))
    return array(made(tensor(OTHER_IDS)), "MaxGPT2Model(...)(input_ids)")


def in_pieces(model: Learner) -> dict[str, Array]:
    """A batch as a whole, its beginning, and its rows apart (one layer is enough)."""
    sizes = {**SMALL, "n_layer": 1}
    made = whole(model, sizes, Oracle(sizes))
    return {
        "together": array(made(tensor(IDS))),
        "beginning": array(made(tensor(IDS[:, :3]))),
        "apart": np.concatenate([array(made(tensor(row[None]))) for row in IDS]),
    }


def traces(model: Learner) -> Array:
    made = whole(model)
    return traced(made, made, ("batch", "seqlen"), IDS)


def compiles(model: Learner) -> Array:
    """One layer: what MAX has to compile for more is the same again."""
    made = whole(model, OTHER, Oracle(OTHER))
    return traced(made, made, ("batch", "seqlen"), OTHER_IDS)


def prefix_consistent(got: dict[str, Array]) -> str | None:
    moved = np.abs(got["together"][:, :3] - got["beginning"]).max()
    if np.isnan(moved) or moved > 1e-4:
        return f"the logits of 3 tokens and the same 3 of 5 differ by {moved:.3g}"
    return None


# What went wrong while loading.

States = dict[str, str]


def as_stored(got: States) -> dict[str, int]:
    """For each kind of Conv1D weight: in how many layers it is as in the checkpoint."""
    return {
        kind: sum(how == "stored" for path, how in got.items() if kind_of(path) == kind)
        for kind in CONV1D
    }


def not_transposed(*kinds: str) -> Mistake:
    """These are left as they are stored in every layer, and no others."""
    counts = {kind: LAYERS if kind in kinds else 0 for kind in CONV1D}
    names = ", ".join(f"{kind}.weight" for kind in kinds)
    message = f"{names} is loaded as it is stored, [in, out]; Linear wants [out, in]."
    if len(kinds) == len(CONV1D):
        message = (
            "No weight is transposed, or each is twice: Hugging Face stores those of "
            "c_attn, c_proj and c_fc as [in, out], Linear wants [out, in]."
        )
    if kinds == ("attn.c_proj",):
        message += " It is square, so it fits either way."
    return _loading(
        "not-transposed-" + "-".join(kinds).replace(".", "-"),
        message,
        lambda got: as_stored(got) == counts,
    )


def _loading(name: str, message: str, recognise: Callable[[States], bool]) -> Mistake:
    return Mistake(name, message, probe=loaded, recognise=recognise)


def _among(got: States, *endings: str) -> bool:
    return any(p.endswith(endings) and how == "transposed" for p, how in got.items())


def untouched(test: Callable[[str], bool]) -> Callable[[States], bool]:
    """Exactly the parameters with such names kept their random start."""
    return lambda got: (
        {p for p in got if test(p)} == {p for p, how in got.items() if how == "start"}
    )


def _from(test: Callable[[str, str], bool]) -> Callable[[States], bool]:
    return lambda got: any(
        test(path, how.removeprefix("from "))
        for path, how in got.items()
        if how.startswith("from ")
    )


def _layer(path: str) -> str:
    return path.split(".")[2] if ".h." in path else ""


UNTOUCHED: dict[str, tuple[str, Callable[[str], bool]]] = {
    "nothing-loaded": (
        "No parameter is loaded: all keep their random start.",
        lambda p: True,
    ),
    "lm_head-not-loaded": (
        "lm_head is not loaded: it keeps its random start.",
        lambda p: p.startswith("lm_head"),
    ),
    "only-lm_head-loaded": (
        "Only lm_head is loaded; the transformer keeps its random start.",
        lambda p: not p.startswith("lm_head"),
    ),
    "wte-not-loaded": ("wte keeps its random start.", lambda p: ".wte." in p),
    "wpe-not-loaded": ("wpe keeps its random start.", lambda p: ".wpe." in p),
    "embeddings-not-loaded": (
        "The embeddings, wte and wpe, keep their random start.",
        lambda p: ".wte." in p or ".wpe." in p,
    ),
    "embeddings-and-head-not-loaded": (
        "wte, wpe and lm_head keep their random start.",
        lambda p: ".wte." in p or ".wpe." in p or p.startswith("lm_head"),
    ),
    "biases-not-loaded": (
        "The biases are not loaded.",
        lambda p: p.endswith(".bias"),
    ),
    "layer-biases-not-loaded": (
        "The biases of the linear layers are not loaded.",
        lambda p: p.endswith(".bias") and ".ln_" not in p,
    ),
    "norms-not-loaded": ("The layer norms are not loaded.", lambda p: ".ln_" in p),
    "block-norms-not-loaded": (
        "The layer norms of the blocks are not loaded.",
        lambda p: ".ln_" in p and ".h." in p,
    ),
    "attention-not-loaded": ("The attention is not loaded.", lambda p: ".attn." in p),
    "mlp-not-loaded": ("The MLP is not loaded.", lambda p: ".mlp." in p),
    "final-norm-not-loaded": ("ln_f is not loaded.", lambda p: ".ln_f." in p),
    "blocks-not-loaded": ("The blocks are not loaded.", lambda p: ".h." in p),
    "only-first-block-loaded": (
        "Only the first block is loaded; the others keep their random start.",
        lambda p: _layer(p) not in ("", "0"),
    ),
    "first-block-not-loaded": (
        "The first block is not loaded.",
        lambda p: _layer(p) == "0",
    ),
    "last-block-not-loaded": (
        "The last block is not loaded.",
        lambda p: _layer(p) == str(LAYERS - 1),
    ),
    "transposed-only": (
        "Only the weights that need a transpose are loaded, the rest is not.",
        lambda p: not kind_of(p),
    ),
    "transposed-not-loaded": (
        "The weights that need a transpose are not loaded.",
        lambda p: bool(kind_of(p)),
    ),
    "matrices-only": (
        "Only matrices are loaded: biases and layer norms keep their start.",
        lambda p: p.endswith(".bias") or ".ln_" in p,
    ),
}


def loading_mistakes() -> Iterator[Mistake]:
    """From the particular to the general."""
    yield _loading(
        "reshaped",
        "Weights are reshaped to [out, in]; that keeps the numbers in their old order. "
        "A transpose swaps rows and columns.",
        lambda got: "reshaped" in got.values(),
    )
    for name, (message, test) in UNTOUCHED.items():
        yield _loading(name, message, untouched(test))
    for count in range(len(CONV1D), 0, -1):
        for kinds in combinations(CONV1D, count):
            yield not_transposed(*kinds)
    yield _loading(
        "transposed-in-some-layers",
        "c_attn, c_proj and c_fc are transposed in some of the layers only.",
        lambda got: any(as_stored(got).values()),
    )
    yield _loading(
        "embeddings-transposed",
        "wte, wpe or lm_head is transposed; Hugging Face stores only c_attn, c_proj "
        "and c_fc the other way round.",
        lambda got: _among(got, "wte.weight", "wpe.weight", "lm_head.weight"),
    )
    yield _loading(
        "one-layer-for-all",
        "Blocks are loaded with the weights of another layer.",
        _from(lambda path, name: _layer(path) != _layer(name)),
    )
    yield _loading(
        "names-mixed-up",
        "A parameter holds another tensor of the checkpoint than its own.",
        _from(lambda path, name: True),
    )
    yield _loading(
        "some-not-loaded",
        "Some parameters keep their random start.",
        lambda got: "start" in got.values(),
    )
    yield _loading(
        "values-changed",
        "A parameter holds other numbers than the checkpoint after loading.",
        lambda got: "strange" in got.values(),
    )


NAMES = "has wte, wpe, a block for each of n_layer layers and ln_f"
HIDDEN = "adds both embeddings, runs the blocks in their order, normalizes last"
ENDS = "ends in lm_head, a linear layer without bias"
SCORES = "gives each position a score for each token of the vocabulary"
LOADS = "loads a Hugging Face checkpoint, Conv1D weights transposed"

STEP = Step(
    uses=("config", "layernorm", "block"),
    checks=(
        Check(
            NAMES,
            parts,
            expect=lambda: LAYOUT,
            where="GPTModel.__init__",
            mistakes=(
                name_missing("GPTModel"),
                Mistake(
                    "list-in-sequential",
                    "Sequential takes the blocks one by one: unpack the list with *.",
                    recognise=lambda got: (
                        got["number of blocks"] in ("list", "tuple", "generator")
                    ),
                    raises=r"'(list|tuple|generator)' object has no attribute",
                ),
                Mistake(
                    "not-a-module",
                    "GPTModel does not inherit from Module: MAX does not find its "
                    "parameters.",
                    recognise=lambda got: not got["is a Module"],
                ),
                Mistake(
                    "plain-list",
                    "h is a plain list: Module does not find the blocks in it.",
                    recognise=lambda got: (
                        not got["h is found by Module"] and got["number of blocks"] != 0
                    ),
                ),
                Mistake(
                    "twelve-layers",
                    "There are 12 blocks whatever n_layer is: GPT-2 small's number is "
                    "written in.",
                    recognise=lambda got: got["number of blocks"] == 12,
                ),
                Mistake(
                    "one-block",
                    "There is one block; there are n_layer of them.",
                    recognise=lambda got: got["number of blocks"] == 1,
                ),
                Mistake(
                    "one-block-less",
                    "There is one block less than n_layer.",
                    recognise=lambda got: got["number of blocks"] == LAYERS - 1,
                ),
                Mistake(
                    "one-block-more",
                    "There is one block more than n_layer.",
                    recognise=lambda got: got["number of blocks"] == LAYERS + 1,
                ),
                Mistake(
                    "n_head-blocks",
                    "The number of blocks is not n_layer of the configuration.",
                    recognise=lambda got: got["number of blocks"] != LAYERS,
                ),
                Mistake(
                    "same-block",
                    "h holds one and the same block n_layer times: [block] * n copies "
                    "nothing.",
                    recognise=lambda got: (
                        got["different blocks"] < got["number of blocks"]
                    ),
                ),
                Mistake(
                    "sizes-hard-coded",
                    "A part has GPT-2 small's sizes (50257, 1024, 768) whatever the "
                    "configuration is.",
                    recognise=lambda got: any(
                        {768, 1024, 50257} & set(got[path]) for path in PARTS
                    ),
                ),
                Mistake(
                    "blocks-of-another-size",
                    "The blocks have other sizes than the configuration says: hand it "
                    "to them.",
                    recognise=lambda got: got["ln_1 of a block"] not in ([], [[C]]),
                ),
                Mistake(
                    "tables-swapped",
                    "The sizes of wte (tokens) and wpe (positions) are swapped.",
                    recognise=lambda got: (
                        got["wte.weight"] == [POSITIONS, C]
                        and got["wpe.weight"] == [V, C]
                    ),
                ),
                Mistake(
                    "wpe-of-the-vocabulary",
                    "wpe has a row for each token; it has one for each position, "
                    "n_positions.",
                    recognise=lambda got: got["wpe.weight"] == [V, C],
                ),
                Mistake(
                    "tables-transposed",
                    "A table of embeddings has a row for each token or position, and a "
                    "column for each feature.",
                    recognise=lambda got: (
                        got["wte.weight"] == [C, V]
                        or got["wpe.weight"] == [C, POSITIONS]
                    ),
                ),
                Mistake(
                    "other-sizes",
                    "A part has other sizes than the configuration says.",
                    recognise=lambda got: not same(got, LAYOUT, 0.0),
                ),
                Mistake(
                    "part-missing",
                    "The parts are wte, wpe, h and ln_f, as in Hugging Face's "
                    "checkpoints.",
                    raises=r"has no `(wte|wpe|h|ln_f|weight|bias)`",
                ),
                Mistake(
                    "embedding-by-position",
                    "Embedding takes the number of features as a keyword argument: "
                    "dim=...",
                    raises=r"Embedding\.__init__\(\) takes|exactly one of `dim`",
                ),
                Mistake(
                    "epsilon-by-position",
                    "LayerNorm takes eps as a keyword argument: eps=...",
                    raises=r"LayerNorm\.__init__\(\) takes 2 positional",
                ),
                PART_ARGUMENTS,
                *SLIPS,
            ),
        ),
        Check(
            HIDDEN,
            hidden_states,
            expect=lambda: hidden(M),
            where="GPTModel.__call__",
            mistakes=(
                *(
                    _mistake(name, message, lambda flaw=flaw: hidden(M, **flaw))  # type: ignore[misc]
                    for name, message, flaw in steps()
                ),
                _mistake(
                    "embeddings-returned",
                    "the embeddings are returned: what the blocks and ln_f compute is "
                    "dropped",
                    lambda: embedded(M, IDS),
                ),
                _mistake(
                    "head-inside",
                    "lm_head is applied here already; GPTModel gives hidden states",
                    lambda: logits(M),
                ),
                Mistake(
                    "last-position-only",
                    "Only the last position comes out; GPTModel gives all of them.",
                    gives=lambda: hidden(M)[:, -1],
                ),
                Mistake(
                    "two-mistakes",
                    "Two things are off here: the embeddings, the order of the blocks "
                    "or the final norm.",
                    recognise=lambda got: (
                        not same(got, hidden(M), 5e-5) and two_mistakes(got)
                    ),
                ),
                Mistake(
                    "blocks-called-as-list",
                    "A list cannot be called: run through the blocks one by one, or "
                    "keep them in a Sequential.",
                    raises=r"'(list|ModuleList)' object is not callable",
                ),
                Mistake(
                    "positions-of-another-dtype",
                    "Positions are whole numbers: give them the dtype of the ids.",
                    raises=r"(?i)(indices|gather).*(integ|float|dtype)",
                ),
                Mistake(
                    "positions-in-a-list",
                    "wpe looks up a Tensor of positions, not a Python list.",
                    raises=r"not '(list|range)'",
                ),
                Mistake(
                    "whole-position-table",
                    "At n_positions tokens this is right, for shorter texts not: the "
                    "whole table is added, not the rows of the T tokens.",
                    probe=at_full_length,
                    gives=lambda: hidden(M, FULL_IDS),
                ),
                Mistake(
                    "blocks-counted-otherwise",
                    "More blocks are asked for than there are: there are n_layer.",
                    raises=r"^IndexError",
                ),
                *NOT_A_TENSOR,
                new_layers(calls_twice),
                *SLIPS,
            ),
        ),
        Check(
            ENDS,
            head,
            expect=lambda: HEAD_LAYOUT,
            where="MaxGPT2Model.__init__",
            mistakes=(
                name_missing("MaxGPT2Model"),
                PART_ARGUMENTS,
                *SLIPS,
                Mistake(
                    "head-with-bias",
                    "lm_head has a bias; GPT-2's has none.",
                    recognise=lambda got: got["lm_head has a bias"],
                ),
                Mistake(
                    "sizes-hard-coded",
                    "lm_head has GPT-2 small's sizes whatever the configuration is.",
                    recognise=lambda got: bool(
                        {768, 50257} & set(got["lm_head.weight"])
                    ),
                ),
                Mistake(
                    "head-of-another-size",
                    "lm_head goes from n_embd features to vocab_size scores.",
                    recognise=lambda got: got["lm_head.weight"] != [V, C],
                ),
                Mistake(
                    "not-a-module",
                    "MaxGPT2Model does not inherit from Module: MAX does not find its "
                    "parameters.",
                    recognise=lambda got: not got["is a Module"],
                ),
                Mistake(
                    "part-missing",
                    "The parts are transformer (a GPTModel) and lm_head (a Linear), as "
                    "in Hugging Face's checkpoints.",
                    raises=r"has no `(transformer|lm_head|weight|wte)`",
                ),
            ),
        ),
        Check(
            SCORES,
            scores,
            expect=lambda: logits(M),
            needs=(HIDDEN, ENDS),
            where="MaxGPT2Model.__call__",
            mistakes=(
                *(_mistake(name, *row) for name, row in HEAD.items()),
                Mistake(
                    "head-sizes-swapped",
                    "lm_head's sizes are swapped: it goes from n_embd features to "
                    "vocab_size scores.",
                    probe=head_shape,
                    gives=lambda: [C, V],
                ),
                Mistake(
                    "token-chosen",
                    "The most likely token comes out; the model gives all scores.",
                    recognise=lambda got: (
                        got.dtype != np.float32
                        and got.size == B * T
                        and bool((got.reshape(B, T) == logits(M).argmax(-1)).all())
                    ),
                ),
                *NOT_A_TENSOR,
                new_layers(scores_twice),
                *SLIPS,
            ),
        ),
        Check(
            LOADS,
            loads,
            expect=lambda: {"logits": logits(M)},
            needs=(SCORES,),
            where="MaxGPT2Model.load_huggingface_weights",
            mistakes=(
                *loading_mistakes(),
                Mistake(
                    "load-missing",
                    "MaxGPT2Model loads a checkpoint with "
                    "load_huggingface_weights(hf_model, device).",
                    raises=r"has no `load_huggingface_weights`|"
                    r"load_huggingface_weights\(\) (takes|missing)",
                ),
                Mistake(
                    "names-not-found",
                    "A name is looked up that is not there. load_state_dict wants all "
                    "parameters at once, by the names that the checkpoint has too: "
                    "transformer. and lm_head. included.",
                    raises=r"^KeyError|has no `",
                ),
                Mistake(
                    "names-not-read",
                    "load_state_dict got names that the model does not have: the names "
                    "of a checkpoint are the model's own.",
                    raises=r"did not read some weights",
                ),
                Mistake(
                    "another-source",
                    "A checkpoint is anything with a state_dict(); nothing else of it "
                    "is there for certain.",
                    raises=r"'(Checkpoint|dict|\w*method|function)' object (has|is)",
                ),
                Mistake(
                    "wrong-dtype",
                    "The parameters have another dtype than the checkpoint's float32.",
                    recognise=lambda got: got["logits"].dtype != np.float32,
                ),
                Mistake(
                    "not-contiguous",
                    "A transposed array is a view with its numbers in the old order; "
                    "MAX wants them in a row: np.ascontiguousarray, or .contiguous().",
                    raises=r"contiguous",
                ),
                Mistake(
                    "pytorch-needed",
                    "PyTorch is not part of the course: NumPy can transpose as well.",
                    raises=r"No module named 'torch'",
                ),
                *SLIPS,
            ),
        ),
        Check(
            "works at other sizes: one layer, 23 tokens, 9 positions, 8 features",
            at_other_sizes,
            expect=lambda: logits(Oracle(OTHER), OTHER_IDS),
            needs=(LOADS,),
            where="GPTModel",
            mistakes=(
                Mistake(
                    "one-size-only",
                    "It is right at one size only: numbers are written in instead of "
                    "taken from the configuration.",
                    recognise=lambda got: (
                        not same(got, logits(Oracle(OTHER), OTHER_IDS), 1e-4)
                    ),
                    raises=r".",
                ),
            ),
        ),
        Check(
            "leaves the ids and the checkpoint unchanged",
            loads,
            expect=lambda: {"ids": IDS, **state(M.w)},
            needs=(LOADS,),
            where="MaxGPT2Model.load_huggingface_weights",
            mistakes=(
                Mistake(
                    "checkpoint-changed",
                    "The checkpoint's own arrays are changed: work on copies.",
                    recognise=lambda got: (
                        not same(got, {"ids": IDS, **state(M.w)}, 0.0)
                    ),
                ),
            ),
        ),
        Check(
            "scores the beginning of a text as it would without the rest",
            in_pieces,
            accept=prefix_consistent,
            needs=(SCORES,),
            where="GPTModel.__call__",
        ),
        Check(
            "keeps the rows of a batch apart",
            in_pieces,
            accept=rows_apart,
            needs=(SCORES,),
            where="GPTModel.__call__",
        ),
        Check(
            "can be traced with any batch size and number of tokens",
            traces,
            expect=lambda: logits(M),
            needs=(SCORES,),
            where="GPTModel.__call__",
            mistakes=TRACING,
        ),
    ),
    compiled=Check(
        "compiled and run by MAX: the same logits",
        compiles,
        expect=lambda: logits(Oracle(OTHER), OTHER_IDS),
        tolerance=1e-4,
    ),
)
