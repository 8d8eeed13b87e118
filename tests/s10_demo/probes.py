"""Step 10: ``main`` runs on a small checkpoint, and the parts it uses note what they
are asked. Nothing depends on how ``main`` is written.

The checkpoint has random weights in Hugging Face's layout. Without ``--model`` the
stand-in hub would answer, which holds another model.
"""

import contextlib
import importlib
import importlib.util
import inspect
import io
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from checker.worker.probe import Learner, Unusable, array, attribute, replaced, tensor
from tests.support.data import Array
from tests.support.stand_ins import SIZES, hub, tiny

NEW, SEED, OTHER_SEED = 5, 11, 77


@dataclass
class Record:
    """What happened while ``main`` ran.

    Attributes:
        returned: what main returned, or how it ended the program.
        error: the exception that it ended with.
        said: what was printed.
        events: "build 0", "load 0", "use 0" (called or traced for the first time),
            "forward", "generate", in order; the numbers are those of the models.
        sizes: of each model that was built.
        forwards: ids of each forward pass outside of generate.
        generator: what the generator was made with.
        texts: settings and text of each call of generate.
    """

    returned: Any = None
    error: Exception | None = None
    said: str = ""
    events: list[str] = field(default_factory=list)
    sizes: list[dict[str, Any]] = field(default_factory=list)
    forwards: list[Array] = field(default_factory=list)
    generator: dict[str, Any] = field(default_factory=dict)
    texts: list[dict[str, Any]] = field(default_factory=list)


class Notes:
    """Makes the classes of steps 7, 8 and 9 and MAX fill in a record."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.models: list[Any] = []
        self.inside = False
        self.compiled: set[type] = set()
        self.stack = contextlib.ExitStack()

    def __enter__(self) -> None:
        from max.engine import InferenceSession

        model = importlib.import_module("model")
        generator = importlib.import_module("generator").TextGenerator
        for owner, name, noting in (
            (model.MaxGPT2Model, "__init__", self.builds),
            (model.MaxGPT2Model, "load_huggingface_weights", self.loads),
            (model.MaxGPT2Model, "__call__", self.calls),
            (InferenceSession, "load", self.compiles),
            (generator, "__init__", self.takes),
            (generator, "generate", self.writes),
        ):
            self.note(owner, name, noting)

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    def note(self, owner: Any, name: str, noting: Callable[..., Any]) -> None:
        old = getattr(owner, name)

        def noted(*args: Any, **more: Any) -> Any:
            return noting(old, *args, **more)

        self.stack.enter_context(replaced(owner, name, noted))

    def builds(self, old: Any, model: Any, *args: Any, **more: Any) -> None:
        config = more.get("config", args[0] if args else None)
        self.record.sizes.append({n: plain(getattr(config, n, None)) for n in SIZES})
        self.record.events.append(f"build {len(self.models)}")
        self.models.append(model)
        old(model, *args, **more)

    def loads(self, old: Any, model: Any, *args: Any, **more: Any) -> Any:
        answer = old(model, *args, **more)
        self.record.events.append(f"load {self.number(model)}")
        return answer

    def number(self, model: Any) -> int:
        """The place of a model among those that were built."""
        same = [each is model for each in self.models]
        return same.index(True) if True in same else -1

    def calls(self, old: Any, model: Any, ids: Any, *args: Any) -> Any:
        """A model is called, with values or in a graph that is being traced."""
        used = f"use {self.number(model)}"
        if used not in self.record.events:
            self.record.events.append(used)
        if not self.inside:
            with contextlib.suppress(Exception):  # in a graph, ids have no values
                self.forward(np.array(np.from_dlpack(ids)))
        return old(model, ids, *args)

    def compiles(self, old: Any, *args: Any, **more: Any) -> Any:
        """What is compiled notes when it runs; its class depends on who compiles."""
        compiled = old(*args, **more)
        if type(compiled) not in self.compiled:
            self.compiled.add(type(compiled))
            self.note(type(compiled), "execute", self.runs)
        return compiled

    def runs(self, old: Any, compiled: Any, *args: Any) -> Any:
        if not self.inside and args:
            self.forward(np.array(np.from_dlpack(args[0])))
        return old(compiled, *args)

    def forward(self, ids: Array) -> None:
        self.record.events.append("forward")
        self.record.forwards.append(ids)

    def takes(self, old: Any, *args: Any, **more: Any) -> None:
        self.record.generator = asked(old, *args, **more)
        old(*args, **more)

    def writes(self, old: Any, *args: Any, **more: Any) -> Any:
        settings = {name: plain(v) for name, v in asked(old, *args, **more).items()}
        self.record.events.append("generate")
        self.inside = True
        try:
            text = old(*args, **more)
        finally:
            self.inside = False
        self.record.texts.append({**settings, "text": text})
        return text


def asked(function: Any, *args: Any, **more: Any) -> dict[str, Any]:
    """The arguments of a call by name, defaults included; none for a wrong call."""
    try:
        bound = inspect.signature(function).bind(*args, **more)
    except TypeError:
        return {}  # the call itself says it in the words that everybody knows
    bound.apply_defaults()
    return {name: value for name, value in bound.arguments.items() if name != "self"}


def plain(value: object) -> Any:
    return value if isinstance(value, int | str | float | None) else repr(value)


def arguments(seed: int = SEED, *, new: int = NEW) -> list[str]:
    folder = tiny(os.getcwd())
    return ["--model", folder, "--max-new-tokens", str(new), "--seed", str(seed)]


def recorded(learner: Learner, *argv: list[str]) -> Record:
    record, main, said = Record(), learner.main, io.StringIO()
    with hub(), Notes(record), redirected(said):
        try:
            record.returned = plain(main(*argv))
        except SystemExit as end:
            record.returned = f"SystemExit({end.code})"
        except Exception as error:
            record.error = error
    record.said = said.getvalue()
    if record.returned != 0:
        print(record.said)
    return record


@contextlib.contextmanager
def redirected(said: io.StringIO) -> Iterator[None]:
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        yield


def run(learner: Learner) -> Record:
    """What happened when main ran on the small checkpoint; once for all probes."""
    if "run" not in learner.kept:
        learner.kept["run"] = recorded(learner, arguments())
    return learner.kept["run"]


# The probes


def to_the_end(learner: Learner) -> dict[str, Any]:
    record = run(learner)
    if record.error is not None:
        raise record.error
    return {"returned": record.returned, "said": record.said[-2000:]}


def argv_and_sys_argv(learner: Learner) -> list[Any]:
    """The sizes that main builds a model with, when the arguments are handed to it and
    when they are those of the command line."""
    with replaced(sys, "argv", ["demo.py", *arguments(new=1)]):
        return [run(learner).sizes[-1:], recorded(learner).sizes[-1:]]


def sizes(learner: Learner) -> dict[str, Any]:
    record = run(learner)
    if not record.sizes:
        raise record.error or Unusable("main made no MaxGPT2Model")
    return record.sizes[-1]


def generator(learner: Learner, name: str) -> Any:
    made = run(learner).generator
    if name not in made:
        raise Unusable("main made no TextGenerator")
    return made[name]


def logits_of(learner: Learner, ids: list[int]) -> Array:
    """The logits of the model that the generator was given, after the last of ids."""
    model = generator(learner, "model")
    with hub():
        found = array(model(tensor(np.array([ids], np.int64))), "the model's answer")
    return found[0, -1]


def ids_of(learner: Learner, text: str) -> Array:
    """What the tokenizer that the generator was given makes of a text."""
    tokenizer = generator(learner, "tokenizer")
    with hub():
        return array(attribute(tokenizer, "encode")(text), "encode(text)")


def context_length(learner: Learner) -> Any:
    return plain(generator(learner, "context_length"))


def events(learner: Learner) -> list[str]:
    return run(learner).events


def printed(learner: Learner) -> dict[str, Any]:
    """What was printed besides the texts, and the ids of the forward passes."""
    record = run(learner)
    said = record.said
    for each in record.texts:
        said = said.replace(str(each["text"]), "")
    ids = [each.tolist() for each in record.forwards if each.ndim == 2]
    return {"said": said, "ids": ids}


def texts(learner: Learner) -> list[dict[str, Any]]:
    return run(learner).texts


def seeds(learner: Learner) -> list[list[Any]]:
    """The seeds of the sampled texts; again for another --seed, if they are others."""
    first = _seeds(run(learner))
    if all(seed == SEED for seed in first):
        return [first]
    return [first, _seeds(recorded(learner, arguments(OTHER_SEED, new=1)))]


def _seeds(record: Record) -> list[Any]:
    return [each.get("seed") for each in record.texts if each.get("do_sample")]


def shown(learner: Learner) -> list[bool]:
    """For each text that was generated, whether it has been printed."""
    record = run(learner)
    said = letters(record.said)
    return [_is_in(said, each) for each in record.texts]


def _is_in(said: str, each: dict[str, Any]) -> bool:
    text, prompt = str(each["text"]), str(each.get("prompt"))
    forms = {text, text.removeprefix(prompt), repr(text), repr(text)[1:-1]}
    return any(letters(form) and letters(form) in said for form in forms)


def letters(text: str) -> str:
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
    record = Record(events=First())
    spec = learner.names()["__spec__"]
    with hub(), Notes(record), redirected(io.StringIO()):
        with contextlib.suppress(Enough):
            spec.loader.exec_module(importlib.util.module_from_spec(spec))
        return list(record.events)


def greedy_by_max(learner: Learner) -> list[dict[str, Any]]:
    found = recorded(learner, arguments(new=2))
    if found.error is not None:
        raise found.error
    return [each for each in found.texts if not each.get("do_sample")]
