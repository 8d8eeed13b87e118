"""Step 10, ``demo.py``: the whole pipeline, from a checkpoint to text.

``main`` runs on a small checkpoint with random weights in Hugging Face's layout. The
parts it puts together, those of steps 1 to 9, note what they are asked; nothing is
said about how ``main`` is written. The oracle of the logits is GPT-2 in NumPy
(``tests/checkpoints.py``). Without ``--model`` the stand-in hub would answer, which
holds another model.
"""

import contextlib
import importlib
import importlib.util
import inspect
import io
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from checker.probe import Learner, Unusable, array, attribute, replaced, tensor
from checker.table import Check, Mistake, Step
from tests.checkpoints import (
    DEFAULT,
    HUB_SIZES,
    SIZES,
    bundled,
    hub,
    logits,
    other,
    tiny,
    weights,
)
from tests.s01_config import SIZES as SMALL

NEW, SEED, OTHER_SEED = 5, 11, 77
TEXT = "Mr. Darcy is at Pemberley."

Record = dict[str, Any]


# The run, and what the parts note.


def main_on(learner: Learner, seed: int = SEED, *, new: int = NEW) -> list[str]:
    folder = tiny(os.getcwd())
    return ["--model", folder, "--max-new-tokens", str(new), "--seed", str(seed)]


def run(learner: Learner) -> Record:
    """What happened when main ran on the small checkpoint; once for all probes."""
    kept = vars(learner).get("run")
    if kept is None:
        kept = vars(learner)["run"] = recorded(learner, main_on(learner))
    return kept


def empty() -> Record:
    return {
        "returned": None,
        "error": None,
        "built": [],
        "events": [],
        "generated": [],
        "model": None,
        "tokenizer": None,
    }


def recorded(learner: Learner, arguments: list[str], *, pass_on: bool = True) -> Record:
    record = empty()
    main = learner.main
    said = io.StringIO()
    with hub(), noting(record), _redirected(said):
        try:
            record["returned"] = _plain(main(arguments) if pass_on else main())
        except SystemExit as end:
            record["returned"] = f"SystemExit({end.code})"
        except Exception as error:
            record["error"] = error
    record["said"] = said.getvalue()
    if record["returned"] != 0:
        print(record["said"])
    return record


@contextlib.contextmanager
def _redirected(said: io.StringIO) -> Iterator[None]:
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        yield


def _plain(value: object) -> Any:
    return value if isinstance(value, int | str | float | None) else repr(value)


@contextlib.contextmanager
def noting(record: Record) -> Iterator[None]:
    """For a while, the classes of steps 7, 8 and 9 and MAX note what they are asked."""
    from max.engine import InferenceSession

    model = importlib.import_module("model")
    generator = importlib.import_module("generator").TextGenerator
    events: list[str] = record["events"]
    depth = [0]
    kinds: set[type] = set()
    stack = contextlib.ExitStack()

    def note(owner: Any, name: str, noting: Callable[..., Any]) -> None:
        noted = _around(getattr(owner, name), noting)
        stack.enter_context(replaced(owner, name, noted))

    def compiles(old: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """What is compiled notes when it runs; its class depends on who compiles."""
        compiled = old(*args, **more)
        if type(compiled) not in kinds:
            kinds.add(type(compiled))
            note(type(compiled), "execute", runs)
        return compiled

    def builds(old: Callable[..., None], self: Any, *args: Any, **more: Any) -> None:
        config = more.get("config", args[0] if args else None)
        record["built"].append({name: _size(config, name) for name in SIZES})
        events.append("build")
        old(self, *args, **more)

    def loads(old: Callable[..., Any], *args: Any, **more: Any) -> Any:
        answer = old(*args, **more)
        events.append("load")
        return answer

    def runs(old: Callable[..., Any], *args: Any, **more: Any) -> Any:
        if not depth[0]:
            events.append("forward")
        return old(*args, **more)

    def calls(old: Callable[..., Any], self: Any, ids: Any, *args: Any) -> Any:
        if not depth[0]:
            events.append("forward" if getattr(ids, "real", True) else "trace")
        return old(self, ids, *args)

    def takes(old: Callable[..., None], self: Any, *args: Any, **more: Any) -> None:
        given = dict(zip(("model", "tokenizer"), args, strict=False)) | more
        record["model"], record["tokenizer"] = given["model"], given["tokenizer"]
        old(self, *args, **more)

    def writes(old: Callable[..., str], *args: Any, **more: Any) -> Any:
        try:
            asked = inspect.signature(old).bind(*args, **more)
        except TypeError:
            return old(*args, **more)  # says it in the words that everybody knows
        asked.apply_defaults()
        settings = {n: _plain(v) for n, v in asked.arguments.items() if n != "self"}
        events.append("generate")
        depth[0] += 1
        try:
            text = old(*args, **more)
        finally:
            depth[0] -= 1
        record["generated"].append({**settings, "text": text})
        return text

    places = (
        (model.MaxGPT2Model, "__init__", builds),
        (model.MaxGPT2Model, "load_huggingface_weights", loads),
        (model.GPTModel, "__call__", calls),
        (InferenceSession, "load", compiles),
        (generator, "__init__", takes),
        (generator, "generate", writes),
    )
    with stack:
        for place in places:
            note(*place)
        yield


def _around(old: Callable[..., Any], noting: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*args: Any, **more: Any) -> Any:
        return noting(old, *args, **more)

    return noted


def _size(config: Any, name: str) -> Any:
    return _plain(getattr(config, name, None))


# Probes, on the learner's main.


def to_the_end(learner: Learner) -> Record:
    record = run(learner)
    if record["error"] is not None:
        raise record["error"]
    return {"returned": record["returned"], "said": record["said"][-2000:]}


def sizes_built(learner: Learner) -> dict[str, Any]:
    record = run(learner)
    if not record["built"]:
        raise record["error"] or Unusable("main made no MaxGPT2Model")
    return dict(record["built"][-1])


def logits_used(learner: Learner) -> np.ndarray:
    """The logits of the model that the generator was given."""
    record = run(learner)
    if record["model"] is None:
        raise Unusable("main made no TextGenerator")
    ids = np.array([bundled().encode(TEXT)], np.int64)
    with hub():
        found = array(record["model"](tensor(ids)), "what the generator's model gives")
    return found[0, -1]


def ids_used(learner: Learner) -> np.ndarray:
    """What the tokenizer that the generator was given makes of a text."""
    record = run(learner)
    if record["tokenizer"] is None:
        raise Unusable("main made no TextGenerator")
    with hub():
        return array(attribute(record["tokenizer"], "encode")(TEXT), "encode(text)")


def events(learner: Learner) -> list[str]:
    return list(run(learner)["events"])


def generated(learner: Learner) -> list[Record]:
    return list(run(learner)["generated"])


def lengths(learner: Learner) -> list[Any]:
    return [each.get("max_new_tokens") for each in generated(learner)]


def seeds(learner: Learner) -> list[list[Any]]:
    """The seeds of the sampled texts; again for another --seed, if they are others."""
    first = _seeds(run(learner))
    if all(seed == SEED for seed in first):
        return [first]
    return [first, _seeds(recorded(learner, main_on(learner, OTHER_SEED, new=1)))]


def _seeds(record: Record) -> list[Any]:
    return [each.get("seed") for each in record["generated"] if each.get("do_sample")]


def shown(learner: Learner) -> list[bool]:
    """For each text that was generated, whether it has been printed."""
    record = run(learner)
    said = _letters(record["said"])
    return [_is_in(said, each) for each in record["generated"]]


def _is_in(said: str, each: Record) -> bool:
    text, prompt = each["text"], str(each.get("prompt"))
    forms = {text, text.removeprefix(prompt), repr(text), repr(text)[1:-1]}
    return any(_letters(form) and _letters(form) in said for form in forms)


def _letters(text: str) -> str:
    """Letters and digits only: a screen breaks lines and draws frames."""
    return "".join(sign for sign in text if sign.isalnum())


class Enough(BaseException):
    """What is asked has been seen."""


class First(list[str]):
    """Ends with its first event."""

    def append(self, event: str) -> None:
        super().append(event)
        raise Enough


def on_import(learner: Learner) -> list[str]:
    """What the parts note first while the file is imported once more."""
    record = empty() | {"events": First()}
    spec = learner.names()["__spec__"]
    with hub(), noting(record), _redirected(io.StringIO()):
        with contextlib.suppress(Enough):
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        return list(record["events"])


def from_sys_argv(learner: Learner) -> Any:
    """What main returns when the arguments are those of the command line."""
    with replaced(sys, "argv", ["demo.py", *main_on(learner)]):
        return recorded(learner, [], pass_on=False)["returned"]


def greedy_by_max(learner: Learner) -> list[Record]:
    found = recorded(learner, main_on(learner, new=2))
    if found["error"] is not None:
        raise found["error"]
    return [each for each in found["generated"] if not each.get("do_sample")]


# Oracle.


@cache
def right_logits() -> np.ndarray:
    return logits(bundled().encode(TEXT), weights())


def continued(prompt: str, count: int) -> str:
    ids = bundled().encode(prompt)
    for _ in range(count):
        ids.append(int(logits(ids, weights()).argmax()))
    return bundled().decode(ids)


def text_is_right(got: list[Record]) -> str | None:
    for each in got:
        want = continued(each["prompt"], each["max_new_tokens"])
        if each["text"] != want:
            return f"got {each['text']!r}, want {want!r}"
    return None if got else "nothing was written greedily"


def forward_before(got: list[str]) -> str | None:
    if "forward" not in got:
        return "nothing but generate runs the model"
    return None


def three_ways(got: list[Record]) -> str | None:
    temperatures = _in_order(got)
    if not got:
        return "generate was not called"
    if not _greedy(got):
        return "do_sample is never False"
    if len(temperatures) < 2:
        return f"the temperatures of the sampled texts are {temperatures}, want two"
    if temperatures[-1] <= temperatures[0]:
        return f"the temperatures are {temperatures}; the last is to be the highest"
    return None


def _greedy(got: list[Record]) -> list[Record]:
    return [each for each in got if not each.get("do_sample")]


def _temperatures(got: list[Record]) -> list[float]:
    return [float(each["temperature"]) for each in got if each.get("do_sample")]


def _in_order(got: list[Record]) -> list[float]:
    """The temperatures, each where it comes first."""
    return list(dict.fromkeys(_temperatures(got)))


def lengths_right(got: list[Any]) -> str | None:
    if not got:
        return "generate was not called"
    wrong = [n for n in got if n != NEW]
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
    if not got:
        return "generate was not called"
    missing = got.count(False)
    return f"{missing} of {len(got)} texts are not printed" if missing else None


RUNS = "runs on a checkpoint's folder to the end and returns 0"

STEP = Step(
    uses=("config", "model", "tokenizer", "generator"),
    checks=(
        Check(
            RUNS,
            to_the_end,
            expect=lambda: {"returned": 0},
            where="main",
            mistakes=(
                Mistake(
                    "argv-ignored",
                    "The arguments are read from the command line, not from argv: hand "
                    "argv on to parse_args.",
                    probe=from_sys_argv,
                    gives=lambda: 0,
                ),
                Mistake(
                    "flag-missing",
                    "One of the flags --model, --max-new-tokens and --seed is not "
                    "known, or spelt otherwise.",
                    recognise=lambda got: (
                        got["returned"] == "SystemExit(2)"
                        and "unrecognized arguments" in got["said"]
                    ),
                ),
                Mistake(
                    "flag-refused",
                    "The value of a flag is refused: N is a whole number, and --model "
                    "a name or a folder.",
                    recognise=lambda got: got["returned"] == "SystemExit(2)",
                ),
                Mistake(
                    "returns-none",
                    "main returns nothing: 0 says that all went well.",
                    recognise=lambda got: got["returned"] is None,
                ),
                Mistake(
                    "exits",
                    "main ends the program; it returns its exit status.",
                    recognise=lambda got: str(got["returned"]).startswith("SystemExit"),
                ),
                Mistake(
                    "returns-true",
                    "True is 1 as an exit status: something went wrong, it says.",
                    recognise=lambda got: got["returned"] is True,
                ),
                Mistake(
                    "returns-text",
                    "main returns a text; it returns its exit status, a number.",
                    recognise=lambda got: isinstance(got["returned"], str),
                ),
                Mistake(
                    "returns-something-else",
                    "0 says that all went well, any other number that it did not.",
                    recognise=lambda got: (
                        got["returned"] != 0
                        and isinstance(got["returned"], int | float)
                    ),
                ),
                Mistake(
                    "no-main",
                    "The demo is a function called main.",
                    raises=r"^Unusable: .* has no `main`",
                ),
                Mistake(
                    "no-argv",
                    "main takes the arguments, main(argv=None).",
                    raises=r"main\(\) takes 0 positional arguments",
                ),
                Mistake(
                    "misspelt",
                    "An argument or a method of the part in use has another name.",
                    raises=r"unexpected keyword argument|has no attribute '\w+'$",
                ),
                Mistake(
                    "positional",
                    "This part takes its settings by name.",
                    raises=r"takes \d+ positional arguments? but|"
                    r"missing \d+ required (positional|keyword-only) argument",
                ),
                Mistake(
                    "head-not-tied",
                    "A checkpoint of GPT-2 has no lm_head.weight: it is wte.weight.",
                    raises=r"(no tensor |KeyError: .*)lm_head",
                ),
                Mistake(
                    "names-not-prefixed",
                    "The model asks for transformer.wte.weight and so on; on the hub "
                    "the names have no prefix.",
                    raises=r"(no tensor |KeyError: .*)transformer\.",
                ),
                Mistake(
                    "greedy-by-temperature",
                    "A temperature of 0 is not greedy, it divides by zero: "
                    "do_sample=False is.",
                    raises=r"temperature (is|was|must|=).*\b0|division by zero",
                ),
                Mistake(
                    "flag-is-text",
                    "The value of a flag is still text: type=int makes it a number.",
                    raises=r"between instances of '(str|int)' and '(str|int)'|"
                    r"'str' object cannot be interpreted as an integer|"
                    r"SeedSequence expects|must be (str|an integer), not|"
                    r"invalid literal for int",
                ),
                Mistake(
                    "tokenizer-of-the-default",
                    f"The tokenizer is that of {DEFAULT}: hand the model's on.",
                    probe=ids_used,
                    gives=lambda: np.array([other().encode(TEXT)], np.int64),
                ),
                Mistake(
                    "sizes-of-another-model",
                    "The model's sizes are not those of the checkpoint's config.json.",
                    probe=sizes_built,
                    recognise=lambda got: got != SIZES,
                ),
            ),
        ),
        Check(
            "builds the model with the sizes in the checkpoint's config.json",
            sizes_built,
            expect=lambda: SIZES,
            where="main",
            mistakes=(
                Mistake(
                    "sizes-of-gpt2-small",
                    "These are the defaults of GPT2Config, GPT-2 small's.",
                    gives=lambda: SMALL,
                ),
                Mistake(
                    "model-ignored",
                    f"These are the sizes of {DEFAULT}: --model is not used.",
                    gives=lambda: HUB_SIZES,
                ),
                Mistake(
                    "some-sizes-of-gpt2-small",
                    "Some of the sizes are GPT2Config's defaults, GPT-2 small's: hand "
                    "on all seven.",
                    recognise=lambda got: (
                        got != SIZES
                        and all(got.get(n) in (SIZES[n], SMALL[n]) for n in SIZES)
                    ),
                ),
                Mistake(
                    "inner-size-assumed",
                    "n_inner is taken for 4 × n_embd, which holds only where "
                    "config.json has none.",
                    recognise=lambda got: (
                        got == {**SIZES, "n_inner": 4 * SIZES["n_embd"]}
                    ),
                ),
                Mistake(
                    "inner-size-none",
                    "A size is None: the model needs a number.",
                    recognise=lambda got: None in got.values(),
                ),
                Mistake(
                    "another-model",
                    "These are another model's sizes: --model is not used.",
                    recognise=lambda got: (
                        got["vocab_size"] != SIZES["vocab_size"]
                        or got["n_embd"] != SIZES["n_embd"]
                    ),
                ),
                Mistake(
                    "no-model",
                    "MaxGPT2Model is the model of step 7.",
                    raises=r"^Unusable: main made no",
                ),
                Mistake(
                    "no-main",
                    "The demo is a function called main.",
                    raises=r"^Unusable: .* has no `main`",
                ),
            ),
        ),
        Check(
            "gives the model the checkpoint's weights before it is used",
            logits_used,
            expect=right_logits,
            needs=(RUNS,),
            tolerance=1e-3,
            where="main",
            mistakes=(
                Mistake(
                    "weights-not-loaded",
                    "The weights are never loaded: the model writes with random ones.",
                    probe=events,
                    recognise=lambda got: "load" not in got,
                ),
                Mistake(
                    "weights-loaded-late",
                    "The weights are loaded after the model was compiled or used, "
                    "which keeps the random ones it had then.",
                    probe=events,
                    recognise=lambda got: bool(
                        {"trace", "forward"} & set(got[: got.index("load")])
                    ),
                ),
                Mistake(
                    "weights-into-another",
                    "The weights went into another model than the one that writes.",
                    probe=events,
                    recognise=lambda got: got.count("build") > 1,
                ),
                Mistake(
                    "other-weights",
                    "The logits are not those of the checkpoint's weights.",
                    probe=logits_used,
                    recognise=lambda got: (
                        isinstance(got, np.ndarray)
                        and got.shape == right_logits().shape
                        and not np.allclose(got, right_logits(), 1e-2, 1e-2)
                    ),
                ),
                Mistake(
                    "no-generator",
                    "TextGenerator is the generator of step 9.",
                    raises=r"^Unusable: main made no",
                ),
            ),
        ),
        Check(
            "loads the tokenizer of the same model",
            ids_used,
            expect=lambda: np.array([bundled().encode(TEXT)], np.int64),
            needs=(RUNS,),
            where="main",
            mistakes=(
                Mistake(
                    "tokenizer-of-the-default",
                    f"This is the tokenizer of {DEFAULT}: hand the model's on.",
                    gives=lambda: np.array([other().encode(TEXT)], np.int64),
                ),
            ),
        ),
        Check(
            "tests a forward pass of its own",
            events,
            accept=forward_before,
            needs=(RUNS,),
            where="main",
            mistakes=(
                Mistake(
                    "no-forward-pass",
                    "The model is not run on a sample input.",
                    recognise=lambda got: "forward" not in got,
                ),
            ),
        ),
        Check(
            "writes greedily, then at a moderate and at a higher temperature",
            generated,
            accept=three_ways,
            needs=(RUNS,),
            where="main",
            mistakes=(
                Mistake(
                    "nothing-written",
                    "generate is not called.",
                    recognise=lambda got: not got,
                ),
                Mistake(
                    "all-greedy",
                    "All texts are greedy: temperature says nothing while do_sample is "
                    "False.",
                    recognise=lambda got: bool(got) and not _temperatures(got),
                ),
                Mistake(
                    "never-greedy",
                    "No text is greedy: do_sample=False makes it so.",
                    recognise=lambda got: bool(got) and not _greedy(got),
                ),
                Mistake(
                    "one-temperature",
                    "There is one sampled text; moderate and creative are two.",
                    recognise=lambda got: len(_temperatures(got)) == 1,
                ),
                Mistake(
                    "same-temperature",
                    "All sampled texts have the same temperature.",
                    recognise=lambda got: (
                        len(_temperatures(got)) > 1
                        and len(set(_temperatures(got))) == 1
                    ),
                ),
                Mistake(
                    "temperatures-swapped",
                    "The temperature sinks; the creative text has the higher one.",
                    recognise=lambda got: (
                        len(set(_temperatures(got))) > 1
                        and _temperatures(got)[-1] <= _temperatures(got)[0]
                    ),
                ),
            ),
        ),
        Check(
            "writes as many tokens as --max-new-tokens says",
            lengths,
            accept=lengths_right,
            needs=(RUNS,),
            where="main",
            mistakes=(
                Mistake(
                    "length-ignored",
                    "--max-new-tokens is not handed on to generate.",
                    recognise=lambda got: bool(got) and NEW not in got,
                ),
                Mistake(
                    "length-sometimes-ignored",
                    "--max-new-tokens is not handed on to each generate.",
                    recognise=lambda got: NEW in got and set(got) != {NEW},
                ),
                Mistake(
                    "nothing-written",
                    "generate is not called.",
                    recognise=lambda got: not got,
                ),
            ),
        ),
        Check(
            "samples with the seed that --seed says",
            seeds,
            accept=seeds_right,
            needs=(RUNS,),
            where="main",
            mistakes=(
                Mistake(
                    "nothing-sampled",
                    "Nothing is sampled.",
                    recognise=lambda got: not got[0],
                ),
                Mistake(
                    "seed-ignored",
                    "--seed is not handed on to generate.",
                    recognise=lambda got: None in got[0],
                ),
                Mistake(
                    "seed-fixed",
                    "The seed is the same whatever --seed says.",
                    recognise=lambda got: (
                        len(got) > 1 and bool(set(got[0]) & set(got[1]))
                    ),
                ),
            ),
        ),
        Check(
            "prints all that it writes",
            shown,
            accept=all_shown,
            needs=(RUNS,),
            where="main",
            mistakes=(
                Mistake(
                    "nothing-printed",
                    "The texts are written and not printed.",
                    recognise=lambda got: not any(got),
                ),
                Mistake(
                    "not-all-printed",
                    "Some of the texts are written and not printed.",
                    recognise=lambda got: any(got) and not all(got),
                ),
            ),
        ),
        Check(
            "does nothing when it is only imported",
            on_import,
            expect=list,
            needs=(RUNS,),
            mistakes=(
                Mistake(
                    "runs-on-import",
                    "main is called when the file is imported: call it below "
                    'if __name__ == "__main__".',
                    recognise=bool,
                ),
            ),
        ),
    ),
    compiled=Check(
        "compiled and run by MAX: the same greedy text",
        greedy_by_max,
        accept=text_is_right,
    ),
)
