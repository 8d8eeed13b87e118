"""Can the course run here? A line for each thing it needs, and what to do about it.

The bundled model's checksums are made anew, after training, from the folder models/ by
``sha256sum austen/* > austen.sha256`` (``shasum -a 256`` on macOS).

Nothing here needs a package at import: what is missing or broken is what is reported.
"""

import argparse
import ast
import contextlib
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from checker.cli import FAULT, PASSED
from checker.course import ROOT, every, has_solutions
from checker.link.sandbox import Isolation, available

MODEL = ROOT / "models" / "austen"
SUMS = ROOT / "models" / "austen.sha256"
HUB = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
INSTALL = "install the course's packages again (see README.md)"
GB = 2**30
MEMORY, DISK = 1 * GB, 2 * GB
"""Below these the course gets tight: a worker, a compile, what MAX caches."""

PATIENCE = {"hub": 4.0, "MAX": 120.0}
"""Seconds."""

MARKS = {"well": "✓", "note": "–", "broken": "✗"}


@dataclass(frozen=True)
class Finding:
    """A line: ``kind`` is well, note (the course runs all the same) or broken."""

    kind: str
    says: str
    do: str = ""

    def __str__(self) -> str:
        return f"{MARKS[self.kind]} {self.says}" + (f": {self.do}" if self.do else "")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(arguments: argparse.Namespace) -> int:
    """Print the findings as they come; FAULT if the course cannot run."""
    found = []
    for examine in EXAMINATIONS:
        for finding in _examined(examine):
            print(finding, flush=True)
            found.append(finding)
    broken = sum(finding.kind == "broken" for finding in found)
    if broken:
        problems = "1 problem" if broken == 1 else f"{broken} problems"
        print(f"The course cannot run yet: {problems} to fix.")
        return FAULT
    print("The course can run here.")
    return PASSED


def _examined(examine: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """An examination that fails is a finding, too."""
    try:
        yield from examine()
    except Exception as error:
        what = examine.__name__.replace("_", " ")
        yield Finding("broken", f"{what}: {type(error).__name__}: {error}", INSTALL)


# Python and packages


def project() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return dict(tomllib.load(file)["project"])


def python() -> Iterator[Finding]:
    says = f"Python {platform.python_version()} on {platform.system()}"
    says += f" {platform.machine()}"
    wanted = project()["requires-python"]
    lowest, highest = (
        tuple(int(n) for n in found.split("."))
        for found in re.findall(r"[<>]=?\s*(\d+\.\d+)", wanted)
    )
    if not lowest <= sys.version_info[:2] < highest:
        yield Finding("broken", says, f"the course needs {wanted}")
    elif platform.system() == "Windows":
        yield Finding("broken", says, "MAX runs on Linux and macOS; on Windows, in WSL")
    else:
        yield Finding("well", says)


def packages() -> Iterator[Finding]:
    there, missing = [], []
    for requirement in project()["dependencies"]:
        name = re.split(r"[=<>~!\s]", requirement)[0]
        try:
            there.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if there:
        yield Finding("well", "packages: " + ", ".join(there))
    if missing:
        yield Finding("broken", "missing packages: " + ", ".join(missing), INSTALL)


# MAX


def max_itself() -> Iterator[Finding]:
    """Its version, the names that the course uses, device and dtype."""
    wanted = next(r for r in project()["dependencies"] if r.startswith("modular"))
    series = wanted.partition("==")[2].rstrip(".*")
    names = used_names()
    found = ask_max(names)
    if "error" in found:
        yield Finding("broken", f"MAX cannot be imported ({found['error']})", INSTALL)
        return
    kind = "well" if found["version"].startswith(series + ".") else "note"
    other = "" if kind == "well" else f"the course is written for {series}"
    yield Finding(kind, f"MAX {found['version']}", other)
    count = f"{len(names)} names of MAX that the course uses"
    if found["missing"]:
        do = f"install modular {series}: the checks of these cannot pass"
        yield Finding("broken", f"MAX lacks {', '.join(found['missing'])}", do)
    else:
        seconds = f"imported in {found['seconds']:.1f} s"
        yield Finding("well", f"the {count} are there, {seconds}")
    says = f"MAX's default device is {found['device']}, its dtype {found['dtype']}"
    note = "; checks run on the CPU in float32 all the same"
    plain = "cpu" in found["device"] and found["dtype"] == "float32"
    yield Finding("well", says + ("" if plain else note))


def used_names() -> list[str]:
    """Each name of MAX in the reference: what is imported, and what is asked of it."""
    from checker.course import reference

    found: set[str] = set()
    for puzzle in every():
        found |= names_in(reference(puzzle.name).text)
    return sorted(found)


def names_in(source: str) -> set[str]:
    """``from max.a import b as c`` gives "max.a.b", a later ``c.d`` "max.a.b.d"."""
    tree, bound = ast.parse(source), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("max"):
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    asked = {
        f"{bound[node.value.id]}.{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in bound
    }
    return {*bound.values(), *asked}


ASK = """
import importlib, importlib.metadata, json, sys, time
began = time.monotonic()

def lacks(path):
    names = path.split(".")
    for cut in range(len(names), 0, -1):
        try:
            found = importlib.import_module(".".join(names[:cut]))
            break
        except ModuleNotFoundError:
            continue
    else:
        return True
    for name in names[cut:]:
        if not hasattr(found, name):
            return True
        found = getattr(found, name)
    return False

from max.experimental import tensor
missing = [path for path in json.loads(sys.argv[1]) if lacks(path)]
seconds = time.monotonic() - began
dtype, device = tensor.defaults()
print("\\n" + json.dumps({
    "version": importlib.metadata.version("modular"), "missing": missing,
    "seconds": seconds, "device": f"{device.label} {device.id}", "dtype": dtype.name,
}))
"""


def ask_max(names: list[str]) -> dict[str, Any]:
    """Ask in a process of its own, which may crash; {"error": …} if it did."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-c", ASK, json.dumps(names)],
            capture_output=True,
            text=True,
            timeout=PATIENCE["MAX"],
            stdin=subprocess.DEVNULL,
        )
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        return {"error": f"no answer within {PATIENCE['MAX']:.0f} s"}
    except (ValueError, IndexError):
        last = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        return {"error": last[-1]}


def cache() -> Iterator[Finding]:
    home = os.environ.get("MODULAR_HOME")
    usual = Path.home() / ".local" / "share" / "modular"
    folder = Path(home) if home else usual
    if not folder.is_dir():
        yield Finding(
            "well", f"MAX's cache {folder} is empty: first compiles take long"
        )
        return
    says = f"MAX's cache is {folder}, {_size(_bytes_in(folder))}"
    yield Finding("well", f"{says}; safe to delete; MAX rebuilds it")


def _bytes_in(folder: Path) -> int:
    size = 0
    for path, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(OSError):
                size += os.lstat(os.path.join(path, name)).st_size
    return size


def _size(count: float) -> str:
    return f"{count / GB:.1f} GB" if count >= GB / 10 else f"{count / 2**20:.0f} MB"


# The machine


def memory() -> Iterator[Finding]:
    import psutil

    free = psutil.virtual_memory().available
    enough = free >= MEMORY
    do = "" if enough else "close other programs: a check takes 0.4 GB, a compile more"
    yield Finding("well" if enough else "note", f"{_size(free)} of memory free", do)


def disk() -> Iterator[Finding]:
    for folder in {os.stat(f).st_dev: f for f in (Path.home(), ROOT)}.values():
        free = shutil.disk_usage(folder).free
        enough = free >= DISK
        do = "" if enough else f"make room: what MAX compiles takes up to {_size(DISK)}"
        says = f"{_size(free)} of disk free at {folder}"
        yield Finding("well" if enough else "note", says, do)


# The models


def checkpoint() -> Iterator[Finding]:
    from models import checkpoint as models

    if models._cached(models.DEFAULT):
        yield Finding("well", f"{models.DEFAULT} is in the cache")
        return
    began = time.monotonic()
    try:
        models.within(PATIENCE["hub"], _knock)
    except Exception as error:
        says = f"{models.DEFAULT} is not in the cache, and {HUB} cannot be reached"
        reason = str(getattr(error, "reason", "") or error).splitlines()[0]
        yield Finding("note", f"{says} ({reason})", "the demo uses the bundled model")
        return
    took = f"{time.monotonic() - began:.1f} s"
    yield Finding("well", f"{HUB} answers in {took}; the demo downloads 550 MB")


def _knock() -> None:
    import urllib.error
    import urllib.request

    request = urllib.request.Request(HUB, method="HEAD")
    with contextlib.suppress(urllib.error.HTTPError):  # it answers, that will do
        urllib.request.urlopen(request, timeout=PATIENCE["hub"]).close()


def bundled_model() -> Iterator[Finding]:
    shown = MODEL.relative_to(ROOT)
    wanted = [line.split() for line in SUMS.read_text(encoding="utf-8").splitlines()]
    wrong = [name for digest, name in wanted if _digest(name) != digest]
    if wrong or not wanted:
        do = "get models/ from a fresh copy of the course"
        says = f"the bundled model is damaged or missing ({', '.join(wrong)})"
        yield Finding("broken", says, do)
    else:
        yield Finding("well", f"the bundled model {shown} is intact")


def _digest(name: str) -> str:
    try:
        return hashlib.sha256((SUMS.parent / name).read_bytes()).hexdigest()
    except OSError:
        return ""


# The course


def puzzles_folder() -> Iterator[Finding]:
    folder = ROOT / "puzzles"
    missing = [p for p in every() if not (folder / p.file).is_file()]
    for puzzle in missing:
        do = f"python -m checker reset {puzzle.step} --yes"
        yield Finding("note", f"puzzles/{puzzle.file} is missing", do)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        do = "make it yours, or copy the course elsewhere"
        yield Finding("broken", f"puzzles/ cannot be written ({error.strerror})", do)
        return
    yield Finding("well", "puzzles/ can be written")


def saves() -> Iterator[Finding]:
    from checker.desk.terminal import needs_polling

    if needs_polling(ROOT / "puzzles"):
        yield Finding("well", "watch checks for saves: no event tells of them here")
    else:
        yield Finding("well", "watch is notified of saves; --poll checks for them")


def worker() -> Iterator[Finding]:
    from checker.link.process import Limits, WorkerProcess

    began = time.monotonic()
    started = WorkerProcess(Limits())
    try:
        started.wait_until_ready()
    except RuntimeError as error:
        yield Finding("broken", str(error), INSTALL)
        return
    finally:
        started.close()
    took = time.monotonic() - began
    yield Finding("well", f"a check's worker starts in {took:.1f} s")


ISOLATED = {
    Isolation.BUBBLEWRAP: "grade isolates submissions: bubblewrap",
    Isolation.USER: "grade runs submissions as another user: bubblewrap cannot start",
    Isolation.NONE: "grade cannot isolate submissions: bubblewrap cannot start",
}


def isolation() -> Iterator[Finding]:
    """Only where classes are graded: a learner has no use for it."""
    if has_solutions():
        found = available()
        well = found is Isolation.BUBBLEWRAP
        do = "" if well else "Debian and Ubuntu: apt install bubblewrap"
        yield Finding("well" if well else "note", ISOLATED[found], do)


EXAMINATIONS: tuple[Callable[[], Iterator[Finding]], ...] = (
    python,
    packages,
    max_itself,
    cache,
    memory,
    disk,
    checkpoint,
    bundled_model,
    puzzles_folder,
    saves,
    worker,
    isolation,
)
