"""The checkers judge files that learners write: wrong, right and hostile ones.

A file in ``submissions/wrong/`` begins with two lines, ``# mistake: what is wrong``
and ``# named: id``, the id of a mistake that the report has to name. One in ``right/``
begins with ``# right:``, one in ``hostile/`` with ``# hostile:``. Each is checked in
the place of its puzzle, with the reference for the others.
"""

import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest

from checker.check import Examiner, Report
from checker.process import Limits
from checker.table import puzzle

SUBMISSIONS = Path(__file__).parent / "submissions"
SECONDS = 60.0  # what a report may take, whatever the file does
IMPATIENT = Limits(probe=3.0, step=6.0)

found: Counter[str] = Counter()
"""What was found so far, for the summary at the end."""


def files(kind: str) -> list:
    paths = sorted((SUBMISSIONS / kind).glob("*.py"))
    return [pytest.param(path, id=path.stem) for path in paths]


def header(path: Path, word: str) -> str:
    """What ``# word: …`` says in the first two lines of a file."""
    lines = path.read_bytes().decode("latin-1").splitlines()[:2]
    said = [re.fullmatch(rf"# {word}: (.+)", line.strip()) for line in lines]
    return next((match[1] for match in said if match), "")


def check(examiner: Examiner, path: Path, folder: Path) -> Report:
    """The report on one file, alone in a folder of its own."""
    target = puzzle(path.stem.split("-")[0])
    (folder / target.file).write_bytes(path.read_bytes())
    examiner.folder = folder
    return examiner.check(target)


def told(report: Report) -> str:
    """The report in a few lines, for the message of a failing test."""
    lines = [f"{report.status} {report.file}"]
    for line in report.lines:
        name = line.mistake.id if line.mistake else "-"
        lines.append(f"{line.status} {line.name} [{name}] {' / '.join(line.detail)}")
    return "\n".join(lines)


@pytest.fixture(scope="module")
def reports(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Path, Future[Report]]]:
    """The reports on the selected files that mean well, made by two workers ahead."""
    folder = tmp_path_factory.mktemp("files")
    examiners: SimpleQueue[Examiner] = SimpleQueue()
    paths = [
        item.callspec.params["path"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.function in (test_wrong, test_right)
    ]

    def report(path: Path) -> Report:
        examiner = examiners.get()
        try:
            own = folder / path.parent.name / path.stem
            own.mkdir(parents=True)
            return check(examiner, path, own)
        finally:
            examiners.put(examiner)

    with (
        Examiner(folder) as one,
        Examiner(folder) as two,
        ThreadPoolExecutor(2) as pool,
    ):
        examiners.put(one)
        examiners.put(two)
        yield {path: pool.submit(report, path) for path in paths}
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examiner]:
    """A worker for hostile files, replaced when one has broken it; less patient."""
    with Examiner(tmp_path_factory.mktemp("nothing"), IMPATIENT) as made:
        yield made


@pytest.mark.parametrize("path", files("wrong"))
def test_wrong(path: Path, reports: dict[Path, Future[Report]]) -> None:
    """A wrong file is rejected, and the report names its mistake."""
    found["wrong"] += 1
    report = reports[path].result()
    assert report.status != "passed", told(report)
    found["rejected"] += 1
    assert not report.fault, told(report)
    named = {line.mistake.id for line in report.lines if line.mistake}
    assert header(path, "mistake")
    assert header(path, "named") in named, told(report)
    found["named"] += 1


@pytest.mark.parametrize("path", files("right"))
def test_right(path: Path, reports: dict[Path, Future[Report]]) -> None:
    """A right file is accepted, however it is written."""
    found["right"] += 1
    report = reports[path].result()
    assert report.status == "passed", told(report)
    assert header(path, "right")
    found["accepted"] += 1


@pytest.mark.parametrize("path", files("hostile"))
def test_hostile(path: Path, guarded: Examiner, tmp_path: Path) -> None:
    """A hostile file gets a report in time, and it never says passed."""
    found["hostile"] += 1
    began = time.monotonic()
    report = check(guarded, path, tmp_path)
    assert time.monotonic() - began < SECONDS
    assert report.status != "passed", told(report)
    found["contained"] += 1


@pytest.mark.parametrize("path", files("right")[::12])
def test_right_after_hostile(path: Path, guarded: Examiner, tmp_path: Path) -> None:
    """What hostile files did has no effect on the files that come after them."""
    assert check(guarded, path, tmp_path).status == "passed"


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    """The summary is complete: all rejected, named, accepted and contained."""
    pairs = (("rejected", "wrong"), ("named", "wrong"))
    pairs += (("accepted", "right"), ("contained", "hostile"))
    said = ", ".join(f"{did} {found[did]} of {found[of]}" for did, of in pairs)
    with capsys.disabled():
        print(f"\n{said}")
    assert all(found[did] == found[of] for did, of in pairs), said
