"""The workflow calls .ci/run, and the issue forms are ones that GitHub shows."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FORMS = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[0-9]-*.yml"))
ACTIONS = {"actions/checkout", "actions/setup-python"}
FIELDS = {"input", "textarea", "dropdown", "checkboxes"}


def read(path: Path) -> dict[Any, Any]:
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_workflow_calls_ci_run() -> None:
    """It sets Python up, runs .ci/run and nothing else, with GitHub's own actions."""
    workflow = read(ROOT / ".github/workflows/ci.yml")
    assert workflow[True].keys() >= {"push", "pull_request"}  # `on` is true in YAML
    assert workflow["permissions"] == {"contents": "read"}
    [job] = workflow["jobs"].values()
    steps = job["steps"]
    used = [step["uses"].split("@")[0] for step in steps if "uses" in step]
    assert set(used) == ACTIONS
    assert [step["run"] for step in steps if "run" in step] == ["bash .ci/run"]
    assert steps[1]["with"]["python-version"] == "3.11"


def test_there_are_three_forms() -> None:
    """A right answer rejected, a wrong message, and everything else."""
    assert [read(form)["name"] for form in FORMS] == [
        "My right answer is rejected",
        "A message is wrong",
        "Something else is broken",
    ]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_form_has_what_github_requires(form: Path) -> None:
    """Name, description, body; each field a known type, its own id and a label."""
    found = read(form)
    assert all(isinstance(found[key], str) for key in ("name", "description"))
    fields = [field for field in found["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in fields} <= FIELDS
    for key in (lambda f: f["id"], lambda f: f["attributes"]["label"]):
        names = [key(field) for field in fields]
        assert len(set(names)) == len(names) and all(names)
    assert any(field.get("validations", {}).get("required") for field in fields)
    for field in fields:
        options = field["attributes"].get("options", [])
        assert (field["type"] == "dropdown") == bool(options)
        assert all(isinstance(option, str) for option in options)
        assert len(set(options)) == len(options)
