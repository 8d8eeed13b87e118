"""Step 7, ``model.py``: the complete GPT-2, and loading Hugging Face's weights.

Oracle: ln_f(h(wte[ids] + wpe[0 .. T-1])), and lm_head of that. Radford et al. 2019,
section 2.3; ``GPT2Model`` and ``GPT2LMHeadModel`` in Hugging Face's modeling_gpt2.py.
Loading is judged by the logits; what the parameters hold says what has gone wrong.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial, reduce
from itertools import combinations
from types import SimpleNamespace
from typing import Any

import numpy as np

from checker.table import Check, Mistake, Table, flaws, refusals
from checker.verdict.compare import difference
from tests.s03_layernorm.table import layer_norm
from tests.s06_block.table import Parts, block
from tests.s07_model import probes
from tests.s07_model.probes import CONV1D, DEEP, FLAT, TALL, TWO, is_conv1d, weights
from tests.support import rows
from tests.support.data import Array, Sizes, Weights
from tests.support.formulas import softmax

Model = Any
Run = Callable[[Model, Array], Array]
IDS, LAYERS = probes.ids(DEEP), DEEP["n_layer"]
V, P, C = DEEP["vocab_size"], DEEP["n_positions"], DEEP["n_embd"]


def functions(sizes: Sizes, w: Weights | None = None) -> Model:
    """A GPTModel as functions: the tables wte and wpe, the blocks and ln_f."""
    w, eps = w or probes.transformer_weights(sizes), sizes["layer_norm_epsilon"]
    parts = [
        Parts(w, sizes["n_head"], f"h.{number}.", eps=(eps, eps))
        for number in range(sizes["n_layer"])
    ]
    return SimpleNamespace(
        wte=w["wte.weight"],
        wpe=w["wpe.weight"],
        blocks=[partial(block, parts=each) for each in parts],
        ln_f=lambda x, eps=eps: layer_norm(x, w["ln_f.weight"], w["ln_f.bias"], eps),
    )


def in_order(m: Model, x: Array) -> Array:
    return reduce(lambda x, one: one(x), m.blocks, x)


def hidden(
    m: Model,
    ids: Array,
    *,
    embed: Callable[..., Array] = lambda m, ids, p: m.wte[ids] + m.wpe[p],
    run: Run = in_order,
    end: Callable[..., Array] = lambda m, x, run: m.ln_f(run(m, x)),
) -> Array:
    """Hidden states [B, T, C]; the keyword arguments make the mistakes."""
    positions = np.arange(ids.shape[1]) + np.zeros_like(ids)
    return end(m, embed(m, ids, positions), run).astype(np.float32)


def logits(ids: Array, w: Weights, sizes: Sizes) -> Array:
    own = {path.removeprefix("transformer."): value for path, value in w.items()}
    return hidden(functions(sizes, own), ids) @ w["lm_head.weight"].T


THREE, ONE, HEAD = functions(DEEP), functions(FLAT), weights(FLAT)["lm_head.weight"]
STATES = hidden(ONE, IDS)


def at(place: Callable[[Array, Array], Array]) -> dict[str, Any]:
    """Other positions than 0 .. T-1."""
    return dict(embed=lambda m, t, p: m.wte[t] + m.wpe[place(t, p)])


EMBEDDING = (
    ("positions-ignored", "wpe is not added", dict(embed=lambda m, t, p: m.wte[t])),
    ("tokens-ignored", "wte is not added", dict(embed=lambda m, t, p: m.wpe[p])),
    ("positions-zero", "every token gets position 0", at(lambda t, p: 0 * p)),
    ("positions-one-more", "the positions start at 1, not 0", at(lambda t, p: p + 1)),
    ("positions-one-less", "the positions start at -1, not 0", at(lambda t, p: p - 1)),
    ("positions-last", "every token gets position T - 1", at(lambda t, p: p[:, -1:])),
    ("positions-over-batch", "the positions count the rows of the batch, not the "
     "tokens", at(lambda t, p: 0 * p + np.arange(len(p))[:, None])),
    ("positions-from-the-end", "the last rows of wpe are used; a text starts at "
     "position 0", at(lambda t, p: p + P - 1 - p.max())),
    ("positions-of-the-ids", "wpe looks up the ids, not positions", at(lambda t, p: t)),
    ("tables-swapped", "wte looks up the positions, and wpe the ids",
     dict(embed=lambda m, t, p: m.wpe[t] + m.wte[p])),
    ("wte-for-both", "wte looks up the positions as well; their table is wpe",
     dict(embed=lambda m, t, p: m.wte[t] + m.wte[p])),
    ("embeddings-multiplied", "the two embeddings are multiplied instead of added",
     dict(embed=lambda m, t, p: m.wte[t] * m.wpe[p])),
    ("tokens-scaled", "the token embeddings are multiplied by sqrt(n_embd), as in the "
     "original Transformer; GPT-2 does not",
     dict(embed=lambda m, t, p: m.wte[t] * C**0.5 + m.wpe[p])),
    ("embeddings-scaled", "both embeddings are multiplied by sqrt(n_embd)",
     dict(embed=lambda m, t, p: (m.wte[t] + m.wpe[p]) * C**0.5)),
)  # fmt: skip


def each(step: Callable[[Model, Any, Array], Array], *order: int) -> dict[str, Run]:
    """``step(m, block, x)`` for the blocks with these numbers, one after the other."""
    return dict(run=lambda m, x: reduce(lambda x, n: step(m, m.blocks[n], x), order, x))


def through(*order: int) -> dict[str, Run]:
    return each(lambda m, one, x: one(x), *order)


ALL = (0, 1, 2)
AS_IT_IS = dict(end=lambda m, x, run: run(m, x))
RUNNING = (
    ("no-blocks", "no block is applied, or their result is dropped", through()),
    ("first-block-only", "only the first block is applied", through(0)),
    ("last-block-only", "each block gets the embeddings, and only the result of the "
     "last is kept; each needs the result of the one before", through(2)),
    ("last-block-missing", "the last block is not applied", through(0, 1)),
    ("first-block-missing", "the first block is not applied", through(1, 2)),
    ("first-block-for-all", "block 0 is applied n_layer times", through(0, 0, 0)),
    ("last-block-for-all", "the last block is applied n_layer times", through(2, 2, 2)),
    ("blocks-reversed", "the blocks are applied last to first", through(2, 1, 0)),
    ("residual-around-blocks", "the input of each block is added to its output; a "
     "block does so itself", each(lambda m, one, x: x + one(x), *ALL)),
    ("residual-around-all", "the embeddings are added once more after the last block",
     dict(run=lambda m, x: x + in_order(m, x))),
    ("final-norm-missing", "there is no ln_f, or its result is dropped", AS_IT_IS),
    ("final-norm-first", "ln_f comes before the blocks; it belongs after the last",
     dict(end=lambda m, x, run: run(m, m.ln_f(x)))),
    ("final-norm-first-and-last", "ln_f comes before the blocks as well as after the "
     "last", dict(run=lambda m, x: in_order(m, m.ln_f(x)))),
    ("final-norm-twice", "ln_f is applied twice",
     dict(run=lambda m, x: m.ln_f(in_order(m, x)))),
    ("final-norm-epsilon", "ln_f does not get layer_norm_epsilon of the configuration",
     dict(end=lambda m, x, run: m.ln_f(run(m, x), eps=1e-5))),
    ("final-norm-after-each", "ln_f comes after each block; it belongs after the last "
     "alone", each(lambda m, one, x: m.ln_f(one(x)), *ALL) | AS_IT_IS),
    ("final-norm-after-each-and-last", "ln_f comes after each block, and once more "
     "after the last", each(lambda m, one, x: m.ln_f(one(x)), *ALL)),
    ("embeddings-returned", "the embeddings are returned: what the blocks and ln_f "
     "compute is dropped", dict(end=lambda m, x, run: x)),
    ("head-inside", "lm_head is applied here already; GPTModel returns hidden states",
     dict(end=lambda m, x, run: m.ln_f(run(m, x)) @ HEAD.T)),
    ("last-state-only", "only the last position comes out; GPTModel returns all of "
     "them", dict(end=lambda m, x, run: m.ln_f(run(m, x))[:, -1])),
)  # fmt: skip


def scores(
    x: Array = STATES, head: Array = HEAD, after: Callable[[Array], Array] = np.asarray
) -> Array:
    """Logits [B, T, V] of hidden states; the arguments make the mistakes."""
    return after(x @ head.T)


LAST = "last-position-only", "only the logits of the last position come out"
SCORING = (
    ("head-missing", "lm_head is not applied: these are the hidden states",
     dict(head=np.eye(C, dtype=np.float32))),
    ("head-tied", "wte's weight is used instead of lm_head's own", dict(head=ONE.wte)),
    (*LAST, dict(after=lambda y: y[:, -1])),
    (*LAST, dict(after=lambda y: y[:, -1:])),
    ("softmax", "a softmax is applied to the logits; the generator does that, after "
     "dividing by the temperature", dict(after=softmax)),
    ("softmax-over-tokens", "a softmax over the tokens is applied to the logits",
     dict(after=lambda y: softmax(y, 1))),
    ("log-softmax", "the logarithm of a softmax is applied to the logits",
     dict(after=lambda y: np.log(softmax(y)))),
    ("token-chosen", "the most likely token comes out, not the scores of all",
     dict(after=lambda y: y.argmax(-1)[..., None])),
    ("head-on-the-embeddings", "the transformer is left out: lm_head is applied to the "
     "embeddings", dict(x=hidden(ONE, IDS, end=lambda m, x, run: x))),
    ("normalized-again", "ln_f is applied once more before lm_head; the transformer "
     "has done so", dict(x=ONE.ln_f(STATES))),
)  # fmt: skip


def layout(**other: object) -> dict[str, object]:
    """The structure of a GPTModel."""
    return {
        "wte.weight": [V, C], "wpe.weight": [P, C],
        "ln_f.weight": [C], "ln_f.bias": [C], "number of blocks": LAYERS,
        "different blocks": other.get("number of blocks", LAYERS),
        "h is found by Module": True, "features of a block": [C], "is a Module": True,
        **other,
    }  # fmt: skip


LAID_OUT = (
    ("plain-list", "Module finds no block in h: it looks into a Sequential or a "
     "ModuleList, not into a plain list.", {"h is found by Module": False}),
    ("twelve-layers", "There are 12 blocks, not n_layer.", {"number of blocks": 12}),
    ("one-block", "There is one block, not n_layer.", {"number of blocks": 1}),
    ("one-block-less", "There are n_layer - 1 blocks.",
     {"number of blocks": LAYERS - 1}),
    ("one-block-more", "There are n_layer + 1 blocks.",
     {"number of blocks": LAYERS + 1}),
    ("same-block", "h holds one and the same block n_layer times: [block] * n copies "
     "nothing.", {"different blocks": 1}),
    ("blocks-of-another-size", "The blocks have GPT-2 small's size, 768: pass on the "
     "configuration that the model was given.", {"features of a block": [768]}),
    ("table-sizes-swapped", "The sizes of wte (tokens) and wpe (positions) are "
     "swapped.", {"wte.weight": [P, C], "wpe.weight": [V, C]}),
)  # fmt: skip


def ending(head: tuple[int, int] = (V, C), bias: bool = False) -> dict[str, object]:
    """The structure of a MaxGPT2Model."""
    return {"lm_head.weight": [*head], "lm_head has a bias": bias, "is a Module": True}


WANTED = (
    *rows.name_missing("GPTModel", "MaxGPT2Model"),
    Mistake("part-missing", "The parts have the names of Hugging Face's checkpoints: "
            "transformer and lm_head, and in the transformer wte, wpe, h and ln_f.",
            refused=r"^\w+Model has no `(wte|wpe|h|ln_f|transformer|lm_head)`"),
    Mistake("sizes-hard-coded", "A part has GPT-2 small's sizes (50257, 1024, 768) "
            "whatever the configuration is.",
            proves=lambda got: any({768, 1024, 50257} & {*sizes}
                                   for sizes in got.values() if type(sizes) is list)),
    rows.not_a_module("GPTModel or MaxGPT2Model"),
)  # fmt: skip


# Loading: "holds" lists [path, what] for all that does not hold its own tensor.


def holding(*parts: str, how: str = "not loaded") -> dict[str, list[list[str]]]:
    """Where parameters with these in their names, and no others, are wrong."""
    paths = [path for path in weights(TWO) if any(part in path for part in parts)]
    return {"holds": [[path, how] for path in paths]}


NOT_LOADED = (
    ("nothing-loaded", "No parameter is loaded: all keep their random start.", ("",)),
    ("lm_head-not-loaded", "lm_head is not loaded.", ("lm_head",)),
    ("wte-not-loaded", "wte is not loaded.", (".wte.",)),
    ("wpe-not-loaded", "wpe is not loaded.", (".wpe.",)),
    ("biases-not-loaded", "No bias is loaded.", (".bias",)),
    ("layer-biases-not-loaded", "The biases of the linear layers are not loaded.",
     tuple(f"{name}.bias" for name in CONV1D)),
    ("norms-not-loaded", "The layer norms are not loaded.", (".ln_",)),
    ("final-norm-not-loaded", "ln_f is not loaded.", (".ln_f.",)),
    ("first-block-not-loaded", "The first block is not loaded.", (".h.0.",)),
    ("last-block-not-loaded", "The last block is not loaded.", (".h.1.",)),
)  # fmt: skip


def not_transposed(kinds: tuple[str, ...]) -> Mistake:
    """These are as they are stored in every block, and everything else is right."""
    return Mistake(
        "not-transposed-" + "-".join(kinds).replace(".", "-"),
        f"Not transposed: the weights of {', '.join(kinds)}. Hugging Face stores them "
        "as [in, out]; a Linear needs [out, in].",
        gives=lambda: holding(*(f"{kind}.weight" for kind in kinds), how="as stored"),
    )


def in_some_blocks(got: Any) -> bool:
    """All that is wrong: weights not transposed, some of them in one of two blocks."""
    kinds = [path.split(".", 3)[-1] for path, _ in got["holds"]]
    stored = all(is_conv1d(path) and how == "as stored" for path, how in got["holds"])
    return stored and any(kinds.count(kind) == 1 for kind in kinds)


def of_block_0() -> dict[str, Any]:
    """The second block holds the tensors of the first."""
    found = holding(".h.1.")["holds"]
    return {"holds": [[p, f"from {p.replace('.h.1.', '.h.0.')}"] for p, _ in found]}


def holds(start: str, *, conv1d: bool = True) -> Callable[[Any], bool]:
    return lambda got: any(
        how.startswith(start) and (conv1d or not is_conv1d(path))
        for path, how in got["holds"]
    )


FACTS = (
    Mistake("reshaped", "Weights are reshaped to [out, in], which keeps the numbers in "
            "their order. Transposing swaps rows and columns.",
            proves=holds("reshaped")),
    Mistake("embeddings-transposed", "wte, wpe or lm_head is transposed; only c_attn, "
            "c_proj and c_fc are stored the other way round.",
            proves=holds("transposed", conv1d=False)),
    Mistake("names-mixed-up", "A parameter holds another tensor of the checkpoint than "
            "its own.", proves=holds("from ")),
    Mistake("some-not-loaded", "Some parameters are not loaded: they keep their random "
            "start.", proves=holds("not loaded")),
    *refusals(
        ("load-missing", "MaxGPT2Model loads a checkpoint with "
         "load_huggingface_weights(hf_model, device).",
         "MaxGPT2Model has no `load_huggingface_weights`"),
        ("pytorch-only", "That is PyTorch's way. A checkpoint may hold NumPy arrays as "
         "well: np.asarray takes both.", "a PyTorch tensor has$"),
        ("numpy-only", "That is NumPy's way. A live GPT2LMHeadModel holds PyTorch's "
         "tensors: np.asarray takes both.", "NumPy array has$|`transpose` of a Py"),
        ("another-source", "A checkpoint is anything with a state_dict(); whatever "
         "else it has differs.", "the checkpoint has no `"),
    ),
)  # fmt: skip
LOADING = (
    *(Mistake(name, says, gives=partial(holding, *parts))
      for name, says, parts in NOT_LOADED),
    *(not_transposed(kinds) for n in (4, 3, 2, 1) for kinds in combinations(CONV1D, n)),
    Mistake("transposed-in-some-layers", "c_attn, c_proj or c_fc is transposed in some "
            "of the blocks only.", proves=in_some_blocks),
    Mistake("one-layer-for-all", "Each block holds the weights of block 0.",
            gives=of_block_0),
    *FACTS,
)  # fmt: skip
SAID = {
    "as stored": "is not transposed", "transposed": "is transposed, and should not be",
    "reshaped": "is reshaped, not transposed", "not loaded": "keeps its random start",
    "strange": "holds other numbers than the checkpoint",
}  # fmt: skip


def what_holds(found: list[list[str]]) -> str:
    """For people: the same parameter of several blocks once."""
    blocks: dict[tuple[str, str], list[str]] = {}
    for path, how in found:
        _, number, kind = re.fullmatch(r"(transformer\.h\.(\d+)\.)?(.*)", path).groups()
        says = SAID.get(how, how.replace("from", "holds"))
        blocks.setdefault((kind, says), []).append(number)
    told = [
        f"{kind} {says}" + (f" in block {' and '.join(numbers)}" if numbers[0] else "")
        for (kind, says), numbers in blocks.items()
    ]
    return "; ".join(told[:2]) + (f"; and {len(told) - 2} more" if told[2:] else "")


def loaded(sizes: Sizes) -> Callable[[Any], str | None]:
    """Judges the logits, if there are any or something is held that should not be;
    says what the parameters hold where these are wrong."""

    def fault(got: Any) -> str | None:
        if got["logits"] is None and not got["holds"]:
            return None
        want = logits(probes.ids(sizes), weights(sizes), sizes)
        found = difference(got["logits"], want, 5e-5)
        return found and (what_holds(got["holds"]) or found)

    return fault


PARTS = "has wte, wpe, a block for each of n_layer layers and ln_f"
HIDDEN = "adds both embeddings, runs the blocks in their order, normalizes last"
ENDS = "ends in lm_head, a linear layer without bias"
SCORES = "gives each position a score for each token of the vocabulary"
LOADS = "loads a Hugging Face checkpoint, Conv1D weights transposed"
LOADER = "MaxGPT2Model.load_huggingface_weights"
MODEL = rows.Rows(probes.layer, logits, has=ENDS, does=SCORES)

TABLE = Table(
    uses=("config", "layernorm", "block"),
    checks=(
        Check(
            PARTS, "parts", expect=layout, where="GPTModel.__init__",
            mistakes=(
                *flaws(layout, *LAID_OUT),
                Mistake("list-in-sequential", "Sequential takes the blocks one by one: "
                        "unpack the list with *.",
                        proves=lambda got: got["number of blocks"] == "list"),
                *WANTED,
            ),
        ),
        Check(
            HIDDEN, "transformer.calls", expect=lambda: hidden(THREE, IDS),
            needs=(PARTS,), where="GPTModel.__call__",
            mistakes=(
                *flaws(partial(hidden, THREE, IDS), *EMBEDDING, *RUNNING),
                Mistake("whole-position-table", "This is right for n_positions tokens "
                        "and wrong for fewer: only the first T rows of wpe are needed.",
                        probe="transformer.at_other_sizes",
                        gives=lambda: hidden(functions(probes.FULL),
                                             probes.ids(probes.FULL))),
                rows.NOTHING_RETURNED,
                rows.NEW_LAYERS,
                *rows.NOT_A_TENSOR,
            ),
        ),
        Check(
            ENDS, "ends", expect=ending, where="MaxGPT2Model.__init__",
            mistakes=(
                *flaws(
                    ending,
                    ("head-with-bias", "lm_head has a bias; GPT-2's has none.",
                     dict(bias=True)),
                    ("head-sizes-swapped", "lm_head's sizes are swapped: it goes from "
                     "n_embd features to vocab_size scores.", dict(head=(C, V))),
                ),
                *WANTED,
            ),
        ),
        MODEL.calls(*flaws(scores, *SCORING), *rows.NOT_A_TENSOR, needs=(HIDDEN, ENDS)),
        Check(LOADS, "loads", given=("arrays",), accept=loaded(TWO), needs=(SCORES,),
              where=LOADER, mistakes=LOADING),
        Check("loads 11 layers of PyTorch's tensors as well as NumPy's arrays", "loads",
              given=("tensors",), accept=loaded(TALL), needs=(LOADS,), where=LOADER,
              mistakes=FACTS),
        Check("leaves the checkpoint unchanged", "loads", given=("arrays",),
              expect=lambda: {"changed": []}, needs=(LOADS,), where=LOADER),
        *(replace(check, where="GPTModel.__call__") for check in MODEL.properties(
            "one layer, 33,000 tokens, 9 positions, 8 features", causal=True)),
    ),
    compiled=MODEL.compiled(),
)  # fmt: skip
