"""One result, written for every system: each format is a function of the grades.

The formats' own documentation: JUnit XML as xunit2 of pytest and Jenkins read it,
Gradescope's ``results.json`` (autograder specifications), Classroom 50's
``result.json`` (schema classroom50/result/v1). The schemas that the tests validate
against are in ``tests/course/data``.
"""

import csv
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from checker.classroom.points import exact, shares, total, whole_numbers
from checker.classroom.safe import (
    cell,
    clean,
    escaped,
    file_names,
    one_line,
    printable,
)
from checker.classroom.writing import disk, write_text
from checker.cli import UsageError
from checker.course import Fault
from checker.desk.screen import MARKS

Grade = dict[str, Any]
Step = dict[str, Any]
Check = dict[str, Any]

NAME_WIDTH = 60
"""Characters of a submission's name in the table."""


def table(grades: list[Grade]) -> str:
    """For people: one line per submission, points by step, why there are none."""
    names = [one_line(grade["submission"], NAME_WIDTH) for grade in grades]
    width = max(map(len, ["submission", *names]))
    steps = [step["step"] for step in grades[0]["steps"]] if grades else []
    columns = " ".join(f"{step:>5}" for step in steps)
    header = f"{'submission':<{width}}  {'score':>6}  {columns}"
    rows = [header, "-" * len(header)]
    for name, grade in zip(names, grades, strict=True):
        points = " ".join(f"{step['score']:>5g}" for step in grade["steps"])
        row = f"{name:<{width}}  {grade['score']:>6g}  {points}"
        rows.append(f"{row}  {one_line(grade['reason'])}".rstrip())
    return "\n".join(rows) + "\n"


def as_json(grades: list[Grade]) -> str:
    """All there is; ``grade`` reads it again to write another format."""
    found = clean({"submissions": grades})
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def as_csv(grades: list[Grade]) -> str:
    """For a gradebook: submission, score, points by step, mistakes, checker, and why
    nothing could be graded."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    steps = [step["step"] for step in grades[0]["steps"]] if grades else []
    front = ["submission", "score", "max_score"]
    back = ["mistakes", "seconds", "checker", "isolation", "data_seed", "reason"]
    writer.writerow([*front, *steps, *back])
    for grade in grades:
        writer.writerow([cell(v) if isinstance(v, str) else v for v in _row(grade)])
    return text.getvalue()


def _row(grade: Grade) -> list[str | float]:
    mistakes = " ".join(
        f"{step['step']}:{check['mistake']['id']}"
        for step, check in _checks(grade)
        if check["mistake"]
    )
    return [
        grade["submission"],
        grade["score"],
        grade["max_score"],
        *(step["score"] for step in grade["steps"]),
        mistakes,
        grade["seconds"],
        grade["checker"],
        grade["isolation"],
        grade["data_seed"],
        grade["reason"],
    ]


def junit(grades: list[Grade]) -> str:
    """JUnit XML: one suite per submission, one case per check; failure is a wrong
    answer, error a crash or a time-out, skipped what could not be judged."""
    root = ElementTree.Element("testsuites")
    for grade in grades:
        cases = list(_checks(grade))
        count = [_outcome(check) for _, check in cases]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=printable(grade["submission"]),
            tests=str(len(cases)),
            failures=str(count.count("failure")),
            errors=str(count.count("error")),
            skipped=str(count.count("skipped")),
            time=f"{grade['seconds']:.3f}",
        )
        for step, check in cases:
            case = ElementTree.SubElement(
                suite,
                "testcase",
                classname=printable(f"{step['step']}.{step['puzzle']}"),
                name=printable(check["name"]),
                time=f"{step['seconds'] / max(1, len(step['checks'])):.3f}",
            )
            if outcome := _outcome(check):
                message = _said(check) or check["status"]
                child = ElementTree.SubElement(case, outcome, message=message)
                if outcome != "skipped":
                    child.set("type", _mistake_id(check) or check["status"])
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def markdown(grades: list[Grade]) -> str:
    """One section per submission, for a comment or a page."""
    return "\n".join(_section(grade) for grade in grades)


def checked_by(grade: Grade) -> str:
    """What decided the grade: the checker, how the code was kept apart, the data."""
    parts = [one_line(grade["checker"])]
    if grade["isolation"]:
        parts.append(f"isolation: {one_line(grade['isolation'])}")
    return f"Checked by {', '.join(parts)}, data seed {grade['data_seed']}."


def gradescope(grade: Grade) -> str:
    """Gradescope's results.json: one test per check, whose points add up exactly."""
    tests = [test for step in grade["steps"] for test in _tests(step)]
    points = f"{grade['score']:g} of {grade['max_score']:g} points."
    lines = [f"{points} {checked_by(grade)}"]
    if grade["reason"]:
        lines.append(f"Nothing was graded: {one_line(grade['reason'])}.")
    sources = [_source(step) for step in grade["steps"] if step["source"]]
    lines += ["", "Graded:", *map(one_line, sources)] if sources else []
    ignored = _ignored(grade)
    lines += ["", "Not graded:", *map(one_line, ignored)] if ignored else []
    found = {
        "score": total(test["score"] for test in tests),
        "execution_time": round(grade["seconds"]),
        "output": "\n".join(lines),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def _tests(step: Step) -> list[dict[str, Any]]:
    """The checks that passed share the step's score; all share its points."""
    checks = step["checks"]
    order = sorted(range(len(checks)), key=lambda at: checks[at]["status"] != "passed")
    parts = shares(step["max_score"], len(checks))
    worth = dict(zip(order, parts, strict=True))
    left, scores = exact(step["score"]), {}
    for at in order:
        scores[at] = min(left, worth[at])
        left -= scores[at]
    return [
        _test(step, at, float(scores[at]), float(worth[at]))
        for at in range(len(checks))
    ]


def _test(step: Step, at: int, score: float, most: float) -> dict[str, Any]:
    check = step["checks"][at]
    return {
        "name": one_line(f"{step['step']} {step['puzzle']}: {check['name']}"),
        "number": f"{int(step['step'][1:])}.{at + 1}",
        "score": score,
        "max_score": most,
        "status": "passed" if check["status"] == "passed" else "failed",
        "output": _said(check) or check["status"],
        "output_format": "text",
        "visibility": "visible",
        "tags": [step["step"], *filter(None, [_mistake_id(check)])],
    }


def classroom50(grade: Grade) -> str:
    """Classroom 50's result.json: one test per step, whole points."""
    steps = grade["steps"]
    no_limit = [10**9] * len(steps)
    worth = whole_numbers((step["max_score"] for step in steps), no_limit)
    scores = whole_numbers((step["score"] for step in steps), worth)
    tests = [
        {
            "test-name": one_line(f"{step['step']} {step['puzzle']}"),
            "passed": step["status"] == "passed",
            "score": score,
            "max-score": most,
        }
        for step, score, most in zip(steps, scores, worth, strict=True)
    ]
    found = {
        "schema": "classroom50/result/v1",
        "score": sum(scores),
        "max-score": sum(worth),
        "tests": tests,
    }
    return json.dumps(found, indent=1) + "\n"


TOGETHER: dict[str, tuple[str, Callable[[list[Grade]], str]]] = {
    "table": ("txt", table),
    "json": ("json", as_json),
    "csv": ("csv", as_csv),
    "junit": ("xml", junit),
    "markdown": ("md", markdown),
}
"""All submissions in one file."""

APART: dict[str, tuple[str, Callable[[Grade], str]]] = {
    "gradescope": ("json", gradescope),
    "classroom50": ("json", classroom50),
}
"""One file a submission, as the systems read them."""

FORMATS = (*TOGETHER, *APART)


def fits(output: Path | None, name: str, count: int) -> None:
    """Raises UsageError where ``output`` is a folder and the format one file, or the
    other way round."""
    folder = name in APART and (count != 1 or _is_folder(output))
    target = output or (Path.cwd() / name if folder else None)
    if target is None:
        return
    said = one_line(str(target))
    if folder and os.path.exists(target) and not os.path.isdir(target):
        raise UsageError(f"{said} is a file; {name} writes a folder of them")
    if not folder and os.path.isdir(target):
        raise UsageError(f"{said} is a folder; {name} writes one file: name it")
    above = next(each for each in target.absolute().parents if os.path.exists(each))
    if not os.path.isdir(above):
        raise UsageError(f"{said} is in {one_line(str(above))}, which is no folder")


def write(grades: list[Grade], name: str, output: Path | None) -> None:
    """Write to ``output`` or stdout; several submissions apart go into a folder.

    Raises UsageError as ``fits``, and Fault where the disk refuses.
    """
    fits(output, name, len(grades))
    if name in TOGETHER:
        _put(TOGETHER[name][1](grades), output)
        return
    suffix, render = APART[name]
    if len(grades) == 1 and not _is_folder(output):
        _put(render(grades[0]), output)
        return
    folder = output or Path.cwd() / name
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
    names = file_names([grade["submission"] for grade in grades])
    for stem, grade in zip(names, grades, strict=True):
        write_text(render(grade), folder / f"{stem}.{suffix}")
    said = one_line(str(folder))
    print(f"{len(grades)} reports in {said}", file=sys.stderr)


def _is_folder(output: Path | None) -> bool:
    return output is not None and os.path.isdir(output)


def _put(text: str, output: Path | None) -> None:
    if output is not None:
        write_text(text, output)
        return
    encoding = sys.stdout.encoding or "utf-8"
    try:
        with disk(Path("the standard output")):
            sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
            sys.stdout.flush()
    except Fault:  # what is left in its buffer would be tried again at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _checks(grade: Grade) -> list[tuple[dict[str, Any], Check]]:
    return [(step, check) for step in grade["steps"] for check in step["checks"]]


def _passed(step: dict[str, Any]) -> int:
    return sum(check["status"] == "passed" for check in step["checks"])


def _outcome(check: Check) -> str:
    return {"failed": "failure", "error": "error", "blocked": "skipped",
            "todo": "failure"}.get(check["status"], "")  # fmt: skip


def _said(check: Check) -> str:
    """What the learner would read under the check's line."""
    message = check["mistake"]["message"] if check["mistake"] else ""
    return printable("\n".join(filter(None, [check["detail"], message])))


def _mistake_id(check: Check) -> str:
    return one_line(check["mistake"]["id"]) if check["mistake"] else ""


def _source(step: Step) -> str:
    """Which file of the upload was graded."""
    return f"{step['step']} {step['puzzle']}: {step['source']}"


def _ignored(grade: Grade) -> list[str]:
    """What was not graded, and why, beside the reason for grading nothing."""
    said = [f"{each['path']} {each['reason']}" for each in grade["ignored"]]
    more = int(grade["ignored_more"])
    said += [f"and {more} more"] if more else []
    return [each for each in said if each not in grade["reason"]]


def _section(grade: Grade) -> str:
    lines = [
        f"## {escaped(grade['submission'])}: {grade['score']:g} of "
        f"{grade['max_score']:g}",
        "",
    ]
    if grade["reason"]:
        lines += [f"Nothing was graded: {escaped(grade['reason'])}.", ""]
    lines += ["| step | puzzle | file | points | result |", "| --- " * 5 + "|"]
    lines += [_step_row(step) for step in grade["steps"]]
    lines.append("")
    for step, check in _checks(grade):
        if check["status"] in ("failed", "error") and not _unjudged(step):
            mark, said = MARKS[check["status"]], _said(check).replace("\n", "; ")
            name = escaped(check["name"])
            lines.append(f"- {mark} {step['step']} {name}: {escaped(said)}")
    ignored = [f"- {escaped(each)}" for each in _ignored(grade)]
    lines += ["", "Not graded:", "", *ignored] if ignored else []
    return "\n".join([*lines, "", escaped(checked_by(grade)), ""])


def _unjudged(step: Step) -> str:
    """Why none of a step's own checks was run; empty where they were."""
    (first, *rest) = step["checks"]
    return "" if rest or first["status"] == "passed" else _said(first)


def _step_row(step: Step) -> str:
    result = f"{_passed(step)} of {len(step['checks'])} checks"
    result = _unjudged(step) or result
    if step["stand_ins"]:
        result += f", with the reference {', '.join(step['stand_ins'])}"
    points = f"{step['score']:g} of {step['max_score']:g}"
    cells = [step["step"], step["puzzle"], step["source"] or "", points, result]
    return f"| {' | '.join(map(escaped, cells))} |"
