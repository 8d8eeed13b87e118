"""The ways to install the course agree, and every task of the contract is there."""

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parents[2]
PIXI = tomllib.loads((ROOT / "pixi.toml").read_text(encoding="utf-8"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
SCHEMA = json.loads(
    (ROOT / "tests/course/data/pixi.schema.json").read_text(encoding="utf-8")
)

# The tutorial's own list, in its words.
TUTORIAL = {"modular": "25.7.*", "transformers": ">=4.57.0,<5", "numpy": ">=2.3.3,<3"}

CONTRACT = {
    "huggingface": "python hugging-face-model.py",
    "hugging-face-model": "python hugging-face-model.py",
    **{f"s{n:02}": f"python -m checker s{n:02}" for n in range(1, 11)},
    "check": "python -m checker all",
    "demo": "python solutions/demo.py",
    "my-demo": "python puzzles/demo.py",
    "test": "python -m pytest",
}
COMMANDS = (
    *("watch", "list", "hint", "reset", "solution", "doctor"),
    *("grade", "gradescope-zip", "handout"),
)


def canonical(name: str) -> str:
    """PyPI treats - and _ alike; conda does not, and writes huggingface_hub."""
    return name.replace("_", "-").lower()


def ranges(requirements: list[str]) -> dict[str, str]:
    """Name -> range, of requirement lines such as ``numpy>=2.3.3,<3``.

    ``==25.7.*`` and conda's ``25.7.*`` are the same range.
    """
    split = [re.match(r"([\w-]+)(.*)", line) for line in requirements]
    assert all(split)
    return {canonical(m[1]): m[2].removeprefix("==") for m in split if m}


def lines(path: str) -> list[str]:
    """The lines of a requirements file, without comments and other files."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and line[0] not in "#-"]


def group(name: str) -> list[str]:
    """The requirements of a dependency group, with those of the groups it includes."""
    found = []
    for each in PYPROJECT["dependency-groups"][name]:
        found += [each] if isinstance(each, str) else group(each["include-group"])
    return found


def conda(table: dict[str, str]) -> dict[str, str]:
    return {canonical(name): range_ for name, range_ in table.items()}


LEARNERS = conda(PIXI["dependencies"])
DEVELOPERS = conda(PIXI["feature"]["dev"]["dependencies"])
"""What developers install besides."""


def pins() -> set[tuple[str, str]]:
    """What constraints.txt pins, markers left out."""
    found = [line.split(" ;")[0].split("==") for line in lines("constraints.txt")]
    return {(canonical(name), version) for name, version in found}


def test_pixi_toml_is_valid() -> None:
    """pixi.toml follows pixi's own schema."""
    jsonschema.validate(PIXI, SCHEMA)


def test_pixi_channels_and_platforms() -> None:
    """pixi takes stable MAX releases, on the two platforms of the course."""
    workspace = PIXI["workspace"]
    assert workspace["channels"] == ["https://conda.modular.com/max/", "conda-forge"]
    assert set(workspace["platforms"]) == {"linux-64", "osx-arm64"}


@pytest.mark.parametrize("task", CONTRACT)
def test_task_of_the_contract(task: str) -> None:
    """Each task runs the command that the contract gives it, and takes arguments."""
    assert PIXI["tasks"][task]["cmd"] == CONTRACT[task]
    assert "args" not in PIXI["tasks"][task]  # declared ones would not be passed on


@pytest.mark.parametrize("command", COMMANDS)
def test_task_of_the_loop(command: str) -> None:
    """Each command of the learner's loop and the instructor's desk is a task."""
    assert PIXI["tasks"][command]["cmd"] == f"python -m checker {command}"


@pytest.mark.parametrize("task", PIXI["tasks"])
def test_tasks_are_described_without_quotes_that_break(task: str) -> None:
    """`pixi task list` says what each task does."""
    assert PIXI["tasks"][task]["description"]
    assert "'" not in PIXI["tasks"][task]["cmd"]  # pixi does not escape it


def test_the_learners_lists_are_equal() -> None:
    """With conda, uv and pip a learner gets the same packages in the same ranges."""
    project = PYPROJECT["project"]
    listed = ranges(project["dependencies"])
    assert listed | {"python": project["requires-python"]} == LEARNERS
    assert ranges(lines("requirements.txt")) == listed


def test_the_developers_lists_are_equal() -> None:
    """With conda, uv and pip a developer gets the same tools besides."""
    assert ranges(group("dev")) == DEVELOPERS
    assert ranges(lines("requirements-dev.txt")) == DEVELOPERS
    text = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    assert "-r requirements.txt" in text.splitlines()
    assert not LEARNERS.keys() & DEVELOPERS.keys()


def test_uv_installs_only_what_its_first_commands_need() -> None:
    """`uv run pytest` works from nothing; lint and type tools come on request."""
    assert PYPROJECT["tool"]["uv"]["default-groups"] == ["test"]
    installed = ranges(group("test")).keys()
    assert "pytest" in installed
    assert not {"ruff", "mypy", "typos", "pre-commit"} & installed


@pytest.mark.parametrize("task", ["test", "lint", "types"])
def test_pixi_runs_the_developers_tasks_with_their_tools(task: str) -> None:
    """`pixi run test` uses the environment that has the developers' tools; no other
    task does."""
    assert PIXI["tasks"][task]["default-environment"] == "dev"
    assert PIXI["environments"]["dev"]["features"] == ["dev"]
    assert "features" not in PIXI["environments"]["default"]
    others = [t for t in PIXI["tasks"].values() if "default-environment" in t]
    assert len(others) == 3


def test_the_tutorials_packages_are_in_the_tutorials_ranges() -> None:
    """The course runs on the list that the tutorial gives."""
    assert {name: LEARNERS[name] for name in TUTORIAL} == TUTORIAL


def test_constraints_are_the_lock() -> None:
    """pip is pinned to the versions that uv locked, all of them."""
    locked = {(p["name"], p["version"]) for p in LOCK["package"]}
    project = PYPROJECT["project"]
    assert pins() == locked - {(project["name"], project["version"])}


def test_pytorch_is_nowhere() -> None:
    """No environment of the course holds PyTorch, directly or through another."""
    locked = {package["name"] for package in LOCK["package"]}
    assert not {"torch", "torchvision", "nvidia-cuda-runtime"} & (
        locked | LEARNERS.keys() | DEVELOPERS.keys() | {name for name, _ in pins()}
    )


def test_dev_container_opens_ready_to_run() -> None:
    """Its Python is one that the course runs on, and it installs what uv.lock names."""
    text = (ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8")
    container = json.loads(text)
    image, _, version = container["image"].partition(":")
    assert image == "mcr.microsoft.com/devcontainers/python"
    minor = int(version.removeprefix("3."))
    lowest, below = re.findall(r"3\.(\d+)", PYPROJECT["project"]["requires-python"])
    assert int(lowest) <= minor < int(below)
    assert "uv sync --frozen" in container["postCreateCommand"]
    environment = container["containerEnv"]["UV_PROJECT_ENVIRONMENT"]
    assert container["remoteEnv"]["PATH"].startswith(f"{environment}/bin:")
    assert container["postAttachCommand"] == PIXI["tasks"]["list"]["cmd"]
