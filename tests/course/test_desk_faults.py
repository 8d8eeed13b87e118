"""Every fault at the instructor's desk is a sentence: disks, files, numbers, words.

A usage fault ends with exit status 2, one of the disk with 3; nothing half-written
stays behind. Nothing here starts MAX: what is graded has nothing to run.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checker.classroom import formats, grade
from checker.classroom.reading import Malformed, read_journal, read_weights
from checker.classroom.reading import grade as checked
from checker.cli import FAULT, PASSED, USAGE, main
from checker.course import puzzles

SMALL = 64 * 1024
"""Bytes of the small disk."""


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """A class of three that handed in nothing to run."""
    folder = tmp_path / "class"
    for name in ("ada", "ben", "cleo"):
        (folder / name).mkdir(parents=True)
        (folder / name / "essay.txt").touch()
    return folder


@pytest.fixture
def report(upload: Path, tmp_path: Path) -> Path:
    output = tmp_path / "report.json"
    words = ["grade", str(upload), "--format", "json", "-o", str(output)]
    assert main(words) == PASSED
    return output


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(words, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk, and not everywhere")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> None:
    with (disk / "filling").open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr, beside what was graded and argparse's usage."""
    said = capsys.readouterr().err
    assert "Traceback" not in said
    lines = [line for line in said.splitlines() if " of 3: " not in line]
    shown = [line for line in lines if not line.startswith(("usage:", "  "))]
    assert len(shown) == 1, said
    return shown[0]


# The command line.


@pytest.mark.parametrize("seconds", ["0", "-5", "nan", "inf", "-inf", "soon", ""])
def test_timeout(
    seconds: str, upload: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a number of seconds above 0 is taken."""
    with pytest.raises(SystemExit) as end:
        main(["grade", str(upload), f"--timeout={seconds}"])
    assert end.value.code == USAGE
    assert "is not a number of seconds above 0" in sentence(capsys)


@pytest.mark.parametrize("jobs", ["0", "-1", "1.5", "many"])
def test_jobs(jobs: str, upload: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Only a whole number from 1 is taken."""
    with pytest.raises(SystemExit) as end:
        main(["grade", str(upload), f"--jobs={jobs}"])
    assert end.value.code == USAGE
    assert "is not a whole number from 1" in sentence(capsys)


def test_nothing_to_grade(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty folder alone, and a path that does not exist."""
    assert main(["grade", str(tmp_path)]) == USAGE
    assert "holds no submission" in sentence(capsys)
    assert main(["grade", str(tmp_path / "a\x1bb")]) == USAGE
    assert "there is no" in (said := sentence(capsys)) and "\x1b" not in said


@pytest.mark.parametrize("name", formats.FORMATS)
def test_a_folder_for_a_file(
    name: str, upload: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """-o on a folder where a file is written, or the other way round, is said before
    anything is graded."""
    output = tmp_path / "output"
    if name in formats.TOGETHER:
        output.mkdir()
    else:
        output.touch()
    before = sorted(tmp_path.rglob("*"))
    assert main(["grade", str(upload), "--format", name, "-o", str(output)]) == USAGE
    said = sentence(capsys)
    assert ("is a folder" if name in formats.TOGETHER else "is a file") in said
    assert sorted(tmp_path.rglob("*")) == before


def test_a_file_on_the_way(upload: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder of the path of -o that is a file."""
    output = upload / "ada" / "essay.txt" / "grades.csv"
    assert main(["grade", str(upload), "-o", str(output)]) == USAGE
    assert "which is no folder" in sentence(capsys)


def test_the_current_folder(
    upload: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-o .` takes the reports of one submission each."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert main(["grade", str(upload), "--format", "gradescope", "-o", "."]) == PASSED
    found = sorted(path.name for path in Path().iterdir())
    assert found == ["ada.json", "ben.json", "cleo.json"]


# Weights.

EQUAL = "".join(f"{puzzle.step} = 10\n" for puzzle in puzzles())

WEIGHTS: dict[str, tuple[bytes, str]] = {
    "not TOML": (b"[points", "has no table [points] in TOML"),
    "not text": (b"\xff\xfe", "has no table [points] in TOML"),
    "deep": (b"x = " + b"[" * 10**5, "has no table [points] in TOML"),
    "another table": (b"[weights]\ns01 = 5\n", "has no table [points] in TOML"),
    "no table": (b"points = 5\n", "points is no table"),
    "a missing step": (b"[points]\ns01 = 5\n", "has no points for s02"),
    "an unknown step": (b"[points]\ns1 = 5\n" + EQUAL.encode(), "no step 's1'"),
    "a huge number": (b"[points]\ns01 = " + b"9" * 5000, "in TOML"),
    "zero": (
        b"[points]\n" + EQUAL.replace("= 10", "= 0").encode(),
        "every step has 0 points",
    ),
    **{
        value: (b"[points]\n" + EQUAL.replace("10", value, 1).encode(), "want a number")
        for value in ("nan", "inf", "-inf", "-1", "true", '"5"', "[5]", "1e300",
                      "1e-9", "9" * 400, "1979-05-27", "{}")
    },
}  # fmt: skip


@pytest.mark.parametrize("case", WEIGHTS)
def test_weights(
    case: str, upload: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not a table of a number for each step is a sentence."""
    data, reason = WEIGHTS[case]
    path = tmp_path / "weights.toml"
    path.write_bytes(data)
    assert main(["grade", str(upload), "--weights", str(path)]) == USAGE
    said = sentence(capsys)
    assert reason in said and len(said) < 400


def test_weights_are_no_file(
    upload: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder, or nothing."""
    for path in (tmp_path, tmp_path / "none.toml"):
        assert main(["grade", str(upload), "--weights", str(path)]) == USAGE
        assert "cannot be read" in sentence(capsys)


def test_right_weights(tmp_path: Path) -> None:
    """Whole and decimal numbers are taken, and 0."""
    path = tmp_path / "weights.toml"
    path.write_text("[points]\n" + EQUAL.replace("10", "0", 1).replace("10", "2.5", 1))
    assert list(read_weights(path).values())[:3] == [0, 2.5, 10]


# Reports.


def changed(report: dict[str, Any], place: str, value: object) -> dict[str, Any]:
    """The report with another value at a place such as ``steps.3.score``."""
    *way, last = place.split(".")
    at: Any = report["submissions"][1]
    for name in way:
        at = at[int(name) if name.isdigit() else name]
    at[int(last) if last.isdigit() else last] = value
    return report


CHANGES = {
    "submission": 5,
    "score": "x",
    "max_score": -1,
    "seconds": float("nan"),
    "checker": None,
    "files": [],
    "reason": {},
    "ignored": {"path": "x"},
    "ignored.0": "x",
    "ignored.0.reason": 1,
    "ignored_more": True,
    "steps": [],
    "steps.3": None,
    "steps.3.step": "s3",
    "steps.3.puzzle": 3,
    "steps.3.status": "fine",
    "steps.3.seconds": float("inf"),
    "steps.3.stand_ins": "config",
    "steps.3.score": 10**400,
    "steps.3.max_score": False,
    "steps.3.printed": [1],
    "steps.3.source": 5,
    "steps.3.checks": [],
    "steps.3.checks.0": [],
    "steps.3.checks.0.name": None,
    "steps.3.checks.0.status": "done",
    "steps.3.checks.0.detail": ["x"],
    "steps.3.checks.0.mistake": "gelu",
    "steps.3.checks.0.mistake.id": 3,
}


@pytest.mark.parametrize("place", CHANGES)
def test_malformed_reports(
    place: str, report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A value of the wrong form, however deep, is named with its place."""
    found = json.loads(report.read_text(encoding="utf-8"))
    if place == "steps.3.checks.0.mistake.id":
        changed(found, "steps.3.checks.0.mistake", {"id": "", "message": ""})
    report.write_text(json.dumps(changed(found, place, CHANGES[place])))
    capsys.readouterr()
    assert main(["grade", str(report), "--format", "csv"]) == USAGE
    said = sentence(capsys)
    names = place.split(".")
    shown = "".join(f"[{n}]" if n.isdigit() else f".{n}" for n in names)
    assert f"submissions[1]{shown}" in said and ", want " in said


WRONG = {
    "not JSON": b"{",
    "nothing": b"",
    "not text": b"\xff",
    "deep": b"[" * 10**5,
    "a list": b"[]",
    "a number": b"5",
    "null": b"null",
    "no submissions": b"{}",
    "submissions of another kind": b'{"submissions": {}}',
    "a submission of another kind": b'{"submissions": [[]]}',
    "digits": b'{"submissions": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_reports(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not a report at all."""
    path = tmp_path / "report.json"
    path.write_bytes(WRONG[case])
    assert main(["grade", str(path)]) == USAGE
    assert "is no JSON report of `grade`" in sentence(capsys)


def test_more_points_than_there_are(
    report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A score above its maximum would break Gradescope's."""
    found = json.loads(report.read_text(encoding="utf-8"))
    report.write_text(json.dumps(changed(found, "steps.3.score", 11)))
    capsys.readouterr()
    assert main(["grade", str(report)]) == USAGE
    assert "has more points than its max_score" in sentence(capsys)


def test_an_older_report(report: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report from before sources were noted is still written in another format."""
    found = json.loads(report.read_text(encoding="utf-8"))
    for each in found["submissions"]:
        for name in ("reason", "ignored", "ignored_more"):
            del each[name]
        for step in each["steps"]:
            del step["source"]
    report.write_text(json.dumps(found))
    for name in formats.TOGETHER:
        assert main(["grade", str(report), "--format", name]) == PASSED


def test_a_submission_called_json(upload: Path, tmp_path: Path) -> None:
    """A .json in a folder of submissions is an upload like any other."""
    (upload / "dan.json").write_text("[]")
    output = tmp_path / "grades.csv"
    words = ["grade", str(upload), "--format", "csv", "-o", str(output)]
    assert main(words) == PASSED
    assert "dan.json is no puzzle file" in output.read_text(encoding="utf-8")


# The journal.


def test_lines_of_the_journal(report: Path, tmp_path: Path) -> None:
    """A line of the wrong form costs nothing but itself."""
    good = json.dumps(json.loads(report.read_text(encoding="utf-8"))["submissions"][0])
    bad = [b"", b"{", b"[]", b"null", b"5", b'{"submission": "ada"}', b"\xff",
           b"[" * 10**5, good.encode()[:-9], b'{"submission": {}}']  # fmt: skip
    journal = tmp_path / "journal"
    lines = [line for each in bad for line in (each, good.encode())]
    journal.write_bytes(b"\n".join(lines))
    assert len(list(read_journal(journal))) == len(bad)
    with pytest.raises(Malformed):
        checked({"submission": "ada"}, "it")


def test_a_cut_journal_goes_on(
    upload: Path, report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a cut line the next result has a line of its own, and is found again."""
    done = json.loads(report.read_text(encoding="utf-8"))["submissions"]
    output = tmp_path / "again.json"
    journal = tmp_path / f"again.json{grade.JOURNAL}"
    journal.write_text(json.dumps(done[0]) + "\n" + json.dumps(done[1])[:99])
    with grade._appending(journal) as log:
        log.write(json.dumps(done[2]).encode())
    capsys.readouterr()
    words = ["grade", str(upload), "--format", "json", "-o", str(output)]
    assert main(words) == PASSED
    assert capsys.readouterr().err.splitlines() == ["3 of 3: ben 0 of 100"]
    assert len(json.loads(output.read_text(encoding="utf-8"))["submissions"]) == 3
    assert not journal.exists()


def test_a_changed_submission_is_graded_again(
    upload: Path, report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the report says of ignored files is never from another upload."""
    done = json.loads(report.read_text(encoding="utf-8"))["submissions"]
    journal = tmp_path / f"again.json{grade.JOURNAL}"
    journal.write_text("".join(f"{json.dumps(each)}\n" for each in done))
    (upload / "ben" / "helper.py").touch()
    capsys.readouterr()
    assert main(["grade", str(upload), "-o", str(tmp_path / "again.json")]) == PASSED
    assert capsys.readouterr().err.splitlines() == ["3 of 3: ben 0 of 100"]


# Disks.


def test_a_full_disk_while_grading(
    upload: Path, disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is a sentence and exit status 3; with space the same command goes on."""
    fill(disk)
    output = disk / "grades.json"
    words = ["grade", str(upload), "--format", "json", "-o", str(output), "--jobs=1"]
    assert main(words) == FAULT
    assert "cannot be written: No space left on device" in sentence(capsys)
    assert not output.exists() and not list(disk.glob("*.part"))
    (disk / "filling").unlink()
    assert main(words) == PASSED
    assert [path.name for path in disk.iterdir()] == ["grades.json"]


@pytest.mark.parametrize("name", formats.FORMATS)
def test_a_full_disk_for_a_report(
    name: str, report: Path, disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No format leaves half a report; the one from before stays."""
    folder = disk / "out"
    folder.mkdir()
    output = folder if name in formats.APART else folder / "report"
    kept = folder / ("ada.json" if name in formats.APART else "report")
    kept.write_text("from before")
    fill(disk)
    capsys.readouterr()
    assert main(["grade", str(report), "--format", name, "-o", str(output)]) == FAULT
    assert "cannot be written: No space left on device" in sentence(capsys)
    assert [path.name for path in folder.iterdir()] == [kept.name]
    assert kept.read_text() == "from before"


def test_a_read_only_disk(
    upload: Path, report: Path, disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is said before anything is graded."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    capsys.readouterr()
    for source in (upload, report):
        assert main(["grade", str(source), "-o", str(disk / "grades.txt")]) == FAULT
        said = capsys.readouterr().err
        assert said.endswith("cannot be written: Read-only file system\n")
        assert said.count("\n") == 1


def test_the_autograder_on_a_full_disk(
    disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """gradescope-zip leaves no half archive; -o on a folder is a sentence."""
    assert main(["gradescope-zip", "-o", str(disk / "autograder.zip")]) == FAULT
    assert "cannot be written: No space left on device" in sentence(capsys)
    assert not list(disk.iterdir())
    assert main(["gradescope-zip", "-o", str(tmp_path)]) == USAGE
    assert "is a folder: name the file to write" in sentence(capsys)


def test_a_handout_on_a_full_disk(
    disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """handout leaves no half course, whether the folder was there or not."""
    (disk / "there").mkdir()
    for name in ("there", "new"):
        assert main(["handout", str(disk / name)]) == FAULT
        assert "cannot be written: No space left on device" in sentence(capsys)
    assert [path.name for path in disk.rglob("*")] == ["there"]
    (disk / "there" / "file").touch()
    for path in (disk / "there", disk / "there" / "file"):
        assert main(["handout", str(path)]) == USAGE
        assert "exists already" in sentence(capsys)


def test_no_space_for_scratch(
    upload: Path, disk: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """A full or missing folder for temporary files is a fault of the disk, too."""
    for number in range(3):
        with zipfile.ZipFile(upload / f"z{number}.zip", "w") as archive:
            archive.writestr("config.py", b" " * 2**16)
    fill(disk)
    monkeypatch.setattr("tempfile.tempdir", str(disk))
    assert main(["grade", str(upload), "-o", str(upload / "out.txt")]) == FAULT
    assert "cannot be written: No space left on device" in capsys.readouterr().err
    monkeypatch.setattr("tempfile.tempdir", str(disk / "none"))
    assert main(["grade", str(upload), "-o", str(upload / "out.txt")]) == FAULT
    assert "the folder for temporary files cannot be" in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has /dev/full")
def test_a_full_standard_output(
    report: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`> /dev/full` and `-o /dev/full`; the device stays what it is."""
    capsys.readouterr()
    with open("/dev/full", "w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert main(["grade", str(report)]) == FAULT
        monkeypatch.undo()
    said = sentence(capsys)
    assert "the standard output cannot be written: No space left on device" in said
    assert main(["grade", str(report), "-o", "/dev/full"]) == FAULT
    assert "/dev/full cannot be written: No space" in sentence(capsys)
    assert Path("/dev/full").is_char_device()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")
def test_no_permission_to_write(
    upload: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that is somebody else's."""
    for above in [upload, *upload.parents][:4]:
        above.chmod(0o755)
    os.seteuid(65534)
    try:
        status = main(["grade", str(upload), "-o", str(upload / "grades.txt")])
    finally:
        os.seteuid(0)
    assert status == FAULT
    assert "cannot be written: Permission denied" in sentence(capsys)
    assert sorted(path.name for path in upload.iterdir()) == ["ada", "ben", "cleo"]


def test_a_name_that_is_too_long(
    upload: Path, report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that the disk does not take."""
    capsys.readouterr()
    for source in (upload, report):
        assert main(["grade", str(source), "-o", str(upload / ("n" * 300))]) == FAULT
        assert "cannot be written: File name too long" in sentence(capsys)


def test_what_is_not_utf8(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of another encoding gets what it can show."""
    found = json.loads(report.read_text(encoding="utf-8"))
    changed(found, "submission", "Łódź \ud800")
    report.write_text(json.dumps(found))
    shutil.copy(report, report.with_name("copy.json"))
    output = report.with_name("out.txt")
    with output.open("w", encoding="latin-1") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["grade", str(report)]) == PASSED
        monkeypatch.undo()
    assert "?ód? ?" in output.read_text(encoding="latin-1")
