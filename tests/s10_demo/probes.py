"""Step 10: what is asked of the learner's demo.

``main`` runs on a small checkpoint with random weights in Hugging Face's layout. The
parts that it puts together, those of steps 1 to 9, note what they are asked; nothing is
said about how ``main`` is written. Without ``--model`` a hub would answer that holds
another model. There is no accelerator: what ``--device`` does is not judged.
"""

import contextlib
import importlib
import importlib.util
import io
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from checker.worker.probe import Learner, Unusable, array, attribute, replaced, tensor
from tests.support.data import Array
from tests.support.stand_ins import SIZES, hub, tiny

NEW, SEED, OTHER_SEED = 5, 11, 77
GENERATE = {"max_new_tokens": 50, "temperature": 0.8, "do_sample": True, "seed": None}
"""The defaults of ``generate``."""


class Notes:
    """What the classes of steps 7 to 9 and MAX are asked while this is entered.

    Attributes:
        dry: whether ``generate`` is only noted, and writes nothing.
        events: "open" a checkpoint; "build 0", "load 0", "trace 0" or "forward 0" of
            each model; "forward" of a compiled one; "generate".
        models, sizes: each model that was made, and its configuration.
        runs: of each run outside generate the ids, and how much was printed before.
        made: of each TextGenerator what it was made of.
        texts: of each call of generate its settings, and the text.
        said, complained: what was printed, and what to standard error.
        returned, error: how main ended.
    """

    def __init__(self, *, dry: bool = False) -> None:
        self.dry = dry
        self.events: list[str] = []
        self.models: list[Any] = []
        self.sizes: list[dict[str, Any]] = []
        self.runs: list[tuple[Array, int]] = []
        self.made: list[dict[str, Any]] = []
        self.texts: list[dict[str, Any]] = []
        self.said, self.complained = io.StringIO(), io.StringIO()
        self.returned: Any = None
        self.error: Exception | None = None
        self.writing = False
        self.compiled: set[type] = set()
        self.stack = contextlib.ExitStack()

    def __enter__(self) -> "Notes":
        from max import driver
        from max.engine import InferenceSession

        checkpoint = importlib.import_module("models.checkpoint")
        model = importlib.import_module("model").MaxGPT2Model
        generator = importlib.import_module("generator").TextGenerator
        self.stack.enter_context(hub())
        self.stack.enter_context(replaced(driver, "accelerator_count", lambda: 0))
        self.stack.enter_context(contextlib.redirect_stdout(self.said))
        self.stack.enter_context(contextlib.redirect_stderr(self.complained))
        self._note(checkpoint, "open_checkpoint", self._opens)
        self._note(model, "__init__", self._builds)
        self._note(model, "load_huggingface_weights", self._loads)
        self._note(model, "__call__", self._calls)
        self._note(InferenceSession, "load", self._compiles)
        self._note(generator, "__init__", self._takes)
        self._note(generator, "generate", self._writes)
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def _note(self, owner: Any, name: str, note: Callable[..., Any]) -> None:
        """Have ``note`` called for a method, with the old one as first argument."""
        old = getattr(owner, name)
        new = lambda *args, **more: note(old, *args, **more)
        self.stack.enter_context(replaced(owner, name, new))

    def _number(self, model: Any) -> str:
        known = [made is model for made in self.models]
        return f" {known.index(True)}" if True in known else ""

    def _opens(self, old: Any, *args: Any, **more: Any) -> Any:
        self.events.append("open")
        return old(*args, **more)

    def _builds(self, old: Any, model: Any, *args: Any, **more: Any) -> None:
        config = (*args, *more.values())[0] if args or more else None
        self.sizes.append({name: plain(getattr(config, name, None)) for name in SIZES})
        self.models.append(model)
        self.events.append("build" + self._number(model))
        old(model, *args, **more)

    def _loads(self, old: Any, model: Any, *args: Any, **more: Any) -> Any:
        answer = old(model, *args, **more)
        self.events.append("load" + self._number(model))
        return answer

    def _calls(self, old: Any, model: Any, *args: Any, **more: Any) -> Any:
        try:
            self._runs(lambda *_: None, None, *args, *more.values(), of=model)
        except Exception:  # in a graph that is being traced, ids have no values
            self.events.append("trace" + self._number(model))
        return old(model, *args, **more)

    def _compiles(self, old: Any, *args: Any, **more: Any) -> Any:
        """What is compiled notes when it runs; its class depends on who compiles."""
        compiled = old(*args, **more)
        if type(compiled) not in self.compiled:
            self.compiled.add(type(compiled))
            self._note(type(compiled), "execute", self._runs)
        return compiled

    def _runs(self, old: Any, compiled: Any, *args: Any, of: Any = None) -> Any:
        if not self.writing:
            ids = np.array(np.from_dlpack(args[0]))
            self.events.append("forward" + self._number(of))
            self.runs.append((ids, len(self.said.getvalue())))
        return old(compiled, *args)

    def _takes(self, old: Any, made: Any, *args: Any, **more: Any) -> None:
        named = dict(zip(("model", "tokenizer"), args, strict=False))
        self.made.append({"context_length": 1024, **named, **more})
        old(made, *args, **more)

    def _writes(self, old: Any, made: Any, *args: Any, **more: Any) -> Any:
        asked = {**GENERATE, **dict(zip(("prompt",), args, strict=False)), **more}
        self.texts.append({name: plain(value) for name, value in asked.items()})
        self.events.append("generate")
        self.writing = True
        try:
            text = asked["prompt"] if self.dry else old(made, *args, **more)
            self.texts[-1]["text"] = text
        finally:
            self.writing = False
        return text


def plain(value: object) -> Any:
    return value if isinstance(value, int | str | float | None) else repr(value)


def arguments(seed: int = SEED, new: int = NEW) -> list[str]:
    folder = tiny(os.getcwd())
    return ["--model", folder, "--max-new-tokens", str(new), "--seed", str(seed)]


def watched(call: Callable[[], Any], *, dry: bool) -> Notes:
    """The notes of a call, and how it ended."""
    with Notes(dry=dry) as notes:
        try:
            notes.returned = plain(call())
        except SystemExit as end:
            notes.returned = f"SystemExit({end.code})"
        except Exception as error:
            notes.error = error
    return notes


def noted(learner: Learner, *argv: list[str], dry: bool = False) -> Notes:
    main = learner.main
    notes = watched(lambda: main(*argv), dry=dry)
    if notes.returned != 0:
        print(notes.said.getvalue())
    return notes


def executed(learner: Learner, name: str, arguments: list[str]) -> Notes:
    """The notes of the file itself, imported by this name once more."""
    spec = learner.names()["__spec__"]
    names = {**vars(importlib.util.module_from_spec(spec)), "__name__": name}
    with replaced(sys, "argv", ["demo.py", *arguments]):
        return watched(lambda: exec(spec.loader.get_code(spec.name), names), dry=True)


def run(learner: Learner) -> Notes:
    """The notes of main on the small checkpoint; made once for all probes."""
    if "run" not in learner.kept:
        learner.kept["run"] = noted(learner, arguments())
    return learner.kept["run"]  # type: ignore[no-any-return]


# The probes


def to_the_end(learner: Learner) -> dict[str, Any]:
    notes = run(learner)
    if notes.error is not None:
        raise notes.error
    said = notes.said.getvalue() + notes.complained.getvalue()
    return {"returned": notes.returned, "said": said[-2000:]}


def facts(learner: Learner) -> dict[str, Any]:
    """What was noted, and for each run outside generate what was printed after it but
    for the texts that were written."""
    notes, runs = run(learner), []
    said = notes.said.getvalue()
    for ids, at in notes.runs:
        rest = said[at:]
        for each in notes.texts:
            rest = rest.replace(str(each.get("text")), " ")
        runs.append({"ids": ids.tolist(), "said": rest})
    lengths = [plain(made.get("context_length")) for made in notes.made]
    found = {"events": notes.events, "texts": notes.texts, "runs": runs}
    return {**found, "said": said, "context lengths": lengths}


def both_argvs(learner: Learner) -> list[Any]:
    """The sizes of the model that is built when main gets the arguments, and when they
    are those of the command line."""
    found = [run(learner).sizes[-1:]]
    with replaced(sys, "argv", ["demo.py", *arguments(new=1)]):
        return [*found, noted(learner).sizes[-1:]]


def part(learner: Learner, kind: str, made: list[dict[str, Any]], name: str) -> Any:
    notes = run(learner)
    if not made:
        early = "" if notes.returned == 0 else ", which did not run to its end,"
        raise notes.error or Unusable(f"main{early} made no {kind}")
    return made[-1][name]


def sizes_built(learner: Learner) -> dict[str, Any]:
    sizes = run(learner).sizes
    return {name: part(learner, "MaxGPT2Model", sizes, name) for name in SIZES}


def logits_used(learner: Learner, ids: list[int]) -> Array:
    """The logits of the model that the generator was given, after the last id."""
    model = part(learner, "TextGenerator", run(learner).made, "model")
    with hub():
        found = array(
            model(tensor(np.array([ids]))), "what the generator's model gives"
        )
    return found[0, -1]


def ids_used(learner: Learner, text: str) -> Array:
    """What the tokenizer that the generator was given makes of a text."""
    tokenizer = part(learner, "TextGenerator", run(learner).made, "tokenizer")
    with hub():
        return array(attribute(tokenizer, "encode")(text), "encode(text)")


def seeds(learner: Learner) -> list[list[Any]]:
    """The seeds of the sampled texts; again for another --seed, if they are others."""
    found = [_seeds(run(learner))]
    if set(found[0]) != {SEED}:
        found.append(_seeds(noted(learner, arguments(OTHER_SEED, new=1))))
    return found


def _seeds(notes: Notes) -> list[Any]:
    return [each["seed"] for each in notes.texts if each["do_sample"]]


def on_import(learner: Learner) -> list[str]:
    """What the parts note first while the file is imported once more, or how that ended
    the program."""
    events = executed(learner, "demo", arguments(new=1)).events
    if events:
        return [each for each in events if each != "open"][:1] or events[:1]
    ended = executed(learner, "demo", ["--what-is-this"]).returned
    return [ended] if ended else []


def as_a_program(learner: Learner) -> dict[str, Any]:
    """The sizes of the models that are built when the file is run as a program, and
    how much is to be written."""
    notes = executed(learner, "__main__", arguments(new=1000))
    if notes.error is not None:
        raise notes.error
    lengths = sorted({each["max_new_tokens"] for each in notes.texts})
    return {"sizes": notes.sizes, "max_new_tokens": lengths}


def other_values(learner: Learner) -> dict[str, Any]:
    """What is made of another checkpoint, the default, and of --seed 0 and
    --max-new-tokens 0: sizes of models, lengths, seeds; and the seeds of the other run.
    Also the ids of runs outside generate, and what was printed.
    """
    argv = ["--seed", "0", "--max-new-tokens", "0"]
    notes = noted(learner, argv, dry=True)
    if notes.error is not None:
        raise notes.error
    return {
        "sizes": notes.sizes,
        "context_length": [plain(each.get("context_length")) for each in notes.made],
        "max_new_tokens": [each["max_new_tokens"] for each in notes.texts],
        "seed": _seeds(notes),
        "seed before": _seeds(run(learner)),
        "runs": [ids.tolist() for ids, _ in notes.runs],
        "said": notes.said.getvalue(),
    }


def greedy_by_max(learner: Learner) -> list[dict[str, Any]]:
    notes = noted(learner, arguments(new=2))
    if notes.error is not None:
        raise notes.error
    return [each for each in notes.texts if not each["do_sample"]]
