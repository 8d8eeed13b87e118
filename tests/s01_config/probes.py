"""Step 1: what is asked of the learner's GPT2Config."""

import dataclasses
import inspect
from typing import Any

from checker.worker.probe import Learner, Unusable, attribute
from tests.support.data import SIZES

LARGE = {name: 10_000 * size for name, size in SIZES.items()}
"""Beyond GPT-2's own."""


def imports_dataclass(config: Learner) -> bool:
    """The decorator, its module or make_dataclass is among the file's names."""
    known = (dataclasses, dataclasses.dataclass, dataclasses.make_dataclass)
    return any(value is each for value in config.names().values() for each in known)


def is_dataclass(config: Learner) -> bool:
    made = config.GPT2Config
    if not isinstance(made, type):
        raise Unusable(f"GPT2Config is a {type(made).__name__}, not a class")
    return dataclasses.is_dataclass(made)


def what_it_is(config: Learner) -> str:
    """What else GPT2Config is, or where its decorator is from."""
    made = config.GPT2Config
    if not isinstance(made, type):
        return "no class"
    if issubclass(made, tuple):
        return "a named tuple"
    if imports_dataclass(config):
        return "a dataclass" if is_dataclass(config) else "not decorated"
    return "from elsewhere" if config.has("dataclass") else "a class"


def default(config: Learner, name: str) -> Any:
    """The size of a GPT2Config made without arguments; passed as an argument, it has
    to be kept."""
    made = config.GPT2Config
    if is_dataclass(config):
        _has_annotation_and_default(made, name)
    value = attribute(made(), name)
    if is_dataclass(config):
        _keeps(made, name)
    return value if isinstance(value, int | float | str | None) else repr(value)


def default_and_width(config: Learner, name: str) -> list[Any]:
    return [default(config, name), default(config, "n_embd")]


def _has_annotation_and_default(made: Any, name: str) -> None:
    typed = [n for each in made.mro() for n in vars(each).get("__annotations__", ())]
    plain = isinstance(getattr(made, name, NotImplemented), int | float | str | None)
    if plain and name not in {*typed, *made.__dataclass_fields__}:
        kind = type(SIZES[name]).__name__
        raise Unusable(f"`{name}` has no type annotation: write `{name}: {kind} = …`")
    asked = inspect.signature(made).parameters.get(name)
    if asked is not None and asked.default is asked.empty:
        raise Unusable(f"`{name}` has no value: GPT2Config() does not work")


def _keeps(made: Any, name: str) -> None:
    asked = inspect.signature(made).parameters
    anything = any(each.kind is each.VAR_KEYWORD for each in asked.values())
    if not anything and name not in asked:
        raise Unusable(f"GPT2Config(…) does not take `{name}` as an argument")
    given = [
        {each: sizes[each] for each in sizes if anything or each in asked}
        for sizes in (SIZES, LARGE)
    ]
    two = [made(**sizes) for sizes in given]
    for sizes, one in zip(given, two, strict=True):
        kept = getattr(one, name)
        if kept != sizes[name]:
            raise Unusable(f"GPT2Config({name}={sizes[name]}) has {name} = {kept!r}")
