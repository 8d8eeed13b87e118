"""Step 10, ``demo.py``: the whole pipeline, from a checkpoint to text.

The oracle of the logits is GPT-2 in NumPy (``tests/support/gpt2.py``), that of the ids
byte-level BPE (``tests/support/bpe.py``).
"""

import re
from functools import cache
from typing import Any

import numpy as np

from checker.table import Check, Mistake, Table
from tests.s01_config.table import SIZES as SMALL
from tests.s10_demo.probes import NEW, OTHER_SEED, SEED
from tests.support.bpe import bundled, other
from tests.support.data import Array
from tests.support.gpt2 import logits
from tests.support.rows import name_missing
from tests.support.stand_ins import DEFAULT, HUB_SIZES, SIZES, weights

TEXT = "Mr. Darcy is at Pemberley."
IDS = bundled().encode(TEXT)
Texts = list[dict[str, Any]]


@cache
def after(*ids: int) -> Array:
    """The checkpoint's logits after the last of some ids."""
    return logits(list(ids), weights())


def continued(prompt: str, count: int) -> str:
    ids = bundled().encode(prompt)
    for _ in range(count):
        ids.append(int(after(*ids).argmax()))
    return bundled().decode(ids)


# Properties


def text_is_right(got: Texts) -> str | None:
    for each in got:
        want = continued(each["prompt"], each["max_new_tokens"])
        if each["text"] != want:
            return f"got {each['text']!r}, want {want!r}"
    return None if got else "nothing was written greedily"


def forward_before(got: list[str]) -> str | None:
    return None if "forward" in got else "nothing but generate runs the model"


def forward_printed(got: dict[str, Any]) -> str | None:
    """One forward pass has its shape and its next token printed."""
    numbers = [int(found) for found in re.findall(r"\d+", got["said"])]
    for ids in got["ids"]:
        shape = [*np.shape(ids), SIZES["vocab_size"]]
        token = int(after(*ids[0]).argmax())
        rest = without(numbers, shape)
        if rest is None:
            return f"the logits have shape {shape}, which is not printed"
        if token not in rest:
            return f"the most likely next token is {token}, which is not printed"
    return None if got["ids"] else "no forward pass was run outside generate"


def without(numbers: list[int], part: list[int]) -> list[int] | None:
    """The numbers without a part that stands in them in a row; None if it does not."""
    for at in range(len(numbers) - len(part) + 1):
        if numbers[at : at + len(part)] == part:
            return numbers[:at] + numbers[at + len(part) :]
    return None


def greedy(got: Texts) -> Texts:
    return [each for each in got if not each["do_sample"]]


def temperatures(got: Texts) -> list[float]:
    return [float(each["temperature"]) for each in got if each["do_sample"]]


def three_ways(got: Texts) -> str | None:
    if not got:
        return "generate was not called"
    if not greedy(got):
        return "do_sample is never False"
    found = list(dict.fromkeys(temperatures(got)))
    if len(found) < 2:
        return f"the temperatures of the sampled texts are {found}, want two"
    if found[-1] <= found[0]:
        return f"the temperatures are {found}; the last should be the highest"
    return None


def lengths(got: Texts) -> list[Any]:
    return [each.get("max_new_tokens") for each in got]


def lengths_right(got: Texts) -> str | None:
    wrong = [n for n in lengths(got) if n != NEW]
    if not got:
        return "generate was not called"
    return f"max_new_tokens was {wrong[0]}, want {NEW}" if wrong else None


def seeds_right(got: list[list[Any]]) -> str | None:
    first = got[0]
    if not first:
        return "nothing was sampled"
    if None in first:
        return f"the seed was None, want {SEED}"
    if len(got) > 1 and set(first) & set(got[1]):
        return f"--seed {SEED} and --seed {OTHER_SEED} gave generate the same seed"
    return None


def all_shown(got: list[bool]) -> str | None:
    missing = got.count(False)
    if not got:
        return "generate was not called"
    return f"{missing} of {len(got)} texts are not printed" if missing else None


# What is known of the models: "load 0" and so on.


def numbers(got: list[str], *kinds: str) -> set[str]:
    return {event.split()[-1] for event in got if event.split()[0] in kinds}


def never_loaded(got: list[str]) -> bool:
    return bool(numbers(got, "build")) and not numbers(got, "load")


def loaded_late(got: list[str]) -> bool:
    loads = [at for at, event in enumerate(got) if event.startswith("load")]
    used = [at for at, event in enumerate(got) if event.startswith("use")]
    return bool(loads and used) and used[0] < loads[0]


def loaded_elsewhere(got: list[str]) -> bool:
    loaded, used = numbers(got, "load"), numbers(got, "use")
    return bool(loaded and used) and not loaded & used


def some(got: Any) -> bool:
    return isinstance(got, list) and bool(got)


def proven(name: str, message: str, proves: Any, probe: str = "") -> Mistake:
    return Mistake(name, message, proves=proves, probe=probe)


NOT_CALLED = proven(
    "nothing-written",
    "generate is not called.",
    lambda got: isinstance(got, list) and not got,
)
OTHER_TOKENIZER = Mistake(
    "tokenizer-of-the-default",
    f"The tokenizer is that of {DEFAULT}: pass the model's name on.",
    gives=lambda: np.array([other().encode(TEXT)], np.int64),
    probe="ids_of",
    given=(TEXT,),
)
RUNS = "runs on a checkpoint's folder to the end and returns 0"


def ends(name: str, message: str, returned: object) -> Mistake:
    return Mistake(name, message, gives=lambda: {"returned": returned})


def row(name: str, probe: str, *mistakes: Mistake, **judged: Any) -> Check:
    """A row that means nothing before main runs to its end."""
    needs = () if name == RUNS else (RUNS,)
    return Check(
        name, probe, mistakes=mistakes, where="main", **{"needs": needs, **judged}
    )


TABLE = Table(
    uses=("config", "model", "tokenizer", "generator"),
    checks=(
        row(
            RUNS, "to_the_end",
            Mistake("argv-ignored", "The arguments are read from the command line, not "
                    "from argv: pass argv on to parse_args.", probe="argv_and_sys_argv",
                    gives=lambda: [[HUB_SIZES], [SIZES]]),
            proven("flag-missing", "One of the flags --model, --max-new-tokens and "
                   "--seed is not known.",
                   lambda got: got["returned"] == "SystemExit(2)"
                   and "unrecognized arguments" in got["said"]),
            ends("returns-none", "main returns nothing: 0 says that all went well.",
                 None),
            ends("exits", "main ends the program; it should return its exit status.",
                 "SystemExit(0)"),
            ends("returns-true", "True is 1 as an exit status, which means failure.",
                 True),
            ends("returns-one", "1 is the exit status of a failure; 0 says that all "
                 "went well.", 1),
            *name_missing("main"),
            OTHER_TOKENIZER,
            expect=lambda: {"returned": 0},
        ),
        row(
            "builds the model with the sizes in the checkpoint's config.json", "sizes",
            Mistake("sizes-of-gpt2-small", "These are GPT2Config's defaults, GPT-2 "
                    "small's.", gives=lambda: SMALL),
            Mistake("model-ignored", f"These are the sizes of {DEFAULT}: --model is "
                    "not used.", gives=lambda: HUB_SIZES),
            Mistake("inner-size-assumed", "n_inner is taken for 4 × n_embd, which is "
                    "right only where config.json has none.",
                    gives=lambda: {**SIZES, "n_inner": 4 * SIZES["n_embd"]}),
            expect=lambda: SIZES, needs=(),
        ),
        row(
            "gives the model the checkpoint's weights before it is used", "logits_of",
            proven("weights-not-loaded", "The weights are never loaded: the model "
                   "writes with random ones.", never_loaded, "events"),
            proven("weights-loaded-late", "The weights are loaded after the model was "
                   "first compiled or run, which keeps the random ones it had then.",
                   loaded_late, "events"),
            proven("weights-into-another", "The weights went into another model than "
                   "the one that writes.", loaded_elsewhere, "events"),
            given=(IDS,), expect=lambda: after(*IDS), tolerance=1e-3,
        ),
        row(
            "loads the tokenizer of the same model", "ids_of",
            OTHER_TOKENIZER,
            given=(TEXT,), expect=lambda: np.array([IDS], np.int64),
        ),
        row(
            "tells the generator how many positions the model has", "context_length",
            Mistake("context-of-gpt2", "1024 is the default, GPT-2's own n_positions: "
                    "pass the model's on as context_length.", gives=lambda: 1024),
            expect=lambda: SIZES["n_positions"],
        ),
        row(
            "tests a forward pass of its own", "events",
            proven("no-forward-pass", "The model is not run on a sample input.",
                   lambda got: "generate" in got and "forward" not in got),
            accept=forward_before,
        ),
        row(
            "prints the shape of the logits and the most likely next token", "printed",
            accept=forward_printed,
        ),
        row(
            "writes greedily, then at a moderate and at a higher temperature", "texts",
            NOT_CALLED,
            proven("all-greedy", "All texts are greedy: temperature means nothing "
                   "while do_sample is False.",
                   lambda got: some(got) and not temperatures(got)),
            proven("never-greedy", "No text is greedy: do_sample=False makes it so.",
                   lambda got: some(got) and not greedy(got)),
            proven("same-temperature", "All sampled texts have the same temperature.",
                   lambda got: len(temperatures(got)) > 1
                   and len(set(temperatures(got))) == 1),
            accept=three_ways,
        ),
        row(
            "writes as many tokens as --max-new-tokens says", "texts",
            proven("length-ignored", "--max-new-tokens is not passed on to generate.",
                   lambda got: some(got) and NEW not in lengths(got)),
            proven("length-sometimes-ignored", "--max-new-tokens is not passed on to "
                   "each call of generate.",
                   lambda got: NEW in lengths(got) and set(lengths(got)) != {NEW}),
            accept=lengths_right,
        ),
        row(
            "samples with the seed that --seed says", "seeds",
            proven("seed-ignored", "--seed is not passed on to generate.",
                   lambda got: None in got[0]),
            proven("seed-fixed", "The seed is the same whatever --seed says.",
                   lambda got: bool(set(got[0]) & set(got[1]))),
            accept=seeds_right,
        ),
        row(
            "prints all that it writes", "shown",
            proven("nothing-printed", "The texts are written and not printed.",
                   lambda got: some(got) and not any(map(bool, got))),
            accept=all_shown,
        ),
        row(
            "does nothing when it is only imported", "on_import",
            proven("runs-on-import", "main is called when the file is imported: call "
                   'it below if __name__ == "__main__".',
                   lambda got: got[0].startswith(("build", "load"))),
            expect=list,
        ),
    ),
    compiled=Check("compiled and run by MAX: the same greedy text", "greedy_by_max",
                   accept=text_is_right),
)  # fmt: skip
