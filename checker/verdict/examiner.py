"""The one way to a verdict: for one step, all of them, watching and grading.

``Examiner`` decides which files stand in, has a worker run the probes, and hands what
it answered to the judge.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from checker.course import SEED, Fault, Puzzle, Source, reference, shown, siblings
from checker.link.process import ENDLESS, Answers, Limits, WorkerProcess, key
from checker.link.sandbox import Isolation
from checker.link.warm import Warming
from checker.table import Check, Table
from checker.verdict import diagnose
from checker.verdict.judge import IMPORTED, Judge, explained, fault
from checker.verdict.report import Line, Report, status_of

PREPARING = 0.8
"""Seconds of computing what mistakes give, while a worker imports MAX."""
AHEAD = 5.0
"""The same where nobody waits for it."""
OLD = 10
"""Requests after which a worker that did not finish may be slow itself."""
WORN = 30
"""Requests after which a worker is replaced: files leave objects behind, and MAX walks
through all that is pending for each tensor."""


class Examiner:
    """Checks the files of one folder. Close it, or use it in a ``with`` statement."""

    def __init__(
        self,
        folder: Path,
        limits: Limits | None = None,
        announce: Callable[[str], None] = lambda _: None,
        worker: WorkerProcess | None = None,
        isolation: Isolation = Isolation.NONE,
    ) -> None:
        self.folder = folder
        self.limits = limits or Limits()
        self.announce = announce
        self.isolation = isolation
        self._worker = worker
        self._fresh: Warming | None = None
        self._verdicts: dict[tuple[str, ...], bool] = {}

    def __enter__(self) -> "Examiner":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._drop()
        if self._fresh is not None:
            self._fresh.close()
            self._fresh = None

    def _drop(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None

    def start(self) -> None:
        """Have a worker import MAX in the background, ready for the next check."""
        worker = self._worker
        if worker is None or not worker.alive or worker.requests >= WORN:
            self._drop()
            fresh, self._fresh = self._fresh, None
            self._worker = fresh.take() if fresh else self._made()

    def _made(self) -> WorkerProcess:
        return WorkerProcess(self.limits, self.isolation)

    def renew(self, target: Puzzle, *, forget: bool = False) -> None:
        """Start a fresh worker in the background, warmed up for ``target``.

        ``settle`` puts it in place. ``forget`` also forgets which siblings pass.
        """
        if forget:
            self._verdicts.clear()
        if self._fresh is None:
            names = [target.name, *(each.name for each in siblings(target.name))]
            files = {name: reference(name) for name in names}
            request = _request(target, files, _probes(target.table))
            table = target.table
            self._fresh = Warming(
                self.limits, request, lambda: diagnose.prepare(table, AHEAD)
            )

    @property
    def is_renewed(self) -> bool:
        """Whether ``settle`` would put a fresh worker in place."""
        return self._fresh is not None and self._fresh.done

    def settle(self) -> None:
        """Put the fresh worker in place if it is ready.

        Until then that of the last check, if it is still well, answers: nobody waits.
        """
        if self.is_renewed:
            self._drop()
            self.start()

    def check(self, target: Puzzle) -> Report:
        """Check one step against ``folder``'s file of it."""
        began = time.monotonic()
        self.settle()
        self.start()
        path = self.folder / target.file
        text = read(path)
        if isinstance(text, Line):
            seconds = time.monotonic() - began
            return Report(target, shown(path), "error", (text,), seconds)
        files, stand_ins = self._files(target, Source(str(path), text))
        report = self._examine(target, files, diagnosing=True)
        self._remember(target, files, report.status == "passed")
        seconds = time.monotonic() - began
        return replace(report, stand_ins=stand_ins, seconds=seconds)

    def last_word(self, report: Report) -> Report:
        """Have MAX compile what passed, run and compare it; a difference is the
        checker's fault. The report as it is where there is nothing to compile."""
        target, check = report.puzzle, report.puzzle.table.compiled
        text = read(self.folder / target.file)
        if check is None or report.status != "passed" or isinstance(text, Line):
            return report
        self.announce("compiling with MAX…")
        began = time.monotonic()
        path = str(self.folder / target.file)
        files, _ = self._files(target, Source(path, text))
        answers = self._ask(_request(target, files, _asked([check]), compile=True))
        line = _last_line(check, answers, report.file, time.monotonic() - began)
        lines = (*report.lines, line)
        spent = report.seconds + time.monotonic() - began
        return replace(report, lines=lines, status=line.status, seconds=spent)

    def _files(
        self, target: Puzzle, own: Source
    ) -> tuple[dict[str, Source], tuple[str, ...]]:
        """The target's file and its siblings': the folder's where they pass."""
        files: dict[str, Source] = {}
        stand_ins = []
        for sibling in siblings(target.name):
            text = read(self.folder / sibling.file)
            candidate = reference(sibling.name)
            if isinstance(text, str):
                theirs = Source(str(self.folder / sibling.file), text)
                if text == candidate.text or self._passes(sibling, theirs, files):
                    files[sibling.name] = theirs
                    continue
            files[sibling.name] = candidate
            stand_ins.append(sibling.name)
        return files | {target.name: own}, tuple(stand_ins)

    def _passes(self, sibling: Puzzle, own: Source, earlier: dict[str, Source]) -> bool:
        used = {each.name for each in siblings(sibling.name)}
        files = {n: s for n, s in earlier.items() if n in used} | {sibling.name: own}
        known = self._verdicts.get(_identity(sibling, files))
        if known is None:
            report = self._examine(sibling, files, diagnosing=False)
            known = self._remember(sibling, files, report.status == "passed")
        return known

    def _remember(self, target: Puzzle, files: dict[str, Source], passed: bool) -> bool:
        self._verdicts[_identity(target, files)] = passed
        return passed

    def _examine(
        self, target: Puzzle, files: dict[str, Source], *, diagnosing: bool
    ) -> Report:
        table, file = target.table, shown(Path(files[target.name].path))
        if self._worker is not None and not self._worker.ready and diagnosing:
            diagnose.prepare(table, PREPARING, self._worker.has_said)
        answers = self._ask(_request(target, files, _probes(table)))
        judge = Judge(table, file, answers)
        if diagnosing:
            wanted = judge.name_mistakes() if not answers.stopped else []
            more = self._ask(_request(target, files, wanted, diagnosing=True))
            judge.name_more(more.results)
        lines = judge.lines()
        return Report(
            target,
            file,
            status_of(lines),
            tuple(lines),
            printed=tuple(answers.printed),
            notes=tuple(dict.fromkeys(answers.notes)),
        )

    def _ask(self, request: dict[str, Any]) -> Answers:
        """A worker's answers; none to no question. Raises Fault."""
        if not request["probes"]:
            return Answers()
        try:
            answers = self._answer(request)
            known = self._worker.requests if self._worker else 0
            slowed = answers.stopped == ENDLESS and not answers.apart and known > OLD
            if slowed or (answers.suspect and known > 1):
                raise RuntimeError(answers.stopped)
        except RuntimeError:  # what ran before may have left the worker unfit
            self._drop()
            try:
                answers = self._answer(request)
            except RuntimeError as error:
                message = f"{error}\n`python -m checker doctor` says more"
                raise Fault(message) from error
        if not answers.apart and (answers.stopped or answers.violations):
            self._drop()
        return answers

    def _answer(self, request: dict[str, Any]) -> Answers:
        """The worker's answers; RuntimeError, and no worker, where it is at fault."""
        self.start()
        assert self._worker is not None
        try:
            return self._worker.ask(request)
        except RuntimeError:
            self._worker = None
            raise


def read(path: Path) -> str | Line:
    """The text of a learner's file, or the line that says why there is none."""
    name = f"{path.name} {IMPORTED}"
    if not path.is_file():
        reason = f"there is no {shown(path)}"
    else:
        try:
            return path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError:
            reason = f"{shown(path)} is not a text file in UTF-8: is it Python?"
        except OSError as error:
            reason = f"{shown(path)} cannot be read: {error.strerror}"
    return Line(name, "error", name, (reason,))


def _probes(table: Table) -> list[list[Any]]:
    return _asked(table.checks)


def _asked(checks: Iterable[Check]) -> list[list[Any]]:
    """Each probe once: rows that look at the same answer share it."""
    probes = [[check.probe, list(check.given)] for check in checks]
    return [
        probe for number, probe in enumerate(probes) if probe not in probes[:number]
    ]


def _request(
    target: Puzzle,
    files: dict[str, Source],
    probes: list[list[Any]],
    *,
    compile: bool = False,
    diagnosing: bool = False,
) -> dict[str, Any]:
    """What a worker is asked; see ``worker/main.py``. ``diagnosing`` is for the limits
    of time alone."""
    return {
        "package": target.package,
        "name": target.name,
        "files": {
            name: {
                "path": source.path,
                "source": source.text,
                "learner": source is not reference(name),
            }
            for name, source in files.items()
        },
        "probes": probes,
        "seed": os.environ.get(SEED, "0"),
        "compile": compile,
        "diagnosing": diagnosing,
    }


def _identity(target: Puzzle, files: dict[str, Source]) -> tuple[str, ...]:
    return (target.name, *(files[name].text for name in sorted(files)))


def _last_line(check: Check, answers: Answers, file: str, seconds: float) -> Line:
    """The line of what MAX itself has compiled and run."""
    sentence = f"{check.name} ({seconds:.1f} s)"
    result = answers.results.get(key([check.probe, list(check.given)]))
    if result is None:
        reason = f"{Path(file).name} {answers.stopped or 'gave no answer'}"
        return Line(check.name, "error", sentence, (reason,), fault=True)
    if result[0] == "error":
        line = explained(check.name, sentence, result, file)
        return replace(line, status="error", fault=True)
    found = fault(check, result)
    if found is None:
        return Line(check.name, "passed", sentence)
    return Line(check.name, "error", sentence, (found,), fault=True)
