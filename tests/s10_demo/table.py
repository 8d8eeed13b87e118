"""Step 10, ``demo.py``: the whole pipeline, from a checkpoint to text.

The oracle of the logits is GPT-2 in NumPy (``tests/support/gpt2.py``), that of the ids
byte-level BPE (``tests/support/bpe.py``).
"""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from checker.table import Check, Mistake, Table, refusals
from tests.s01_config.table import SIZES as GPT2_SMALL
from tests.s10_demo.probes import NEW, OTHER_SEED, SEED
from tests.support.bpe import bundled, other
from tests.support.data import Array
from tests.support.gpt2 import logits
from tests.support.rows import name_missing
from tests.support.stand_ins import DEFAULT, HUB_SIZES, SIZES, weights

Facts = dict[str, Any]
TEXT = "Mr. Darcy is at Pemberley."
IDS = bundled().encode(TEXT)


@cache
def after(*ids: int) -> Array:
    """The logits after the last of the ids."""
    return logits(list(ids), weights())


# What is printed


def numbers(said: str) -> list[int]:
    """The whole numbers in a text; 2,048 is one and also two."""
    joined = re.sub(r"(?<=\d),(?=\d{3}\b)", "", said)
    found = re.findall(r"\d+(?:\.\d+)?", f"{said}\n{joined}")
    return [int(float(each)) for each in found if float(each).is_integer()]


def shape(ids: list[list[int]], vocab_size: int = SIZES["vocab_size"]) -> list[int]:
    """That of the logits."""
    return [*np.shape(ids), vocab_size]


def numbers_are_in(wanted: list[int], said: str) -> bool:
    """Whether they are there in this order."""
    rest = iter(numbers(said))
    return all(number in rest for number in wanted)


def shape_is_in(ids: list[list[int]], said: str) -> bool:
    return numbers_are_in(shape(ids), said)


def likeliest(ids: list[list[int]]) -> list[int]:
    """The most likely next tokens: several where rounding decides."""
    last = np.array([after(*row) for row in ids])
    found = np.argwhere(last > last.max(-1, keepdims=True) - 2e-4)
    return [int(one) for one in found[:, 1]]


def unsaid(ids: list[list[int]], said: str) -> str | None:
    """What is not printed about one run of the model."""
    if not shape_is_in(ids, said):
        return f"the shape of the logits, {shape(ids)}, is not printed"
    if not {*likeliest(ids)} & {*numbers(said)}:
        token = likeliest(ids)[0]
        return f"the id of the most likely next token, {token}, is not printed"
    return None


def no_shape(ids: list[list[int]], said: str) -> bool:
    return not shape_is_in(ids, said) and bool({*likeliest(ids)} & {*numbers(said)})


def no_token(ids: list[list[int]], said: str) -> bool:
    return shape_is_in(ids, said) and {*numbers(said)} <= {*shape(ids)}


def of_each_run(judge: Callable[..., bool]) -> Callable[[Facts], bool]:
    return lambda got: bool(got["runs"]) and all(judge(**run) for run in got["runs"])


def forward_printed(got: Facts) -> str | None:
    faults = [unsaid(**run) for run in got["runs"]]
    if not faults:
        return "nothing but generate runs the model"
    return None if None in faults else faults[-1]


def printed(wrong: Callable[[list[int]], int]) -> Callable[[Facts], bool]:
    """Whether another number is printed for the id after each run: ``wrong(ids)``."""
    return of_each_run(
        lambda ids, said: (
            wrong(ids[0]) in numbers(said) and unsaid(ids, said) is not None
        )
    )


def of_all_positions(ids: list[int]) -> int:
    """The index of the largest logit, counted through all positions."""
    return int(np.argmax([after(*ids[: t + 1]) for t in range(len(ids))]))


def letters(text: str) -> str:
    """Letters and digits only: a screen breaks lines and draws frames."""
    return "".join(sign for sign in text if sign.isalnum())


def shown(got: Facts) -> list[bool]:
    """For each text that was generated, whether it has been printed."""
    said, found = letters(got["said"]), []
    for each in got["texts"]:
        text = each["text"]
        forms = {text, text.removeprefix(each["prompt"]), repr(text)[1:-1]}
        found.append(any(letters(form) and letters(form) in said for form in forms))
    return found


def all_shown(got: Facts) -> str | None:
    missing = shown(got).count(False)
    return f"{missing} of {len(shown(got))} texts are not printed" if missing else None


# What generate is asked


def asked(got: Facts, name: str) -> list[Any]:
    return [each[name] for each in got["texts"]]


def heats(got: Facts) -> list[float]:
    return [each["temperature"] for each in got["texts"] if each["do_sample"]]


def three_ways(got: Facts) -> str | None:
    found = list(dict.fromkeys(heats(got)))
    if not got["texts"]:
        return "generate was not called"
    if all(asked(got, "do_sample")):
        return "do_sample is never False"
    if len(found) < 2:
        return f"the temperatures of the sampled texts are {found}, want two"
    if found[-1] <= found[0]:
        return f"the temperatures are {found}; the last has to be the highest"
    return None


def lengths_right(got: Facts) -> str | None:
    wrong = [n for n in asked(got, "max_new_tokens") if n != NEW]
    return f"max_new_tokens was {wrong[0]!r}, want {NEW}" if wrong else None


def seeds_right(got: list[list[Any]]) -> str | None:
    if None in got[0]:
        return f"the seed was None, want {SEED}"
    if len(got) > 1 and set(got[0]) & set(got[1]):
        return f"--seed {SEED} and --seed {OTHER_SEED} gave generate the same seed"
    return None


def contexts_right(got: Facts) -> str | None:
    want = SIZES["n_positions"]
    wrong = [n for n in got["context lengths"] if n != want]
    return f"context_length is {wrong[0]}, want {want}" if wrong else None


def other_values_right(got: Facts) -> str | None:
    want: Facts = {
        "sizes": HUB_SIZES,
        "context_length": HUB_SIZES["n_positions"],
        "max_new_tokens": 0,
    }
    if set(got["seed before"]) == {SEED}:  # not a number that is computed from it
        want["seed"] = 0
    for name, value in want.items():
        for found in got[name]:
            if found != value:
                return f"{name} is {found!r}, want {value!r}"
    shapes = [shape(ids, HUB_SIZES["vocab_size"]) for ids in got["runs"]]
    if not any(numbers_are_in(each, got["said"]) for each in shapes):
        return f"the shape of the logits, {shapes[-1:]}, is not printed"
    return None


def text_is_right(got: list[Facts]) -> str | None:
    for each in got:
        ids = bundled().encode(each["prompt"])
        for _ in range(each["max_new_tokens"]):
            ids.append(int(after(*ids).argmax()))
        if each["text"] != (want := bundled().decode(ids)):
            return f"got {each['text']!r}, want {want!r}"
    return None if got else "nothing was written greedily"


# What happened to the models


def happened(judge: Callable[[str], Any]) -> Callable[[Facts], bool]:
    """A judgement of the events, joined."""
    return lambda got: bool(got["events"] and judge(" ".join(got["events"])))


def into_another(events: str) -> bool:
    """A model that was traced or run was never loaded, and another one was."""
    used = set(re.findall(r"(?:trace|forward) (\d)", events))
    loaded = set(re.findall(r"load (\d)", events))
    return bool(loaded and used - loaded)


def some_of_gpt2_small(got: Facts) -> bool:
    kinds = {(got[n] == SIZES[n], got[n] == GPT2_SMALL[n]) for n in SIZES}
    return kinds == {(True, False), (False, True)}


def ends(judge: Callable[[Any], bool]) -> Callable[[Facts], bool]:
    return lambda got: "said" in got and judge(got["returned"])


ENDS: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("flag-missing", "One of the flags --model, --max-new-tokens and --seed is missing "
     "or has another name.", lambda got: got["returned"] == "SystemExit(2)" and bool(
         re.search(r"unrecognized arguments: --(model|max-new|seed)", got["said"]))),
    ("returns-none", "main returns nothing: 0 says that all went well.",
     ends(lambda value: value is None)),
    ("exits", "main ends the program; it has to return its exit status.",
     ends(lambda value: value in ("SystemExit(0)", "SystemExit(None)"))),
    ("returns-true", "True counts as 1 as an exit status, which means failure.",
     ends(lambda value: value is True)),
    ("returns-text", "main returns a text; it has to return its exit status, a number.",
     ends(lambda value: isinstance(value, str) and value[:11] != "SystemExit(")),
    ("returns-failure", "0 says that all went well; another exit status is a failure.",
     ends(lambda value: type(value) is int and 0 < value < 256)),
)  # fmt: skip

RUNS = "runs on a checkpoint's folder to the end and returns 0"
SIZED = "builds the model with the sizes in the checkpoint's config.json"
LOADS = "gives the model the checkpoint's weights before it is used"
WRITES = "writes greedily, then at a moderate and at a higher temperature"
ARGV_IGNORED = Mistake(
    "argv-ignored",
    "The arguments are read from the command line, not from argv: pass argv on to "
    "parse_args.",
    proves=lambda got: got[0] != got[1] == [SIZES],
    probe="both_argvs",
)
DEFAULT_TOKENIZER = Mistake(
    "tokenizer-of-the-default",
    f"This is the tokenizer of {DEFAULT}: pass the model's folder on.",
    gives=lambda: np.array([other().encode(TEXT)], np.int64),
    probe="ids_used",
    given=(TEXT,),
)


def known(
    name: str, message: str, proves: Callable[[Any], Any], probe: str = ""
) -> Mistake:
    return Mistake(name, message, proves=proves, probe=probe)


def row(name: str, probe: str, *mistakes: Mistake, **more: Any) -> Check:
    more = {"where": "main", "needs": (RUNS, SIZED), **more}
    return Check(name, probe, mistakes=mistakes, **more)


TABLE = Table(
    uses=("config", "model", "tokenizer", "generator"),
    checks=(
        row(RUNS, "to_the_end", *name_missing("main"), ARGV_IGNORED,
            *(known(*each) for each in ENDS),
            known("greedy-by-temperature", "A temperature of 0 is not greedy, it "
                  "divides by 0: pass do_sample=False.", lambda got: 0 in heats(got),
                  "facts"),
            known("flag-is-text", "The value of a flag is still text: type=int makes "
                  "it a number.", lambda got: {str(NEW), str(SEED)} & {
                      *asked(got, "max_new_tokens"), *asked(got, "seed")}, "facts"),
            DEFAULT_TOKENIZER, expect=lambda: {"returned": 0}, needs=()),
        row(SIZED, "sizes_built", ARGV_IGNORED,
            Mistake("sizes-of-gpt2-small", "These are the defaults of GPT2Config, "
                    "GPT-2 small's.", gives=lambda: GPT2_SMALL),
            Mistake("model-ignored", f"These are the sizes of {DEFAULT}: --model is "
                    "not used.", gives=lambda: [[HUB_SIZES]] * 2, probe="both_argvs"),
            Mistake("inner-size-assumed", "n_inner is taken as 4 * n_embd, which holds "
                    "only if config.json has none.",
                    gives=lambda: {**SIZES, "n_inner": 4 * SIZES["n_embd"]}),
            known("some-sizes-of-gpt2-small", "Some of the sizes are the defaults of "
                  "GPT2Config, GPT-2 small's: pass all seven on.", some_of_gpt2_small),
            *refusals(("no-model", "The model is MaxGPT2Model, of step 7.",
                       r"^main made no MaxGPT2Model")),
            expect=lambda: SIZES, needs=()),
        row(LOADS, "logits_used",
            known("weights-not-loaded", "The weights are never loaded: the model "
                  "writes with random ones.", happened(lambda e: "load" not in e),
                  "facts"),
            known("weights-loaded-late", "The weights are loaded after the model was "
                  "compiled or used, with the random ones it had then.",
                  happened(lambda e: re.search("(trace|forward).*load", e)), "facts"),
            known("weights-into-another", "The weights are loaded into another model "
                  "than the one that writes.", happened(into_another), "facts"),
            *refusals(("no-generator", "The generator is TextGenerator, of step 9.",
                       r"^main made no TextGenerator")),
            given=(IDS,), expect=lambda: after(*IDS), tolerance=1e-3),
        row("loads the tokenizer of the same model", "ids_used", DEFAULT_TOKENIZER,
            given=(TEXT,), expect=lambda: np.array([IDS], np.int64), needs=(LOADS,)),
        row("runs the model once and prints the logits' shape and the likeliest token",
            "facts",
            known("no-forward-pass", "The model is not run on a sample input.",
                  lambda got: got["texts"] and got["runs"] == []),
            known("test-not-printed", "No number is printed about the run.",
                  of_each_run(lambda ids, said: not numbers(said))),
            known("shape-not-printed", "The id is printed, and the shape is not.",
                  of_each_run(no_shape)),
            known("token-not-printed", "The shape is printed, and no id.",
                  of_each_run(no_token)),
            known("token-after-the-first", "The id printed is that of the most likely "
                  "token after the first position, not after the last.",
                  printed(lambda ids: int(after(ids[0]).argmax()))),
            known("token-of-all-positions", "argmax counts through the logits of all "
                  "positions: take those of the last.", printed(of_all_positions)),
            known("least-likely-token", "The id printed is that of the least likely "
                  "token.", printed(lambda ids: int(after(*ids).argmin()))),
            accept=forward_printed, needs=(LOADS,)),
        row("gives the generator the model's n_positions as its context_length",
            "facts",
            known("default-context", "context_length is left at its default, 1024: the "
                  "model reads fewer tokens.",
                  lambda got: set(got["context lengths"]) == {1024}),
            accept=contexts_right, needs=(LOADS,)),
        row(WRITES, "facts",
            known("nothing-written", "generate is not called.",
                  lambda got: got["texts"] == []),
            known("all-greedy", "All texts are greedy: temperature does not count "
                  "while do_sample is False.",
                  lambda got: got["texts"] and not heats(got)),
            known("never-greedy", "No text is greedy: pass do_sample=False.",
                  lambda got: got["texts"] and all(asked(got, "do_sample"))),
            known("one-temperature", "There is one sampled text; moderate and creative "
                  "are two.", lambda got: len(heats(got)) == 1),
            known("same-temperature", "All sampled texts have the same temperature.",
                  lambda got: len(heats(got)) > len(set(heats(got))) == 1),
            known("temperatures-swapped", "The temperature falls; the creative text "
                  "has the higher one.", lambda got: heats(got)[-1] < heats(got)[0]),
            accept=three_ways),
        row("writes as many tokens as --max-new-tokens says", "facts",
            known("length-ignored", "--max-new-tokens is not passed on to generate.",
                  lambda got: NEW not in asked(got, "max_new_tokens")),
            known("length-sometimes-ignored", "--max-new-tokens is not passed on to "
                  "each generate.",
                  lambda got: {NEW} < set(asked(got, "max_new_tokens"))),
            accept=lengths_right, needs=(WRITES,)),
        row("samples with the seed that --seed says", "seeds",
            known("seed-ignored", "--seed is not passed on to generate.",
                  lambda got: set(got[0]) == {None}),
            known("seed-fixed", "The seed is the same whatever --seed says.",
                  lambda got: set(got[0]) & set(got[1])),
            accept=seeds_right, needs=(WRITES,)),
        row("prints all that it writes", "facts",
            known("nothing-printed", "The texts are written and not printed.",
                  lambda got: set(shown(got)) == {False}),
            known("not-all-printed", "Some of the texts are written and not printed.",
                  lambda got: set(shown(got)) == {False, True}),
            accept=all_shown, needs=(WRITES,)),
        row(f"runs on another checkpoint, {DEFAULT} by default, with --seed 0 and "
            "--max-new-tokens 0", "other_values",
            accept=other_values_right, needs=(WRITES,)),
        row("runs main when it is called as a program", "as_a_program",
            expect=lambda: {"sizes": [SIZES], "max_new_tokens": [1000]}, where=""),
        row("does nothing when it is only imported", "on_import",
            known("runs-on-import", "main is called when the file is imported: call it "
                  'below if __name__ == "__main__".',
                  lambda got: re.match("build|load|trace|forward|generate", got[0])),
            expect=list, where=""),
    ),
    compiled=Check("compiled and run by MAX: the same greedy text", "greedy_by_max",
                   accept=text_is_right),
)  # fmt: skip
