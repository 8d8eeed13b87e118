"""The README shows what the program prints, and names only what is there."""

import re
from pathlib import Path

import pytest

from checker.table import ROOT, puzzles
from tests.course.record_readme import README, recorded

PAGES = [README, *(ROOT / name for name in ("CONTRIBUTING.md", "models/README.md"))]


def test_screens_are_recorded() -> None:
    """`python -m tests.course.record_readme` would change nothing."""
    text = README.read_text(encoding="utf-8")
    assert recorded(text) == text


def test_names_the_ten_steps() -> None:
    """The table of steps is the list of puzzles."""
    rows = re.findall(r"^\| (s\d\d) \| `puzzles/(\w+)\.py`", README.read_text(), re.M)
    assert rows == [(puzzle.step, puzzle.name) for puzzle in puzzles()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page is a file of the repository."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target
