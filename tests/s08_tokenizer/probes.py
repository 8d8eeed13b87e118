"""Step 8: what is asked of the learner's GPT2TokenizerWrapper.

The texts and ids come from the table: no vocabulary's answers are known here. Where no
model is named, a stand-in hub holds another vocabulary by the name of GPT-2's.
"""

from typing import Any

import numpy as np

from checker.worker.probe import Learner, Unusable, array, attribute, tensor
from tests.support.data import Array
from tests.support.stand_ins import BUNDLED, hub


def wrapper(learner: Learner) -> Any:
    """The learner's wrapper of the bundled tokenizer, made once for all probes."""
    if "wrapper" not in learner.kept:
        from max.driver import CPU

        made = learner.GPT2TokenizerWrapper(str(BUNDLED), device=CPU())
        learner.kept["wrapper"] = made
    return learner.kept["wrapper"]


def encodes(learner: Learner, text: str) -> Array:
    with hub():
        return array(attribute(wrapper(learner), "encode")(text), "encode(text)")


def decodes(learner: Learner, ids: list[int], batch: bool) -> str:
    """The text of ids, given as [1, T] or as [T]."""
    given = np.array([ids] if batch else ids, np.int64)
    with hub():
        text = attribute(wrapper(learner), "decode")(tensor(given))
    if text is None:
        raise Unusable("decode(tokens) is None: is a `return` missing?")
    if not isinstance(text, str):
        raise Unusable(f"decode(tokens) is a {type(text).__name__}, not a str")
    return text


def number(learner: Learner, name: str) -> Any:
    with hub():
        value = attribute(wrapper(learner), name)
    if callable(value):
        raise Unusable(f"`{name}` is a method: add @property above its def")
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, int | float | str | None):
        return value
    raise Unusable(f"`{name}` is a {type(value).__name__}, not an int")


def by_default(learner: Learner, text: str) -> dict[str, Any]:
    """What a wrapper made without arguments encodes, on the CPU by default, and how
    many tokens it has; and what the other one, which was made before, encodes."""
    with hub():
        wrapper(learner)
        made = learner.GPT2TokenizerWrapper()
        ids = array(attribute(made, "encode")(text), "encode(text)")
        size = attribute(made, "vocab_size")
    return {"ids": ids, "vocab_size": size, "of the other": encodes(learner, text)}
