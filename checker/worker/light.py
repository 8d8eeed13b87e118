"""Import less: what the worker's two large packages do at import, it does not need.

Both packages work as ever; what is left out is imported when somebody asks for it, or,
with transformers' other models, cannot be asked for.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

MODELS = ("auto", "gpt2")
"""The folders of ``transformers.models`` that a GPT-2 needs."""


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
