"""What a page of documentation names: links, paths, commands.

Looked for in links and in code: between backticks, in indented blocks and in ``sh``.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

SUFFIXES = ("json", "lock", "md", "png", "py", "safetensors", "sealed", "sha256")
SUFFIXES += ("toml", "txt", "yml")
PATH = re.compile(rf"(?=.*/|.*\.(?:{'|'.join(SUFFIXES)})$)[\w.-]+(/[\w.-]+)*/?")
WORDS = {"signed/unsigned"}
"""What looks like a path in what MAX says."""
PLACEHOLDER = re.compile(r"NAME|sNN|STEP|DIR")


@dataclass(frozen=True)
class Page:
    """A page in ``root``, the course or a copy of it."""

    root: Path
    name: str

    @cached_property
    def text(self) -> str:
        return (self.root / self.name).read_text(encoding="utf-8")

    @cached_property
    def code(self) -> list[str]:
        """Lines and spans of code."""
        blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```", self.text, re.M | re.S)
        shell = [
            line for kind, block in blocks if kind == "sh" for line in block.split("\n")
        ]
        prose = re.sub(r"^ *```.*?^ *```", "", self.text, flags=re.M | re.S)
        indented = re.findall(r"^ {4,}(\S.*)$", prose, re.M)
        spans = re.findall(r"`([^`]+)`", re.sub(r"^ {4,}\S.*$", "", prose, flags=re.M))
        return [*shell, *indented, *(" ".join(span.split()) for span in spans)]

    def links(self) -> list[str]:
        """Relative links, of pictures too; code that looks like one is none."""
        prose = re.sub(r"`[^`\n]*`", "", self.text)
        return re.findall(r"\]\((?!https?:)([^)#]+)\)", prose)

    def paths(self) -> set[str]:
        """Files and folders of the course that code names."""
        words = {word for line in self.code for word in line.split()}
        named = {word for word in words - WORDS if PATH.fullmatch(word)}
        return {word for word in named if not PLACEHOLDER.search(word)}

    def tasks(self) -> set[str]:
        """X of ``pixi run X``."""
        return self._words(r"pixi run ([\w-]+)")

    def run_by_uv(self) -> set[str]:
        """X of ``uv run X``."""
        return self._words(r"uv run ([\w./-]+)")

    def commands(self) -> set[str]:
        """X of ``python -m checker X``."""
        return self._words(r"python -m checker ([\w-]+)") - {"STEP", "COMMAND", "sNN"}

    def modules(self) -> set[str]:
        """X of ``python -m X``."""
        return self._words(r"python -m ([\w.]+)")

    def has(self, path: str) -> bool:
        """Whether a path is there: from the root, from the page, or a name alone."""
        places = (self.root / path, (self.root / self.name).parent / path)
        if any(place.exists() for place in places):
            return True
        known = (self.root / top for top in ("checker", "tests", "models"))
        return "/" not in path and any(any(top.rglob(path)) for top in known)

    def _words(self, pattern: str) -> set[str]:
        return {word for line in self.code for word in re.findall(pattern, line)}
