"""The files of a request, imported by name: ``from config import GPT2Config``."""

import ast
import contextlib
import importlib.abc
import importlib.machinery
import linecache
import os
import sys
from collections.abc import Iterator
from types import CodeType, ModuleType
from typing import Any


class Files(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the puzzles by name (``from config import …``) from the request."""

    def __init__(self, files: dict[str, dict[str, Any]]) -> None:
        self.files = files

    def find_spec(
        self, name: str, path: object = None, target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name not in self.files:
            return None
        origin = self.files[name]["path"]
        spec = importlib.machinery.ModuleSpec(name, self, origin=origin)
        spec.has_location = True
        return spec

    def exec_module(self, module: ModuleType) -> None:
        exec(self.get_code(module.__name__), module.__dict__)

    def get_code(self, name: str) -> CodeType:
        file = self.files[name]
        return compile(file["source"], file["path"], "exec")

    @contextlib.contextmanager
    def importable(self) -> Iterator[None]:
        """Afresh: nothing of another step's modules is left before or after."""
        for name in self.files:
            sys.modules.pop(name, None)
        for file in self.files.values():
            lines = file["source"].splitlines(keepends=True)
            linecache.cache[file["path"]] = (len(lines), None, lines, file["path"])
        folders = {os.path.dirname(file["path"]) for file in self.files.values()}
        path = list(sys.path)
        sys.path[:] = [*path, *sorted(folders)]
        sys.meta_path.insert(0, self)
        try:
            yield
        finally:
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            sys.path[:] = path
            for name in self.files:
                sys.modules.pop(name, None)


def places(source: str) -> dict[str, list[Any]]:
    """``Class.method`` -> line and code of the first line that the learner writes in
    it: of its first hole, or its first statement."""
    lines = source.splitlines()
    holes = [n for n, line in enumerate(lines, 1) if line.strip().startswith("# hole:")]
    found: dict[str, list[Any]] = {}

    def visit(node: ast.AST, prefix: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                line = _first_line(child, holes)
                found[prefix + child.name] = [line, lines[line - 1].strip()]
                visit(child, f"{prefix}{child.name}.")

    visit(ast.parse(source), "")
    return found


def _first_line(node: ast.FunctionDef | ast.ClassDef, holes: list[int]) -> int:
    """Where the learner's own code begins in a function or class."""
    statements = node.body[ast.get_docstring(node) is not None :] or node.body
    inside = [hole for hole in holes if node.lineno < hole <= (node.end_lineno or 0)]
    after = [each for each in ast.walk(node) if isinstance(each, ast.stmt)]
    lines = [each.lineno for each in after if inside and each.lineno > inside[0]]
    return min(lines, default=statements[0].lineno)
