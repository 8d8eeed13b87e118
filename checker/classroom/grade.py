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
import secrets
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from checker.classroom import formats
from checker.classroom.cluster import connect, grade_on
from checker.classroom.marking import HandedIn, Rules, handed_in, mark_apart
from checker.classroom.reading import Grade, read_journal, read_reports, read_weights
from checker.classroom.submissions import Submission, find
from checker.classroom.writing import disk
from checker.cli import NOT_YET, PASSED, UsageError
from checker.course import ROOT, Fault, every, reference
from checker.link.sandbox import Isolation, available, close

WEIGHTS = Path(__file__).parent / "weights.toml"
JOURNAL = ".grading.jsonl"
SEEDS = 10**9

Graders = Callable[[list[Submission], Rules], Generator[Grade]]
"""Grade submissions; closed, they stop."""


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
    _add_machines(parser)


def _add_machines(parser: argparse.ArgumentParser) -> None:
    """The arguments that say on what, and for how long, submissions are graded."""
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
    parser.add_argument(
        "--data-seed",
        type=_count,
        metavar="N",
        help="what the data of the checks is drawn from (a new number for each run; "
        "reports say it)",
    )
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="grade on the machines of a Dask scheduler, as tcp://10.0.0.1:8786",
    )


def run(arguments: argparse.Namespace) -> int:
    """Grade, or write a report in another format; 0 whatever the scores are."""
    output = arguments.output
    if all(path.suffix == ".json" and os.path.isfile(path) for path in arguments.paths):
        formats.write(read_reports(arguments.paths), arguments.format, output)
        return PASSED
    points, journal = read_weights(arguments.weights), _journal(output)
    seed = arguments.data_seed or _seed(journal)
    rules = Rules(points, arguments.timeout, fingerprint(), seed)
    ours = [path.resolve() for path in (output, journal) if path]
    try:
        submissions = find(arguments.paths, ours, single=arguments.single)
    except ValueError as error:
        raise UsageError(str(error)) from error
    formats.fits(output, arguments.format, len(submissions))
    if available() is Isolation.USER:
        close(ROOT, *arguments.paths)
    if arguments.cluster:
        with connect(arguments.cluster) as client:
            grades = grade_all(submissions, rules, journal, partial(_far, client))
    else:
        grades = grade_all(submissions, rules, journal, partial(_here, arguments.jobs))
    if len(grades) < len(submissions):
        done = f"{len(grades)} of {len(submissions)} graded"
        print(f"interrupted: {done}; the same command goes on", file=sys.stderr)
        return NOT_YET
    formats.write(grades, arguments.format, output)
    with contextlib.suppress(OSError):
        journal.unlink(missing_ok=True)
    return PASSED


def grade_all(
    submissions: list[Submission], rules: Rules, journal: Path, graded: Graders
) -> list[Grade]:
    """Every submission's grade, in order; fewer when interrupted by Ctrl-C."""
    done = dict(_resumable(submissions, rules, journal))
    left = [each for each in submissions if each.name not in done]
    try:
        with _appending(journal) as log, closing(graded(left, rules)) as grades:
            kept = _noted(grades, done, log)
            for _ in _with_progress(kept, len(done), len(submissions)):
                pass
    except KeyboardInterrupt:
        pass
    return [done[each.name] for each in submissions if each.name in done]


def _here(jobs: int, left: list[Submission], rules: Rules) -> Generator[Grade]:
    """Graded on this machine, some at a time."""
    stop = threading.Event()
    pool = ThreadPoolExecutor(max_workers=jobs)

    def grade(submission: Submission) -> Grade | None:
        if stop.is_set():
            return None
        return mark_apart(_read(submission), rules, stop.is_set)

    try:
        tasks = [pool.submit(grade, each) for each in left]
        yield from filter(None, (task.result() for task in as_completed(tasks)))
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)


def _far(client: Any, left: list[Submission], rules: Rules) -> Generator[Grade]:
    """Graded by the machines of a cluster."""
    yield from grade_on(client, (partial(_read, each) for each in left), rules)


def _read(submission: Submission) -> HandedIn:
    """What was handed in; where it cannot be read, nothing, and why."""
    try:
        return handed_in(submission)
    except Fault:  # the disk is full: that concerns all
        raise
    except Exception as error:
        reason = f"it cannot be read: {type(error).__name__}: {error}"
        missing = {puzzle.file: reason for puzzle in every()}
        said = {"reason": reason, "ignored": [], "ignored_more": 0}
        return HandedIn(submission.name, {}, {}, missing, said, "0" * 64)


def fingerprint() -> str:
    """A hash of all that decides a grade: the engine, the tables, the reference."""
    found = hashlib.sha256()
    for folder in ("checker", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            found.update(path.read_bytes())
    for puzzle in every():
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
        same_data = result["data_seed"] == rules.seed
        if worth == rules.points and same_data and _unchanged(submission, result):
            yield submission.name, result


def _unchanged(submission: Submission, result: Grade) -> bool:
    """Whether a submission is what this grade was given for."""
    now = _read(submission)
    sources = {s["file"]: s["source"] for s in result["steps"] if s["source"]}
    same = now.digest == result["files"] and sources == now.sources
    return same and now.said == {name: result[name] for name in now.said}


def _seed(journal: Path) -> int:
    """What an interrupted run has drawn its data from, or a new seed."""
    with disk(journal):
        seeds = [result["data_seed"] for result in read_journal(journal)]
    return next(iter(seeds), 0) or 1 + secrets.randbelow(SEEDS - 1)


def _noted(
    results: Iterable[Grade], done: dict[str, Grade], log: BinaryIO
) -> Iterator[Grade]:
    """Each result into ``done`` and the journal, before anybody hears of it."""
    for result in results:
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


def _with_progress(results: Iterable[Grade], done: int, total: int) -> Iterator[Grade]:
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


def _line(result: Grade) -> str:
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
