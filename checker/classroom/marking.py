"""One submission marked in a process of its own, so that it costs no other anything.

``python -m checker.classroom.marking`` reads a line of JSON, a submission and the
rules, and answers with its grade. It ends when its input ends: whoever asked is gone.
The data of the checks is drawn from a seed that a process has from its start.
"""

import base64
import json
import os
import subprocess
import sys
import threading
import time
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from checker.classroom.points import earned, total
from checker.classroom.reading import Grade, Malformed, grade_of
from checker.classroom.submissions import Found, Submission, copied, digest
from checker.classroom.writing import scratch
from checker.course import ROOT, SEED, Puzzle, every
from checker.desk import screen
from checker.desk.reset import untouched
from checker.link.process import Limits
from checker.link.sandbox import available, environment
from checker.verdict.examiner import Examiner
from checker.verdict.report import Report

IGNORED = 50
"""How many of the files that were not graded a report lists."""
MARGIN = 60.0
"""Seconds beyond its own limit after which a process is ended."""
TICK = 0.2


@dataclass(frozen=True)
class Rules:
    """How to grade.

    Attributes:
        points: by step; steps that are not in it are not graded.
        timeout: seconds for a submission.
        checker: a hash of all that decides a grade.
        seed: what the data of the checks is drawn from.
    """

    points: dict[str, float]
    timeout: float
    checker: str
    seed: int = 0

    @property
    def puzzles(self) -> list[Puzzle]:
        return [puzzle for puzzle in every() if puzzle.step in self.points]


@dataclass(frozen=True)
class HandedIn:
    """A submission as it travels: the files that are graded, and what is said of the
    others.

    Attributes:
        name: the submission's.
        files: the text of each puzzle file, in base 64.
        sources: for each of them its path in the upload.
        missing: for each puzzle file that is not there, why.
        said: ``reason``, ``ignored`` and ``ignored_more`` of the report.
        digest: of the files.
    """

    name: str
    files: dict[str, str]
    sources: dict[str, str]
    missing: dict[str, str]
    said: dict[str, Any]
    digest: str


def handed_in(submission: Submission) -> HandedIn:
    """Read a submission, whatever it is. Raises Fault where the disk is full."""
    with scratch() as folder:
        found = copied(submission, folder)
        there = [p.file for p in every() if (folder / p.file).is_file()]
        files = {name: (folder / name).read_bytes() for name in there}
        return HandedIn(
            submission.name,
            {name: base64.b64encode(text).decode() for name, text in files.items()},
            dict(found.sources),
            {p.file: found.missing(p.file) for p in every() if p.file not in files},
            _said_of(found),
            digest(folder),
        )


def _said_of(found: Found) -> dict[str, Any]:
    """What was not graded, and why."""
    listed = [{"path": i.path, "reason": i.reason} for i in found.ignored[:IGNORED]]
    more = len(found.ignored) - len(listed)
    return {"reason": found.reason, "ignored": listed, "ignored_more": more}


# The process that asks


def mark_apart(
    handed: HandedIn, rules: Rules, stopped: Callable[[], bool] = lambda: False
) -> Grade | None:
    """The grade of a submission, from a process of its own; None when stopped.

    Whatever happens to that process, there is a grade: at worst one of 0 points that
    says why.
    """
    if all(_unjudged(puzzle, handed, rules) for puzzle in rules.puzzles):
        return mark(handed, rules)
    began, process = time.monotonic(), _started(rules.seed)
    request = json.dumps({"handed": asdict(handed), "rules": asdict(rules)})
    timer = threading.Timer(rules.timeout + MARGIN, process.kill)
    timer.start()
    try:
        answers, errors = _talk(process, request, stopped)
    finally:
        timer.cancel()
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            stream.close()  # type: ignore[union-attr]
    if answers is None:
        return None
    try:
        return grade_of(answers)
    except Malformed:
        late = time.monotonic() - began > rules.timeout
        words = errors.strip().splitlines() or ["it ended without an answer"]
        reason = "it took too long" if late else words[-1]
        return unmarked(handed, rules, f"the checker could not grade it: {reason}")


def _started(seed: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "checker.classroom.marking"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**environment(), SEED: str(seed)},
        start_new_session=True,
        text=True,
    )


def _talk(
    process: subprocess.Popen[str], request: str, stopped: Callable[[], bool]
) -> tuple[str | None, str]:
    """What it answers and what it complains of; None when stopped. Its input stays open
    while it works."""
    found: dict[str, str] = {}

    def read(name: str) -> None:
        found[name] = getattr(process, name).read()

    readers = [threading.Thread(target=read, args=(n,)) for n in ("stdout", "stderr")]
    for reader in readers:
        reader.start()
    try:
        assert process.stdin is not None
        process.stdin.write(request + "\n")
        process.stdin.flush()
    except BrokenPipeError:  # what it complains of says why
        pass
    while any(reader.is_alive() for reader in readers):
        readers[0].join(TICK)
        if stopped():
            process.kill()
            return None, ""
    return found["stdout"], found["stderr"]


def unmarked(handed: HandedIn, rules: Rules, reason: str) -> Grade:
    """A grade of 0 points for a submission that could not be judged."""
    steps = [
        _not_run(puzzle, rules, "error", "is graded", reason)
        for puzzle in rules.puzzles
    ]
    return _grade(handed, rules, steps, 0.0)


# The process that marks


def mark(handed: HandedIn, rules: Rules) -> Grade:
    """A submission's grade."""
    began = time.monotonic()
    steps = []
    with scratch() as folder:
        for name, text in handed.files.items():
            (folder / name).write_bytes(base64.b64decode(text))
        limits = Limits(step=min(30.0, rules.timeout), compile=rules.timeout)
        with Examiner(folder, limits, isolation=available()) as examiner:
            for puzzle in rules.puzzles:
                if time.monotonic() - began > rules.timeout:
                    steps.append(_late(puzzle, rules))
                else:
                    found = _unjudged(puzzle, handed, rules)
                    steps.append(found or _judged(examiner, puzzle, rules, folder))
    return _grade(handed, rules, steps, time.monotonic() - began)


def _grade(
    handed: HandedIn, rules: Rules, steps: list[dict[str, Any]], seconds: float
) -> Grade:
    return {
        "submission": handed.name,
        "score": total(step["score"] for step in steps),
        "max_score": total(step["max_score"] for step in steps),
        "seconds": round(seconds, 2),
        "checker": rules.checker,
        "isolation": available().value,
        "data_seed": rules.seed,
        "files": handed.digest,
        **handed.said,
        "steps": [{**s, "source": handed.sources.get(s["file"])} for s in steps],
    }


def _judged(
    examiner: Examiner, puzzle: Puzzle, rules: Rules, folder: Path
) -> dict[str, Any]:
    """The step of a report; where the checker fails at it, one that says so."""
    try:
        return _step(examiner.check(puzzle), rules, folder)
    except Exception as error:
        reason = f"the checker could not judge it: {type(error).__name__}: {error}"
        return _not_run(puzzle, rules, "error", "is judged", reason)


def _step(found: Report, rules: Rules, folder: Path) -> dict[str, Any]:
    step = screen.as_json(replace(found, file=found.puzzle.file))
    for check in step["checks"]:
        check["detail"] = check["detail"].replace(f"{folder}{os.sep}", "")
    worth = rules.points[found.puzzle.step]
    rows = [line for line in found.lines if line.name in _names(found.puzzle)]
    passed = sum(line.status == "passed" for line in rows)
    stopped = len(rows) < len(found.lines)
    return {
        **step,
        "score": 0.0 if stopped else float(earned(worth, passed, len(rows))),
        "max_score": worth,
        "printed": list(found.printed),
    }


def _names(puzzle: Puzzle) -> set[str]:
    """The checks of the table: a line besides them means that the file was stopped."""
    return {check.name for check in puzzle.table.checks}


def _unjudged(puzzle: Puzzle, handed: HandedIn, rules: Rules) -> dict[str, Any] | None:
    """The step of a puzzle that is missing or untouched; None if it is to be judged."""
    if puzzle.file not in handed.files:
        name = f"{puzzle.file} is handed in"
        return _not_run(puzzle, rules, "error", name, handed.missing[puzzle.file])
    if _plain(base64.b64decode(handed.files[puzzle.file])) == _plain(_original(puzzle)):
        name, reason = f"{puzzle.file} is filled in", "it is the untouched puzzle"
        return _not_run(puzzle, rules, "todo", name, reason)
    return None


@cache
def _original(puzzle: Puzzle) -> bytes:
    return untouched(puzzle).encode()


def _plain(text: bytes) -> list[bytes]:
    """Its lines, whatever their ends and the space there."""
    return [line.rstrip() for line in text.removeprefix(BOM_UTF8).rstrip().splitlines()]


def _late(puzzle: Puzzle, rules: Rules) -> dict[str, Any]:
    reason = f"the submission took longer than {rules.timeout:g} s before this step"
    return _not_run(puzzle, rules, "error", "is reached in time", reason)


def _not_run(
    puzzle: Puzzle, rules: Rules, status: str, name: str, reason: str
) -> dict[str, Any]:
    check = {"name": name, "status": status, "detail": reason, "mistake": None}
    return {
        "step": puzzle.step, "puzzle": puzzle.name, "file": puzzle.file,
        "status": status, "seconds": 0.0, "stand_ins": [], "checks": [check],
        "score": 0.0, "max_score": rules.points[puzzle.step], "printed": [],
    }  # fmt: skip


def main() -> None:
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_input, daemon=True).start()
    grade = mark(HandedIn(**request["handed"]), Rules(**request["rules"]))
    print(json.dumps(grade), flush=True)


def _end_with_input() -> None:
    """Whoever asked is gone, without a chance to say so."""
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    main()
