"""Grade submissions: points for every check, reports in the forms that schools take.

    python -m checker grade submissions/ --format csv -o grades.csv

A submission is a folder or a zip that holds any of the ten puzzle files. Each is
checked like a learner's folder: earlier steps that do not pass are stood in for by the
reference, so that nothing is penalized twice. What is done is kept in a journal beside
the output: interrupted, the same command goes on from there.
"""

import argparse
import hashlib
import json
import os
import sys
import threading
import time
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from checker.classroom import formats
from checker.classroom.submissions import Submission, digest, find, unpacked
from checker.cli import NOT_YET, PASSED, UsageError
from checker.course import ROOT, Puzzle, puzzles, reference
from checker.desk import screen
from checker.link.process import Limits
from checker.verdict.examiner import Examiner
from checker.verdict.report import Report

WEIGHTS = Path(__file__).parent / "weights.toml"
JOURNAL = ".grading.jsonl"

Grade = dict[str, Any]
"""One submission's result, as JSON: what every format is written from."""


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
        help="a submission (folder or zip), a folder of submissions, or a JSON report "
        "of this command, to write it in another format",
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
        type=float,
        default=180.0,
        metavar="SECONDS",
        help="for a whole submission (180); the rest then counts 0",
    )


def run(arguments: argparse.Namespace) -> int:
    """Grade, or write a report in another format; 0 whatever the scores are."""
    if all(path.suffix == ".json" and path.is_file() for path in arguments.paths):
        grades = [grade for path in arguments.paths for grade in _read_report(path)]
        formats.write(grades, arguments.format, arguments.output)
        return PASSED
    rules = Rules(read_weights(arguments.weights), arguments.timeout, fingerprint())
    try:
        submissions = find(arguments.paths)
    except ValueError as error:
        raise UsageError(str(error)) from error
    journal = _journal(arguments.output)
    grades = grade_all(submissions, rules, arguments.jobs, journal)
    if len(grades) < len(submissions):
        done = f"{len(grades)} of {len(submissions)} graded"
        print(f"interrupted: {done}; the same command goes on", file=sys.stderr)
        return NOT_YET
    formats.write(grades, arguments.format, arguments.output)
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
        with journal.open("a", encoding="utf-8") as log:
            tasks = {pool.submit(grade, each, rules, stop): each for each in left}
            finished = (task.result() for task in as_completed(tasks))
            kept = _noted(finished, done, log)
            for _ in _with_progress(kept, len(done), len(submissions)):
                pass
    except KeyboardInterrupt:
        stop.set()
        pool.shutdown(cancel_futures=True)
    finally:
        pool.shutdown(cancel_futures=True)
    return [done[each.name] for each in submissions if each.name in done]


def grade(submission: Submission, rules: Rules, stop: threading.Event) -> Grade | None:
    """One submission's grade, whatever it holds; None when asked to stop."""
    began = time.monotonic()
    steps: list[dict[str, Any]] = []
    with unpacked(submission) as folder:
        with Examiner(folder, Limits(step=min(30.0, rules.timeout))) as examiner:
            for puzzle in puzzles():
                if stop.is_set():
                    return None
                if time.monotonic() - began > rules.timeout:
                    steps.append(_not_run(puzzle, rules))
                else:
                    steps.append(_step(examiner.check(puzzle), rules, folder))
        return {
            "submission": submission.name,
            "score": round(sum(step["score"] for step in steps), 2),
            "max_score": sum(step["max_score"] for step in steps),
            "seconds": round(time.monotonic() - began, 2),
            "checker": rules.checker,
            "files": digest(folder),
            "steps": steps,
        }


def _step(found: Report, rules: Rules, folder: Path) -> dict[str, Any]:
    step = screen.as_json(replace(found, file=found.puzzle.file))
    for check in step["checks"]:
        check["detail"] = check["detail"].replace(f"{folder}{os.sep}", "")
    worth = rules.points[found.puzzle.step]
    rows = [line for line in found.lines if line.name in _names(found.puzzle)]
    passed = sum(line.status == "passed" for line in rows)
    share = 0.0 if len(rows) < len(found.lines) else passed / max(1, len(rows))
    return {
        **step,
        "score": round(worth * share, 2),
        "max_score": worth,
        "printed": list(found.printed),
    }


def _names(puzzle: Puzzle) -> set[str]:
    """The checks of the table: a line besides them means that the file was stopped."""
    return {check.name for check in puzzle.table.checks}


def _not_run(puzzle: Puzzle, rules: Rules) -> dict[str, Any]:
    name = "is reached in time"
    reason = f"the submission took longer than {rules.timeout:.0f} s before this step"
    check = {"name": name, "status": "error", "detail": reason, "mistake": None}
    return {
        "step": puzzle.step, "puzzle": puzzle.name, "file": puzzle.file,
        "status": "error", "seconds": 0.0, "stand_ins": [], "checks": [check],
        "score": 0.0, "max_score": rules.points[puzzle.step], "printed": [],
    }  # fmt: skip


def read_weights(path: Path) -> dict[str, float]:
    """Points by step. Raises UsageError for a file that does not say them all."""
    try:
        points = tomllib.loads(path.read_text(encoding="utf-8"))["points"]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except (KeyError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} has no table [points] in TOML: {error}") from error
    for puzzle in puzzles():
        value = points.get(puzzle.step)
        if not isinstance(value, int | float) or value < 0:
            raise UsageError(
                f"{path}: {puzzle.step} has {value!r} points, want a number from 0"
            )
    return {puzzle.step: float(points[puzzle.step]) for puzzle in puzzles()}


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
    for result in _read_journal(journal):
        submission = by_name.get(result["submission"])
        if submission is None or result["checker"] != rules.checker:
            continue
        worth = {step["step"]: step["max_score"] for step in result["steps"]}
        with unpacked(submission) as folder:
            if worth == rules.points and digest(folder) == result["files"]:
                yield submission.name, result


def _noted(
    results: Iterable[Grade | None], done: dict[str, Grade], log: IO[str]
) -> Iterator[Grade | None]:
    """Each result into ``done`` and the journal, before anybody hears of it."""
    for result in results:
        if result is not None:
            done[result["submission"]] = result
            log.write(json.dumps(result) + "\n")
            log.flush()
        yield result


def _read_journal(journal: Path) -> Iterable[Grade]:
    if not journal.is_file():
        return
    for line in journal.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # the line that an interruption cut
            continue


def _journal(output: Path | None) -> Path:
    if output is None:
        return Path(JOURNAL)
    output.parent.mkdir(parents=True, exist_ok=True)
    return output.with_name(f"{output.name}{JOURNAL}")


def _read_report(path: Path) -> list[Grade]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["submissions"]
        assert isinstance(found, list)
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise UsageError(f"{path} is not a JSON report of `grade`") from error
    return found


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
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
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
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number
