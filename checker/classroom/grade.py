"""Grade submissions: points for every check, reports in the forms that schools take.

    python -m checker grade submissions/ --format csv -o grades.csv

A submission is a folder, an archive or loose files with a prefix (``submissions.py``).
Each is checked like a learner's folder: earlier steps that do not pass are replaced by
the reference, so that nothing is penalized twice. What is done is kept in a journal
beside the output: after an interruption the same command goes on from there.
"""

import argparse
import contextlib
import hashlib
import json
import math
import os
import sys
import threading
import time
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from checker.classroom import formats
from checker.classroom.points import earned, total
from checker.classroom.reading import Grade, read_journal, read_reports, read_weights
from checker.classroom.submissions import Found, Submission, copied, digest, find
from checker.classroom.writing import disk, scratch
from checker.cli import NOT_YET, PASSED, UsageError
from checker.course import ROOT, Puzzle, puzzles, reference
from checker.desk import screen
from checker.desk.reset import untouched
from checker.link.process import Limits
from checker.verdict.examiner import Examiner
from checker.verdict.report import Report

WEIGHTS = Path(__file__).parent / "weights.toml"
JOURNAL = ".grading.jsonl"
IGNORED = 50
"""How many of the files that were not graded a report lists."""


@dataclass(frozen=True)
class Rules:
    """How to grade: points by step, seconds for a submission, the checker's hash."""

    points: dict[str, float]
    timeout: float
    checker: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "paths",
        nargs="+",
        type=Path,
        metavar="PATH",
        help="a submission (folder, zip, tar), a folder of submissions, or a JSON "
        "report of this command, to write it in another format",
    )
    parser.add_argument(
        "--single",
        action="store_true",
        help="each PATH is one submission, whatever it contains",
    )
    parser.add_argument("--format", choices=list(formats.FORMATS), default="table")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        help="write there; a folder for formats of one submission each",
    )
    parser.add_argument(
        "--weights",
        type=Path,
        default=WEIGHTS,
        metavar="FILE",
        help="points of each step, as TOML (checker/classroom/weights.toml)",
    )
    parser.add_argument(
        "--jobs",
        type=_count,
        default=os.cpu_count() or 1,
        metavar="N",
        help="submissions at a time (the number of cores)",
    )
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=180.0,
        metavar="SECONDS",
        help="for a whole submission (180); the rest then counts 0",
    )


def run(arguments: argparse.Namespace) -> int:
    """Grade, or write a report in another format; 0 whatever the scores are."""
    output = arguments.output
    if all(path.suffix == ".json" and os.path.isfile(path) for path in arguments.paths):
        formats.write(read_reports(arguments.paths), arguments.format, output)
        return PASSED
    rules = Rules(read_weights(arguments.weights), arguments.timeout, fingerprint())
    journal = _journal(output)
    ours = [path.resolve() for path in (output, journal) if path]
    try:
        submissions = find(arguments.paths, ours, single=arguments.single)
    except ValueError as error:
        raise UsageError(str(error)) from error
    formats.fits(output, arguments.format, len(submissions))
    grades = grade_all(submissions, rules, arguments.jobs, journal)
    if len(grades) < len(submissions):
        done = f"{len(grades)} of {len(submissions)} graded"
        print(f"interrupted: {done}; the same command goes on", file=sys.stderr)
        return NOT_YET
    formats.write(grades, arguments.format, output)
    with contextlib.suppress(OSError):
        journal.unlink(missing_ok=True)
    return PASSED


def grade_all(
    submissions: list[Submission], rules: Rules, jobs: int, journal: Path
) -> list[Grade]:
    """Every submission's grade, in order; fewer when interrupted by Ctrl-C."""
    done = dict(_resumable(submissions, rules, journal))
    left = [each for each in submissions if each.name not in done]
    stop = threading.Event()
    pool = ThreadPoolExecutor(max_workers=jobs)
    try:
        with _appending(journal) as log:
            tasks = {pool.submit(grade, each, rules, stop): each for each in left}
            finished = (task.result() for task in as_completed(tasks))
            kept = _noted(finished, done, log)
            for _ in _with_progress(kept, len(done), len(submissions)):
                pass
    except KeyboardInterrupt:
        stop.set()
        pool.shutdown(cancel_futures=True)
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
    return [done[each.name] for each in submissions if each.name in done]


def grade(submission: Submission, rules: Rules, stop: threading.Event) -> Grade | None:
    """One submission's grade, whatever it holds; None when asked to stop."""
    began = time.monotonic()
    steps: list[dict[str, Any]] = []
    with scratch() as folder:
        found = copied(submission, folder)
        with Examiner(folder, Limits(step=min(30.0, rules.timeout))) as examiner:
            for puzzle in puzzles():
                if stop.is_set():
                    return None
                if unjudged := _unjudged(puzzle, found, rules):
                    steps.append(unjudged)
                elif time.monotonic() - began > rules.timeout:
                    steps.append(_late(puzzle, rules))
                else:
                    steps.append(_step(examiner.check(puzzle), rules, folder))
        return {
            "submission": submission.name,
            "score": total(step["score"] for step in steps),
            "max_score": total(step["max_score"] for step in steps),
            "seconds": round(time.monotonic() - began, 2),
            "checker": rules.checker,
            "files": digest(folder),
            **_said_of(found),
            "steps": [{**s, "source": found.sources.get(s["file"])} for s in steps],
        }


def _said_of(found: Found) -> dict[str, Any]:
    """What was not graded, and why."""
    listed = [{"path": i.path, "reason": i.reason} for i in found.ignored[:IGNORED]]
    more = len(found.ignored) - len(listed)
    return {"reason": found.reason, "ignored": listed, "ignored_more": more}


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


def _unjudged(puzzle: Puzzle, found: Found, rules: Rules) -> dict[str, Any] | None:
    """The step of a puzzle that is missing or untouched; None if it is to be judged."""
    path = found.folder / puzzle.file
    if puzzle.file not in found.sources:
        name = f"{puzzle.file} is handed in"
        return _not_run(puzzle, rules, "error", name, found.missing(puzzle.file))
    if _plain(path.read_bytes()) == _plain(_original(puzzle)):
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


def fingerprint() -> str:
    """A hash of all that decides a grade: the engine, the tables, the reference."""
    found = hashlib.sha256()
    for folder in ("checker", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found.update(path.read_bytes())
    for puzzle in puzzles():
        found.update(reference(puzzle.name).text.encode())
    return "sha256:" + found.hexdigest()[:16]


def _resumable(
    submissions: list[Submission], rules: Rules, journal: Path
) -> Iterator[tuple[str, Grade]]:
    """What the journal holds of these very files, graded by this very checker."""
    by_name = {each.name: each for each in submissions}
    with disk(journal):
        noted = list(read_journal(journal))
    for result in noted:
        submission = by_name.get(result["submission"])
        if submission is None or result["checker"] != rules.checker:
            continue
        worth = {step["step"]: step["max_score"] for step in result["steps"]}
        if worth == rules.points and _unchanged(submission, result):
            yield submission.name, result


def _unchanged(submission: Submission, result: Grade) -> bool:
    """Whether a submission is what this grade was given for."""
    with scratch() as folder:
        found = copied(submission, folder)
        sources = {s["file"]: s["source"] for s in result["steps"] if s["source"]}
        now = {"files": digest(folder), **_said_of(found)}
        return sources == found.sources and now == {name: result[name] for name in now}


def _noted(
    results: Iterable[Grade | None], done: dict[str, Grade], log: BinaryIO
) -> Iterator[Grade | None]:
    """Each result into ``done`` and the journal, before anybody hears of it."""
    for result in results:
        if result is not None:
            done[result["submission"]] = result
            line = memoryview(json.dumps(result).encode() + b"\n")
            with disk(Path(log.name)):
                while line:  # a full disk takes a part before it says so
                    line = line[log.write(line) :]
        yield result


def _appending(journal: Path) -> BinaryIO:
    """The journal, open at the start of a line, whatever an interruption cut."""
    with disk(journal):
        journal.parent.mkdir(parents=True, exist_ok=True)
        log = journal.open("a+b", buffering=0)
        if log.tell():
            log.seek(-1, os.SEEK_END)
            if log.read(1) != b"\n":
                log.write(b"\n")
        return log


def _journal(output: Path | None) -> Path:
    if output is None:
        return Path(JOURNAL)
    if os.path.isdir(output):
        return output / JOURNAL
    return output.with_name(f"{output.name}{JOURNAL}")


def _with_progress(
    results: Iterable[Grade | None], done: int, total: int
) -> Iterator[Grade | None]:
    """A bar on a terminal, a line each elsewhere; both on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        for result in results:
            done += 1
            print(f"{done} of {total}: {_line(result)}", file=sys.stderr, flush=True)
            yield result
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("grading", total=total, completed=done)
        for result in results:
            bar.update(task, advance=1, description=_line(result))
            yield result


def _line(result: Grade | None) -> str:
    if result is None:
        return "stopped"
    return f"{result['submission']} {result['score']:g} of {result['max_score']:g}"


def _count(text: str) -> int:
    with contextlib.suppress(ValueError):
        if (number := int(text)) >= 1:
            return number
    raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (number := float(text)) < math.inf:
            return number
    raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
