"""The instructor's desk: grading, the handout, the autograder archive.

What is found in an upload is in test_submission_archives.py, how reports are written in
test_formats.py, faults of files and disks in test_desk_faults.py.
"""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import xmlschema

from checker.classroom import formats
from checker.course import ROOT, puzzles

pytestmark = pytest.mark.max

DATA = Path(__file__).parent / "data"
NAMES = {"=eve", "ada", "ben", "cleo", "dan", "notes"}


def checker(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "checker", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def schema(name: str) -> Any:
    return json.loads((DATA / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class: one right, one zip, one that hangs, one that crashes, one not Python,
    and one that handed in nothing."""
    folder = tmp_path_factory.mktemp("class")
    solved = folder / "ada"
    shutil.copytree(ROOT / "solutions", solved)
    with zipfile.ZipFile(folder / "ben.zip", "w") as archive:
        for name in ("config", "causal"):
            archive.write(ROOT / "solutions" / f"{name}.py", f"ben/puzzles/{name}.py")
        archive.writestr("../layernorm.py", "this is outside")
    sources = {
        "cleo": "while True:\n    pass\n",
        "dan": "import os\nos.abort()\n",
        "=eve": "\x00\x01 not Python \x1b[31m",
    }
    for name, text in sources.items():
        (folder / name).mkdir()
        (folder / name / "causal.py").write_text(text)
    (folder / "notes").mkdir()
    return folder


@pytest.fixture(scope="module")
def report(handed_in: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The JSON report of that class."""
    output = tmp_path_factory.mktemp("report") / "grades.json"
    found = checker("grade", str(handed_in), "--format", "json", "-o", str(output))
    assert found.returncode == 0, found.stderr
    return output


def grades(report: Path) -> dict[str, Any]:
    found = json.loads(report.read_text(encoding="utf-8"))["submissions"]
    return {grade["submission"]: grade for grade in found}


def test_points(report: Path) -> None:
    """All right is all points; a file that hangs, crashes or is not Python costs only
    its own step and itself."""
    found = grades(report)
    assert found["ada"]["score"] == found["ada"]["max_score"] == 100
    assert found["ben"]["score"] == 15
    for name in ("cleo", "dan", "=eve"):
        assert found[name]["score"] == 0
    reasons = {
        name: " ".join(check["detail"] for check in found[name]["steps"][1]["checks"])
        for name in ("cleo", "dan", "=eve")
    }
    assert "did not finish" in reasons["cleo"]
    assert "SIGABRT" in reasons["dan"]
    assert "not valid Python" in reasons["=eve"]


def test_what_was_graded_is_said(report: Path) -> None:
    """Each step names the file in the upload; the rest is in ``ignored``."""
    found = grades(report)
    assert set(found) == NAMES
    sources = [step["source"] for step in found["ben"]["steps"]]
    assert sources == ["ben/puzzles/config.py", "ben/puzzles/causal.py", *[None] * 8]
    outside = "is refused: its path leads out of the submission"
    assert found["ben"]["ignored"] == [{"path": "../layernorm.py", "reason": outside}]
    assert found["notes"]["score"] == 0
    assert found["notes"]["reason"] == "notes is empty"


def test_json(report: Path) -> None:
    """The JSON report fits its schema."""
    jsonschema.validate(json.loads(report.read_text()), schema("grades.schema.json"))


@pytest.mark.parametrize("name", formats.APART)
def test_autograders(name: str, report: Path, tmp_path: Path) -> None:
    """One file a submission, and each fits the autograder's schema."""
    found = checker("grade", str(report), "--format", name, "-o", str(tmp_path))
    assert found.returncode == 0, found.stderr
    assert {path.stem for path in tmp_path.iterdir()} == NAMES
    for path in tmp_path.iterdir():
        jsonschema.validate(json.loads(path.read_text()), schema(f"{name}.schema.json"))


def test_gradescope_points_add_up(report: Path) -> None:
    """The tests' points are the submission's, and their maxima 100, to the digit."""
    for grade in grades(report).values():
        found = json.loads(formats.gradescope(grade), parse_float=Decimal)
        assert sum(test["max_score"] for test in found["tests"]) == 100
        assert sum(test["score"] for test in found["tests"]) == found["score"]
        assert float(found["score"]) == grade["score"]


def test_junit(report: Path, tmp_path: Path) -> None:
    """JUnit XML fits its schema, counts what it holds, has no control characters."""
    output = tmp_path / "junit.xml"
    checker("grade", str(report), "--format", "junit", "-o", str(output))
    xmlschema.XMLSchema(DATA / "junit.xsd").validate(str(output))
    text = output.read_text(encoding="utf-8")
    assert "\x1b" not in text and "\x00" not in text
    suites = xmlschema.XMLResource(str(output)).root
    for suite in suites:
        assert len(suite) == int(suite.get("tests"))
        for outcome, count in (("failure", "failures"), ("error", "errors")):
            assert len(suite.findall(f"*/{outcome}")) == int(suite.get(count))


def test_csv(report: Path) -> None:
    """One row per submission; a name that a spreadsheet would run is quoted."""
    found = checker("grade", str(report), "--format", "csv")
    rows = list(csv.DictReader(found.stdout.splitlines()))
    names = [row["submission"].removeprefix("'") for row in rows]
    assert set(names) == NAMES and rows[0]["submission"] == "'=eve"
    assert rows[1]["score"] == "100.0"
    assert rows[1]["checker"].startswith("sha256:")
    assert rows[-1]["reason"] == "notes is empty"


@pytest.mark.parametrize("name", ["table", "markdown"])
def test_for_people(name: str, report: Path) -> None:
    """Table and Markdown name every submission and its score."""
    found = checker("grade", str(report), "--format", name)
    for grade in grades(report).values():
        assert grade["submission"] in found.stdout
        assert f"{grade['score']:g}" in found.stdout


def test_interrupted_and_resumed(tmp_path: Path) -> None:
    """Ctrl-C keeps what is done; the same command goes on and grades only the rest."""
    for number in range(4):
        folder = tmp_path / "class" / f"s{number}"
        folder.mkdir(parents=True)
        shutil.copy(ROOT / "solutions" / "config.py", folder)
    output = tmp_path / "grades.json"
    command = [sys.executable, "-m", "checker", "grade", str(tmp_path / "class")]
    command += ["--format", "json", "-o", str(output), "--jobs", "1"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=60)[1]
    assert "1 of 4" in first and "goes on" in rest
    assert process.returncode == 1 and not output.exists()
    again = checker(*command[3:])
    assert again.returncode == 0
    assert len(again.stderr.splitlines()) < 4  # what was done is not done again
    assert len(grades(output)) == 4
    assert not list(tmp_path.glob("*.jsonl"))


def test_an_untouched_puzzle_beside_a_right_one(tmp_path: Path) -> None:
    """It has no points, and the right one has all of its own."""
    shutil.copytree(ROOT / "puzzles", tmp_path / "puzzles")
    shutil.copy(ROOT / "solutions" / "config.py", tmp_path / "puzzles")
    output = tmp_path / "grades.json"
    found = checker("grade", str(tmp_path), "--format", "json", "-o", str(output))
    assert found.returncode == 0, found.stderr
    (grade,) = grades(output).values()
    assert [step["score"] for step in grade["steps"]] == [5, *[0] * 9]


@pytest.fixture(scope="module")
def handout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("handout") / "course"
    assert checker("handout", str(folder)).returncode == 0
    return folder


def test_handout_holds_no_solution(handout: Path) -> None:
    """No file of the handout holds a line that only a solution has."""
    assert not (handout / "solutions").exists()
    solved = "scores = query @ key.transpose(-1, -2)"
    assert solved in (ROOT / "solutions" / "attention.py").read_text()
    for path in handout.rglob("*"):
        if path.is_file():
            assert solved not in path.read_text(encoding="utf-8", errors="ignore"), path


def test_handout_checks_with_the_sealed_reference(handout: Path) -> None:
    """In the handout an unsolved step is stood in for, and a right one passes."""
    shutil.copy(ROOT / "solutions" / "block.py", handout / "puzzles")
    found = checker("s06", "--json", "--no-compile", cwd=handout)
    report = json.loads(found.stdout)
    assert report["status"] == "passed", found.stdout
    assert "attention" in report["stand_ins"]
    everything = checker("all", "--no-compile", cwd=handout)
    assert f"1 of {len(puzzles())} puzzles pass" in everything.stdout


def test_handout_keeps_its_solutions_to_itself(handout: Path) -> None:
    """`reset` works there; `solution` and `handout` have nothing to show."""
    reset = checker("reset", "s05", "--yes", cwd=handout)
    assert reset.returncode == 0, reset.stderr
    shown = checker("solution", "s05", "--spoil", cwd=handout)
    assert shown.returncode != 0 and "c_attn(" not in shown.stdout
    assert checker("handout", "again", cwd=handout).returncode == 2


def test_gradescope_archive(tmp_path: Path) -> None:
    """In a mock /autograder the archive's run_autograder writes valid results; also
    for two folders, for nothing, and when the checker cannot start."""
    archive = tmp_path / "autograder.zip"
    assert checker("gradescope-zip", "-o", str(archive)).returncode == 0
    source, submission = tmp_path / "source", tmp_path / "submission"
    with zipfile.ZipFile(archive) as opened:
        modes = {m.filename: m.external_attr >> 16 for m in opened.infolist()}
        opened.extractall(source)
    assert modes["run_autograder"] == modes["setup.sh"] == 0o755
    submission.mkdir()
    shutil.copy(ROOT / "solutions" / "config.py", submission)
    assert _autograde(tmp_path, source)["score"] == 5
    for name in ("a", "b"):
        (submission / name).mkdir()
        shutil.copy(ROOT / "solutions" / "config.py", submission / name)
    (submission / "config.py").unlink()
    both = _autograde(tmp_path, source)
    assert both["score"] == 5
    assert "b/config.py was not graded: a/config.py was" in both["output"]
    shutil.rmtree(submission)
    submission.mkdir()
    (tmp_path / "results" / "results.json").unlink()
    (tmp_path / "results" / "results.json").mkdir()
    nothing = _autograde(tmp_path, source)
    jsonschema.validate(nothing, schema("gradescope.schema.json"))
    assert nothing["score"] == 0 and "submission is empty" in nothing["output"]
    broken = _autograde(tmp_path, source, AUTOGRADER_PYTHON="/nonexistent")
    assert broken["score"] == 0 and "nonexistent" in broken["output"]


def _autograde(root: Path, source: Path, **more: str) -> Any:
    environment = {"AUTOGRADER_ROOT": str(root), "AUTOGRADER_PYTHON": sys.executable}
    began = time.monotonic()
    subprocess.run(
        ["bash", str(source / "run_autograder")],
        env={**os.environ, **environment, **more}, check=True, timeout=120,
    )  # fmt: skip
    assert time.monotonic() - began < 120
    return json.loads((root / "results" / "results.json").read_text(encoding="utf-8"))
