"""The README shows what the program prints, and pages name only what is there."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.course.pages import Page
from tests.course.record_readme import README, ROOT, recorded

NAMES = ("README.md", "CONTRIBUTING.md", "AGENTS.md", "models/README.md")
DOCS = ("docs/architecture.md", "docs/pytorch-to-max.md")
PAGES = [Page(ROOT, name) for name in (*NAMES, *DOCS)]
LINKED = [*PAGES, *(Page(ROOT, f"docs/{p.name}") for p in ROOT.glob("docs/*.md"))]
TASKS = tomllib.loads((ROOT / "pixi.toml").read_text(encoding="utf-8"))["tasks"]

MADE = {"checker/reference.sealed", ".progress.json"}
"""What pages name and only a handout, or only a learner's copy, has."""


def of(pages: list[Page]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.name)


@pytest.mark.max
def test_screens_are_recorded() -> None:
    """`python -m tests.course.record_readme` would change nothing."""
    text = README.read_text(encoding="utf-8")
    assert recorded(text) == text


def test_names_the_ten_steps() -> None:
    """The table of steps is the list of the tables in tests/."""
    text = README.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (s\d\d) \| `puzzles/(\w+)\.py`", text, re.M)
    tables = sorted(path.stem for path in (ROOT / "tests").glob("s[0-9][0-9]_*"))
    assert rows == [tuple(table.split("_", 1)) for table in tables]


@of(LINKED)
def test_links_lead_somewhere(page: Page) -> None:
    """Every relative link of a page is a file of the repository."""
    for target in page.links():
        assert ((ROOT / page.name).parent / target).exists(), target


@of(PAGES)
def test_paths_exist(page: Page) -> None:
    """Every file and folder that a page names is there."""
    assert not {path for path in page.paths() - MADE if not page.has(path)}


@of(PAGES)
def test_commands_exist(page: Page) -> None:
    """Every task of pixi and every module that a page names is there."""
    assert page.tasks() <= TASKS.keys()
    assert not {name for name in page.modules() if not importlib.util.find_spec(name)}


def test_checker_knows_the_commands() -> None:
    """Every word that pages put behind `python -m checker` is a step or a command."""
    for word in sorted(set().union(*(page.commands() for page in LINKED))):
        asked = [sys.executable, "-m", "checker", word, "--help"]
        found = subprocess.run(asked, cwd=ROOT, capture_output=True, check=False)
        assert found.returncode == 0, word


@pytest.mark.parametrize("command", ["uv run pytest", "uv run solutions/demo.py"])
def test_ci_runs_the_readmes_commands(command: str) -> None:
    """.ci/run calls what the README says first."""
    assert command in README.read_text(encoding="utf-8")
    assert f" {command} " in Path(ROOT, ".ci/run").read_text(encoding="utf-8")


def test_example_of_a_learners_file_fits_its_base() -> None:
    """The lines that CONTRIBUTING's entry replaces occur once in the base it names."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    entry = r"`(\S+)/wrong\.txt`:\s+```\n== [^|]+\| (\S+) .*?\n(.*?)```"
    found = re.search(entry, text, re.S)
    assert found
    folder, base, lines = found.groups()
    source = (ROOT / folder / f"{base}.py").read_text(encoding="utf-8")
    replaced = [line[1:] for line in lines.splitlines() if line.startswith("-")]
    assert replaced and source.count("\n".join(replaced)) == 1
