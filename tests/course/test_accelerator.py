"""A machine with an accelerator gives the same verdicts as one without.

No accelerator is needed: a stand-in makes MAX see one, with its default of bfloat16,
and raises an error when something tries to use it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from checker.course import ROOT, puzzles

pytestmark = pytest.mark.max

QUICKLY = ("--no-compile", "--json")

STAND_IN = '''
import importlib.abc, importlib.machinery, sys

class AfterTensor(importlib.abc.MetaPathFinder):
    """Patches max.experimental.tensor as soon as it is loaded."""

    def find_spec(self, name, path=None, target=None):
        if name != "max.experimental.tensor":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            for each in (module, sys.modules["max.driver"]):
                each.accelerator_count = lambda: 1
                each.Accelerator = NoDevice

        spec.loader.exec_module = exec_module
        return spec

class NoDevice:
    def __init__(self, *_):
        raise RuntimeError("the default device was used: say dtype and device")

sys.meta_path.insert(0, AfterTensor())
'''


@pytest.fixture
def with_accelerator(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "sitecustomize.py").write_text(STAND_IN)
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def test_the_stand_in_stands_in(with_accelerator: dict[str, str]) -> None:
    """Without it the next test would show nothing: a bare tensor wants the device."""
    words = "from max.experimental.tensor import Tensor; Tensor.zeros((2,))"
    found = subprocess.run(
        [sys.executable, "-c", words],
        env=with_accelerator,
        capture_output=True,
        text=True,
    )
    assert "the default device was used" in found.stderr


def test_same_verdicts(with_accelerator: dict[str, str]) -> None:
    """All ten reference solutions pass where the default is an accelerator."""
    found = subprocess.run(
        [sys.executable, "-m", "checker", "all", "--dir", "solutions", *QUICKLY],
        cwd=ROOT,
        env=with_accelerator,
        capture_output=True,
        text=True,
    )
    steps = json.loads(found.stdout)["steps"]
    statuses = [step["status"] for step in steps]
    assert statuses == ["passed"] * len(puzzles()), found.stdout


def test_device_of_the_demo(with_accelerator: dict[str, str]) -> None:
    """An accelerator that is seen but fails is not used by auto, and gpu says why."""
    words = """
import max.experimental.tensor
from models.screen import parser
print(parser("").parse_args([]).device)
parser("").parse_args(["--device", "gpu"])
"""
    found = subprocess.run(
        [sys.executable, "-c", words],
        cwd=ROOT,
        env=with_accelerator,
        capture_output=True,
        text=True,
    )
    assert found.returncode == 2
    assert found.stdout == "Device(type=cpu,id=0)\n"
    want = "argument --device: MAX cannot use this machine's GPU (the default device "
    assert want in found.stderr
    assert found.stderr.endswith("; use cpu or auto\n")
