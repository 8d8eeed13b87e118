"""Attacks on the checker, as a submission would make them: whole layernorm.py files.

The classes are those of a red team: reading the answer in ways that Python's audit
hooks do not see, reaching the checker's own objects, other submissions, other copies of
the course, the network, the parent process, and harm to what comes after.
"""

import re
from pathlib import Path

from checker.course import ROOT

FILE = Path(__file__).parent / "submissions" / "attacks.txt"
FRAME = """import os
import sys
import time

import numpy as np
from max.nn.module_v3 import Module

ROOT, PORT, OTHER = {root!r}, {port}, {other!r}
SOLUTION = ROOT + "/solutions/layernorm.py"


class LayerNorm(Module):
    def __init__(self, dim, *, eps=1e-5):
        pass

    def __call__(self, x):
        return x


answer = ""
exec(compile({attack!r}, "/lib.py", "exec"))
exec(answer)
"""
"""The attack's code says that it comes from another file: a guard that looks for the
learner's file on the stack is blind to it."""


def names() -> list[str]:
    return list(_entries())


def attack(name: str, *, root: Path = ROOT, port: int, other: Path) -> str:
    """The source of one."""
    code = _entries()[name]
    return FRAME.format(root=str(root), port=port, other=str(other), attack=code)


def _entries() -> dict[str, str]:
    text = FILE.read_text(encoding="utf-8")
    entries = re.split(r"^== ", text, flags=re.MULTILINE)[1:]
    split = (entry.partition("\n") for entry in entries)
    return {head.partition(" | ")[0]: code for head, _, code in split}
