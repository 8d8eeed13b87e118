"""The checkers judge files that learners write: wrong, right and hostile ones.

``submission_files.py`` reads them. Each is checked in the place of its puzzle, with the
reference for the others; and right files are checked together, combined at random.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import pytest

from checker.course import puzzle, puzzles
from checker.link.process import Limits
from checker.link.sandbox import available
from checker.verdict.examiner import Examiner
from checker.verdict.report import Report
from tests.course.submission_files import Submission, submissions

pytestmark = pytest.mark.max

SECONDS = 60.0  # what a report may take, whatever the file does
IMPATIENT = Limits(probe=3.0, step=6.0)
COMBINATIONS = 12
NOTHING = "-"
"""The name of a wrong file of which nothing may be said but what was got and wanted."""

found: Counter[str] = Counter()
"""What was found so far, for the summary at the end."""


def files(kind: str) -> list:
    return [pytest.param(each, id=each.id) for each in submissions(kind)]


def place(file: Submission, folder: Path) -> None:
    (folder / puzzle(file.step).file).write_bytes(file.source)


def check(examiner: Examiner, file: Submission, folder: Path) -> Report:
    """The report on one file, alone in a folder of its own."""
    place(file, folder)
    examiner.folder = folder
    return examiner.check(puzzle(file.step))


def told(report: Report) -> str:
    """The report in a few lines, for the message of a failing test."""
    lines = [f"{report.status} {report.file}"]
    for line in report.lines:
        name = line.mistake.id if line.mistake else line.explained or NOTHING
        lines.append(f"{line.status} {line.name} [{name}] {' / '.join(line.detail)}")
    return "\n".join(lines)


Make = Callable[[Callable[[Examiner], Report]], Future[Report]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Make]:
    """Has reports made by two workers ahead of the tests."""
    folder = tmp_path_factory.mktemp("nothing")
    examiners: SimpleQueue[Examiner] = SimpleQueue()

    def run(task: Callable[[Examiner], Report]) -> Report:
        examiner = examiners.get()
        try:
            return task(examiner)
        finally:
            examiners.put(examiner)

    with (
        Examiner(folder) as one,
        Examiner(folder) as two,
        ThreadPoolExecutor(2) as pool,
    ):
        examiners.put(one)
        examiners.put(two)
        yield lambda task: pool.submit(run, task)
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def reports(
    request: pytest.FixtureRequest,
    made: Make,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[Submission, Future[Report]]:
    """The reports on the selected files that mean well."""

    def task(file: Submission) -> Callable[[Examiner], Report]:
        own = tmp_path_factory.mktemp(file.id)
        return lambda examiner: check(examiner, file, own)

    selected = [
        item.callspec.params["file"]
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.function in (test_wrong, test_right)
    ]
    return {file: made(task(file)) for file in selected}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examiner]:
    """For hostile files: isolated, as where a class is graded, and less patient."""
    folder = tmp_path_factory.mktemp("nothing")
    with Examiner(folder, IMPATIENT, isolation=available()) as examiner:
        yield examiner


@pytest.mark.parametrize("file", files("wrong"))
def test_wrong(file: Submission, reports: dict[Submission, Future[Report]]) -> None:
    """A wrong file is rejected; its mistake is named, or its exception explained."""
    found["wrong"] += 1
    report = reports[file].result()
    assert report.status != "passed", told(report)
    found["rejected"] += 1
    assert not report.fault, told(report)
    named = {line.mistake.id for line in report.lines if line.mistake}
    explained = {line.explained for line in report.lines if line.explained}
    if file.named == NOTHING:
        assert not named, told(report)
        return
    assert file.named in named | explained, told(report)
    found["named"] += 1


@pytest.mark.parametrize("file", files("right"))
def test_right(file: Submission, reports: dict[Submission, Future[Report]]) -> None:
    """A right file is accepted, however it is written."""
    found["right"] += 1
    report = reports[file].result()
    assert report.status == "passed", told(report)
    found["accepted"] += 1


@pytest.mark.parametrize("number", range(COMBINATIONS))
def test_right_files_combined(number: int, made: Make, tmp_path: Path) -> None:
    """Where every file passes by itself, all pass together, whoever wrote which."""
    choose = random.Random(number)
    right = submissions("right")
    for each in puzzles():
        place(choose.choice([f for f in right if f.step == each.step]), tmp_path)

    def task(examiner: Examiner) -> list[Report]:
        examiner.folder = tmp_path
        return [examiner.check(each) for each in puzzles()]

    for report in made(task).result():  # type: ignore[arg-type]
        assert report.status == "passed", told(report)
        assert not report.stand_ins, told(report)


@pytest.mark.parametrize("file", files("hostile"))
def test_hostile(file: Submission, guarded: Examiner, tmp_path: Path) -> None:
    """A hostile file gets a report in time, and it never says passed."""
    found["hostile"] += 1
    began = time.monotonic()
    report = check(guarded, file, tmp_path)
    assert time.monotonic() - began < SECONDS
    assert report.status != "passed", told(report)
    found["contained"] += 1


def test_summary(capsys: pytest.CaptureFixture[str]) -> None:
    """The summary: all rejected, accepted and contained, and at least 95 % named."""
    pairs = (("rejected", "wrong"), ("named", "wrong"))
    pairs += (("accepted", "right"), ("contained", "hostile"))
    said = ", ".join(f"{did} {found[did]} of {found[of]}" for did, of in pairs)
    with capsys.disabled():
        print(f"\n{said}")
    for did, of in pairs:
        assert found[did] >= (0.95 if did == "named" else 1) * found[of], said
