"""A handout is complete in itself: what its texts and its pixi.toml name is in it."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.course.pages import Page

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "tests/course/data/pixi.schema.json"

WHOLE_ONLY = {"demo", "solution", "handout", "gradescope-zip", "test", "lint", "types"}
"""The tasks that need solutions/ or the project's own tests."""


SAID = {"signed/unsigned"}
"""What looks like a path and is a message of MAX's, in docs/pytorch-to-max.md."""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "-m", "checker", *words]
    return subprocess.run(
        asked, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handout") / "course"
    assert run(ROOT, "handout", str(folder)).returncode == 0
    return folder


@pytest.fixture(scope="module")
def pages(copy: Path) -> list[Page]:
    found = [Page(copy, str(path.relative_to(copy))) for path in copy.rglob("*.md")]
    assert {"README.md", "AGENTS.md"} <= {page.name for page in found}
    return found


def toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_links_and_paths_are_in_the_copy(pages: list[Page]) -> None:
    """Every link, file and folder that a page of the copy names is in the copy."""
    for page in pages:
        for target in page.links():
            assert ((page.root / page.name).parent / target).exists(), target
        missing = {path for path in page.paths() if not page.has(path)}
        assert not missing - {".progress.json", *SAID}, page.name


def test_commands_work_in_the_copy(copy: Path, pages: list[Page]) -> None:
    """Every command that a page of the copy names is one of the copy's."""
    tasks = toml(copy / "pixi.toml")["tasks"]
    for page in pages:
        assert page.tasks() <= tasks.keys(), page.name
        for module in page.modules():
            path = copy.joinpath(*module.split("."))
            assert path.is_dir() or path.with_suffix(".py").is_file(), module
        for word in page.run_by_uv() - {"python"}:
            assert (copy / word).exists(), word
        for word in page.commands():
            assert f"python -m checker {word}" in commands(tasks), word


def test_pages_do_not_speak_of_the_whole_course(pages: list[Page]) -> None:
    """No mark is left, and no word of what the copy lacks."""
    for page in pages:
        for word in (
            "whole course",
            "every copy",
            "pytest",
            "CONTRIBUTING",
            "pixi run demo",
        ):
            assert word not in page.text, page.name


def test_tasks_of_the_copy(copy: Path) -> None:
    """The copy has the tasks of the course but those that cannot run in it."""
    whole, tasks = toml(ROOT / "pixi.toml")["tasks"], toml(copy / "pixi.toml")["tasks"]
    assert whole.keys() - tasks.keys() == WHOLE_ONLY
    assert tasks.items() <= whole.items()
    for command in commands(tasks):
        _, first, *more = command.split()
        if first == "-m":
            assert run(copy, *more[1:], "--help").returncode == 0, command
        else:
            assert (copy / first).is_file(), command


def commands(tasks: dict[str, Any]) -> set[str]:
    return {task["cmd"] for task in tasks.values()}


def test_pixi_toml_of_the_copy_is_valid(copy: Path) -> None:
    """What is left of pixi.toml follows pixi's schema and is one environment."""
    found = toml(copy / "pixi.toml")
    jsonschema.validate(found, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert "environments" not in found and "feature" not in found


def test_uv_installs_what_learners_need(copy: Path) -> None:
    """In the copy uv installs no test tools, and its lock file agrees."""
    [locked] = [
        package
        for package in toml(copy / "uv.lock")["package"]
        if package["source"] == {"virtual": "."}
    ]
    assert toml(copy / "pyproject.toml")["tool"]["uv"]["default-groups"] == []
    assert locked["default-groups"] == []


@pytest.mark.max
def test_first_step_runs_in_the_copy(copy: Path) -> None:
    """The first command of the README answers: nothing is solved yet."""
    found = run(copy, "s01")
    assert found.returncode == 1, found.stderr
    assert "✗ dataclass is not imported from dataclasses" in found.stdout
    assert "Next: " in found.stdout.splitlines()[-1]
