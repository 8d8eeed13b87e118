"""Do less: what the worker's two large packages do at import, it does not need.

Both packages work as ever; what is left out is imported when somebody asks for it, or,
with transformers' other models, cannot be asked for.
"""

import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import math
import os
import sys
import typing
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

MODELS = ("auto", "gpt2")
"""The folders of ``transformers.models`` that a GPT-2 needs."""
LARGE = 2**20
"""Numbers of a weight."""


def light_protocols() -> None:
    """Have Python 3.11 remember which members a protocol has, as 3.12 does: MAX asks
    whether an operand is one of its protocols several times for each operation."""
    for name in ("_get_protocol_attrs", "_is_callable_members_only"):
        setattr(typing, name, functools.cache(getattr(typing, name)))


def light_layers() -> None:
    """Have NumPy draw the weights of a new ``Linear`` or ``Embedding``, which checks
    overwrite: as operations of MAX they are a quarter of all that a step runs."""
    from max.experimental import random
    from max.nn.module_v3 import embedding, linear

    quick = SimpleNamespace(normal=functools.partial(_normal, random.normal))
    linear.random = embedding.random = quick


def _normal(by_max: Callable[[Any], Any], shape: Any) -> Any:
    """Random weights; what is out of the ordinary is left to MAX, and so are large
    ones, which it may never need to draw."""
    import numpy as np
    from max.driver import CPU
    from max.dtype import DType
    from max.experimental.tensor import Tensor, defaults
    from max.graph import Graph

    usual = defaults() == (DType.float32, CPU())
    usual = usual and all(type(size) is int and size > 0 for size in shape)
    if not usual or math.prod(shape) > LARGE:
        return by_max(shape)
    try:
        _ = Graph.current
    except LookupError:
        drawn = np.random.default_rng().standard_normal(shape, np.float32)
        return Tensor.from_dlpack(drawn)
    return by_max(shape)


def light_max_nn() -> None:
    """Make ``import max.nn.module_v3`` leave out the rest of ``max.nn``.

    The package's ``__init__`` imports every layer and through them transformers, three
    times what ``module_v3`` itself costs. It runs if somebody asks for a name of it.
    """
    spec = importlib.machinery.PathFinder.find_spec("max.nn", _package_path("max"))
    assert spec is not None and spec.loader is not None
    loader = spec.loader
    package = importlib.util.module_from_spec(spec)

    def whole_package(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        del package.__dict__["__getattr__"]
        loader.exec_module(package)
        return getattr(package, name)

    package.__dict__["__getattr__"] = whole_package
    sys.modules["max.nn"] = package
    importlib.import_module("max").nn = package  # type: ignore[attr-defined]


def _package_path(name: str) -> list[str]:
    return list(importlib.import_module(name).__path__)


def light_transformers() -> None:
    """Make ``import transformers`` look into the folders of ``MODELS`` only.

    To know what it could import, it reads all 1400 files of its models, half of what
    its import costs.
    """
    sys.meta_path.insert(0, _AfterImportUtils())


class _AfterImportUtils(importlib.abc.MetaPathFinder):
    """Changes ``transformers.utils.import_utils`` as soon as it is loaded."""

    def find_spec(
        self, name: str, path: Any = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "transformers.utils.import_utils":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                if hasattr(module, "create_import_structure_from_path"):
                    _look_into_few(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _look_into_few(import_utils: ModuleType) -> None:
    whole = import_utils.create_import_structure_from_path

    def few(module_path: str) -> Any:
        folder = str(module_path)
        folder = os.path.dirname(folder) if os.path.isfile(folder) else folder
        if os.path.basename(folder) != "models":
            return whole(module_path)
        return {name: whole(os.path.join(folder, name)) for name in MODELS}

    import_utils.create_import_structure_from_path = few  # type: ignore[attr-defined]
