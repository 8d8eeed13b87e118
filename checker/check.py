"""Check a step: which files stand in, what the probes answered, what it means.

``Examiner`` is the one way to a verdict, for one step, all ten, watching and grading.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from checker import errors, seal
from checker.compare import difference, show
from checker.diagnose import Result, diagnose
from checker.process import Answers, Limits, Worker, key
from checker.table import ROOT, Check, Mistake, Puzzle, Step, puzzle, puzzles, siblings
from checker.warm import Warming

IMPORTED = "can be imported"


@dataclass(frozen=True)
class Line:
    """One check's outcome. ``status``: passed, failed, blocked, todo, error.

    ``sentence`` is what the report shows, ``detail`` what was got and wanted or what
    happened (lines), ``where`` the place to look at, ``fault`` true where the checker
    itself is at fault.
    """

    name: str
    status: str
    sentence: str
    detail: tuple[str, ...] = ()
    mistake: Mistake | None = None
    where: str = ""
    needs: str = ""
    fault: bool = False


@dataclass(frozen=True)
class Report:
    """A step's outcome. ``status``: passed, failed, todo, error."""

    puzzle: Puzzle
    file: str
    status: str
    lines: tuple[Line, ...]
    seconds: float = 0.0
    stand_ins: tuple[str, ...] = ()
    printed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def fault(self) -> bool:
        return any(line.fault for line in self.lines)


class Fault(Exception):
    """The environment or the checker itself is at fault; the message says how."""


@dataclass(frozen=True)
class Source:
    path: str
    text: str


@cache
def reference(name: str) -> Source:
    """The reference solution of a puzzle, from ``solutions/`` or the sealed copy."""
    path = ROOT / "solutions" / f"{name}.py"
    if path.is_file():
        return Source(str(path), path.read_text(encoding="utf-8"))
    try:
        return Source(str(path), seal.unseal()[name])
    except (OSError, ValueError, KeyError) as error:
        raise Fault(
            f"the reference of {name}.py is missing: neither {path} nor {seal.SEALED} "
            "can be read; get a fresh copy of the course"
        ) from error


class Examiner:
    """Checks the files of one folder. Close it, or use it in a ``with`` statement."""

    def __init__(
        self,
        folder: Path,
        limits: Limits | None = None,
        announce: Callable[[str], None] = lambda _: None,
        worker: Worker | None = None,
    ) -> None:
        self.folder = folder
        self.limits = limits or Limits()
        self.announce = announce
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
        if self._worker is None or not self._worker.alive:
            self._drop()
            fresh, self._fresh = self._fresh, None
            self._worker = fresh.take() if fresh else Worker(self.limits)

    def renew(self, target: Puzzle, *, forget: bool = False) -> None:
        """Start a fresh worker in the background, warmed up for ``target``.

        ``settle`` puts it in place. ``forget`` also forgets which siblings pass.
        """
        if forget:
            self._verdicts.clear()
        if self._fresh is None:
            names = [target.name, *(each.name for each in siblings(target.name))]
            files = {name: reference(name) for name in names}
            probes = [[number, None] for number in _distinct(target.table).values()]
            request = _request(target, files, probes, False)
            self._fresh = Warming(self.limits, request)

    def settle(self) -> None:
        """Put the fresh worker in place if it is ready.

        Until then that of the last check, if it is still well, answers: nobody waits.
        """
        if self._fresh is not None and self._fresh.done:
            self._drop()
            self.start()

    def check(self, target: Puzzle, *, compile: bool = False) -> Report:
        """Check one step against ``folder``'s file of it."""
        began = time.monotonic()
        self.settle()
        self.start()
        path = self.folder / target.file
        file = shown(path)
        text = read(path)
        if isinstance(text, Line):
            return Report(target, file, "error", (text,), time.monotonic() - began)
        files, stand_ins = self._files(target, Source(str(path), text))
        report = self._examine(target, file, files, stand_ins, diagnosing=True)
        self._remember(target, files, report.status == "passed")
        if report.status == "passed" and compile and target.table.compiled:
            report = self._last_word(report, files, target.table.compiled)
        return replace(report, seconds=time.monotonic() - began)

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
            report = self._examine(sibling, own.path, files, (), diagnosing=False)
            known = self._remember(sibling, files, report.status == "passed")
        return known

    def _remember(self, target: Puzzle, files: dict[str, Source], passed: bool) -> bool:
        self._verdicts[_identity(target, files)] = passed
        return passed

    def _ask(
        self, target: Puzzle, files: dict[str, Source], probes: list[Any], compile: bool
    ) -> Answers:
        request = _request(target, files, probes, compile)
        try:
            answers = self._answer(request)
        except RuntimeError:  # what ran before may have left the worker unfit
            try:
                answers = self._answer(request)
            except RuntimeError as error:
                message = f"{error}\n`python -m checker doctor` says more"
                raise Fault(message) from error
        if answers.stopped or answers.violations:
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

    def _examine(
        self,
        target: Puzzle,
        file: str,
        files: dict[str, Source],
        stand_ins: tuple[str, ...],
        *,
        diagnosing: bool,
    ) -> Report:
        table = target.table
        probes = _distinct(table)
        answers = self._ask(target, files, [[i, None] for i in probes.values()], False)
        if failure := _not_loaded(target, file, answers):
            lines = [failure, *_blocked(table)]
        else:
            lines = _judge(table, file, probes, answers, {})
            diagnosing = diagnosing and not answers.stopped
            wanted = _own_probes(table, lines) if diagnosing else []
            if wanted:
                more = self._ask(target, files, wanted, False)
                lines = _judge(table, file, probes, answers, more.results)
            lines += _violations(answers, file)
        return Report(
            target,
            file,
            _status(lines),
            tuple(lines),
            stand_ins=stand_ins,
            printed=tuple(answers.printed),
            notes=tuple(dict.fromkeys(answers.notes)),
        )

    def _last_word(
        self, report: Report, files: dict[str, Source], check: Check
    ) -> Report:
        """Compile with MAX itself, run and compare; a difference is the checker's."""
        self.announce("compiling with MAX…")
        began = time.monotonic()
        answers = self._ask(report.puzzle, files, [["compiled", None]], True)
        seconds = time.monotonic() - began
        result = answers.results.get(key(["compiled", None]))
        problem = _problem(check, result, answers, report.file)
        line = Line(
            check.name,
            "error" if problem else "passed",
            f"{check.name} ({seconds:.1f} s)",
            tuple(problem),
            fault=bool(problem),
        )
        status = "error" if problem else "passed"
        return replace(report, lines=(*report.lines, line), status=status)


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


def shown(path: Path) -> str:
    """A path as the learner wrote it: relative to where they are, if it is below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _request(
    target: Puzzle, files: dict[str, Source], probes: list[Any], compile: bool
) -> dict[str, Any]:
    """What a worker is asked; see ``worker.py``."""
    return {
        "step": target.step,
        "files": {
            name: {
                "path": source.path,
                "source": source.text,
                "learner": source is not reference(name),
            }
            for name, source in files.items()
        },
        "probes": probes,
        "compile": compile,
    }


def _identity(target: Puzzle, files: dict[str, Source]) -> tuple[str, ...]:
    return (target.name, *(files[name].text for name in sorted(files)))


def _distinct(table: Step) -> dict[Any, int]:
    """Each probe once: rows that look at the same answer share it."""
    probes: dict[Any, int] = {}
    for number, check in enumerate(table.checks):
        probes.setdefault(check.probe, number)
    return probes


def _not_loaded(target: Puzzle, file: str, answers: Answers) -> Line | None:
    name = f"{target.file} {IMPORTED}"
    error = answers.results.get("load")
    if error is not None:
        status = "todo" if error[1]["todo"] else "error"
        detail = errors.explain(error[1], target.file)
        return Line(name, status, name, tuple(_relative(detail, file)))
    if answers.during == "load" and answers.stopped:
        return Line(name, "error", name, (f"{target.file} {answers.stopped}",))
    return None


def _blocked(table: Step) -> list[Line]:
    return [
        Line(check.name, "blocked", check.name, needs="the file to load")
        for check in table.checks
    ]


def _judge(
    table: Step,
    file: str,
    probes: dict[Any, int],
    answers: Answers,
    diagnostic: dict[str, Result],
) -> list[Line]:
    lines: list[Line] = []
    status: dict[str, str] = {}
    for number, check in enumerate(table.checks):
        own = f"{number}/"
        others = {
            int(at.removeprefix(own)): answer
            for at, answer in diagnostic.items()
            if at.startswith(own)
        }
        at = key([probes[check.probe], None])
        result = answers.results.get(at)
        unmet = [need for need in check.needs if status.get(need) != "passed"]
        line = (
            Line(check.name, "blocked", _sentence(check, result), needs=unmet[0])
            if unmet
            else _line(check, at, result, others, answers, file)
        )
        status[check.name] = line.status
        lines.append(line)
    return lines


def _line(
    check: Check,
    at: str,
    result: Result | None,
    others: dict[int, Result],
    answers: Answers,
    file: str,
) -> Line:
    sentence = _sentence(check, result)
    if result is None and answers.stopped and answers.during != at:
        return Line(check.name, "blocked", sentence, needs="the check before to end")
    if result is None:
        problem = _problem(check, result, answers, file)
        return Line(check.name, "error", sentence, tuple(problem))
    if result[0] == "error" and result[1]["todo"]:
        hole = result[1]["message"] or "a hole"
        path, line, *_ = result[1]["frames"][-1]
        detail = (f"this hole is open: {hole}",)
        where = errors.place(shown(Path(path)), line)
        return Line(check.name, "todo", sentence, detail, where=where)
    problem = _problem(check, result, answers, file)
    if not problem:
        return Line(check.name, "passed", _sentence(check, result, True))
    defined = answers.definitions.get(check.where)
    raised = result[0] == "error"
    return Line(
        check.name,
        "error" if raised else "failed",
        sentence,
        tuple(problem) if not check.failed or raised else (),
        diagnose(check, result, others),
        where=errors.place(file, defined) if defined and not raised else "",
    )


def _problem(
    check: Check, result: Result | None, answers: Answers, file: str
) -> list[str]:
    """What is wrong with an answer, as lines; empty where it is right."""
    if result is None:
        return [f"{errors.name_of(file)} {answers.stopped or 'gave no answer'}"]
    if result[0] == "error":
        return _relative(errors.explain(result[1], errors.name_of(file)), file)
    found = _fault_of(check.accept, result[1]) if check.accept else None
    if found is None and check.expect is not None:
        found = difference(result[1], check.expect(), check.tolerance)
    return [] if found is None else [found]


def _fault_of(accept: Callable[[Any], str | None], value: object) -> str | None:
    """What a property finds; an answer without the form it looks at fails it too."""
    try:
        return accept(value)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError):
        return f"got {show(value)}, which is not what this check looks at"


def _relative(lines: list[str], file: str) -> list[str]:
    return [line.replace(str(Path(file).resolve()), file) for line in lines]


def _sentence(check: Check, result: Result | None, passed: bool = False) -> str:
    template = check.passed if passed else check.failed
    got = result[1] if result and result[0] == "value" else None
    return template.format(got=show_plain(got)) if template else check.name


def show_plain(value: object) -> str:
    return repr(value) if isinstance(value, float) else show(value)


def _own_probes(table: Step, lines: list[Line]) -> list[list[int]]:
    """The mistakes' own probes, for the checks that did not pass."""
    return [
        [number, m]
        for number, (check, line) in enumerate(zip(table.checks, lines, strict=False))
        if line.status in ("failed", "error") and line.mistake is None
        for m, mistake in enumerate(check.mistakes)
        if mistake.probe is not None
    ]


def _violations(answers: Answers, file: str) -> list[Line]:
    name = "leaves everything else alone"
    return [
        Line(name, "error", name, (f"{errors.name_of(file)} {violation}",))
        for violation in answers.violations
    ]


def _status(lines: list[Line]) -> str:
    found = {line.status for line in lines}
    for status in ("error", "failed", "todo"):
        if status in found:
            return status
    return "passed" if found == {"passed"} else "failed"


def select(step: str) -> tuple[Puzzle, ...]:
    """The puzzles a command names: one, or all. KeyError for an unknown one."""
    return puzzles() if step == "all" else (puzzle(step),)
