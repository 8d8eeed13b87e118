"""One result, written for every system: each format is a function of the grades.

The formats' own documentation: JUnit XML as xunit2 of pytest and Jenkins read it,
Gradescope's ``results.json`` (autograder specifications), Classroom 50's
``result.json`` (schema classroom50/result/v1). The schemas that the tests validate
against are in ``tests/course/data``.
"""

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from checker.desk.screen import MARKS

Grade = dict[str, Any]
Check = dict[str, Any]


def table(grades: list[Grade]) -> str:
    """For people: a line a submission, points by step."""
    width = max([len("submission"), *(len(grade["submission"]) for grade in grades)])
    steps = [step["step"] for step in grades[0]["steps"]] if grades else []
    columns = " ".join(f"{step:>5}" for step in steps)
    header = f"{'submission':<{width}}  {'score':>6}  {columns}"
    rows = [header, "-" * len(header)]
    for grade in grades:
        points = " ".join(f"{step['score']:>5g}" for step in grade["steps"])
        rows.append(f"{grade['submission']:<{width}}  {grade['score']:>6g}  {points}")
    return "\n".join(rows) + "\n"


def as_json(grades: list[Grade]) -> str:
    """All there is; ``grade`` reads it again to write another format."""
    return json.dumps({"submissions": grades}, ensure_ascii=False, indent=1) + "\n"


def as_csv(grades: list[Grade]) -> str:
    """For a gradebook: submission, score, points by step, mistakes, checker."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    steps = [step["step"] for step in grades[0]["steps"]] if grades else []
    front, back = (
        ["submission", "score", "max_score"],
        ["mistakes", "seconds", "checker"],
    )
    writer.writerow([*front, *steps, *back])
    for grade in grades:
        points = [step["score"] for step in grade["steps"]]
        mistakes = " ".join(
            f"{step['step']}:{check['mistake']['id']}"
            for step, check in _checks(grade)
            if check["mistake"]
        )
        start = [_cell(grade["submission"]), grade["score"], grade["max_score"]]
        writer.writerow([*start, *points, mistakes, grade["seconds"], grade["checker"]])
    return text.getvalue()


def junit(grades: list[Grade]) -> str:
    """JUnit XML: a suite a submission, a case a check; failure is a wrong answer,
    error a crash or a time-out, skipped what could not be judged."""
    root = ElementTree.Element("testsuites")
    for grade in grades:
        cases = list(_checks(grade))
        count = [_outcome(check) for _, check in cases]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_printable(grade["submission"]),
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
                classname=f"{step['step']}.{step['puzzle']}",
                name=_printable(check["name"]),
                time=f"{step['seconds'] / max(1, len(step['checks'])):.3f}",
            )
            if outcome := _outcome(check):
                message = _printable(_said(check) or check["status"])
                child = ElementTree.SubElement(case, outcome, message=message)
                if outcome != "skipped":
                    child.set("type", _mistake_id(check) or check["status"])
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def markdown(grades: list[Grade]) -> str:
    """A section a submission, for a comment or a page."""
    return "\n".join(_section(grade) for grade in grades)


def gradescope(grade: Grade) -> str:
    """Gradescope's results.json."""
    tests = []
    for step in grade["steps"]:
        worth = step["max_score"] / max(1, len(step["checks"]))
        kept = step["score"] / max(1, _passed(step))
        for number, check in enumerate(step["checks"], 1):
            passed = check["status"] == "passed"
            tests.append(
                {
                    "name": f"{step['step']} {step['puzzle']}: {check['name']}",
                    "number": f"{int(step['step'][1:])}.{number}",
                    "score": round(kept, 4) if passed else 0.0,
                    "max_score": round(worth, 4),
                    "status": "passed" if passed else "failed",
                    "output": _said(check) or check["status"],
                    "output_format": "text",
                    "visibility": "visible",
                    "tags": [step["step"], *filter(None, [_mistake_id(check)])],
                }
            )
    found = {
        "score": grade["score"],
        "execution_time": round(grade["seconds"]),
        "output": f"{grade['score']:g} of {grade['max_score']:g} points. "
        f"Checked by {grade['checker']}.",
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def classroom50(grade: Grade) -> str:
    """Classroom 50's result.json: a test a step, whole points."""
    tests = [
        {
            "test-name": f"{step['step']} {step['puzzle']}",
            "passed": step["status"] == "passed",
            "score": round(step["score"]),
            "max-score": round(step["max_score"]),
        }
        for step in grade["steps"]
    ]
    found = {
        "schema": "classroom50/result/v1",
        "score": sum(test["score"] for test in tests),
        "max-score": sum(test["max-score"] for test in tests),
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


def write(grades: list[Grade], name: str, output: Path | None) -> None:
    """Write to ``output`` or stdout; several submissions apart go into a folder."""
    if name in TOGETHER:
        _put(TOGETHER[name][1](grades), output)
        return
    suffix, render = APART[name]
    if len(grades) == 1 and not (output and output.is_dir()):
        _put(render(grades[0]), output)
        return
    folder = output or Path.cwd() / name
    folder.mkdir(parents=True, exist_ok=True)
    for grade in grades:
        _put(render(grade), folder / f"{grade['submission']}.{suffix}")
    print(f"{len(grades)} reports in {folder}", file=sys.stderr)


def _put(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(output.name + ".part")  # a full disk leaves no half
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(output)


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
    return _printable("\n".join(filter(None, [check["detail"], message])))


def _mistake_id(check: Check) -> str:
    return str(check["mistake"]["id"]) if check["mistake"] else ""


def _section(grade: Grade) -> str:
    lines = [
        f"## {_escaped(grade['submission'])}: {grade['score']:g} of "
        f"{grade['max_score']:g}",
        "",
        "| step | puzzle | points | result |",
        "| --- | --- | --- | --- |",
    ]
    for step in grade["steps"]:
        points = f"{step['score']:g} of {step['max_score']:g}"
        result = f"{_passed(step)} of {len(step['checks'])} checks"
        if step["stand_ins"]:
            result += f", with the reference {', '.join(step['stand_ins'])}"
        lines.append(f"| {step['step']} | {step['puzzle']} | {points} | {result} |")
    lines.append("")
    for step, check in _checks(grade):
        if check["status"] in ("failed", "error"):
            mark, said = MARKS[check["status"]], _said(check).replace("\n", "; ")
            name = _escaped(check["name"])
            lines.append(f"- {mark} {step['step']} {name}: {_escaped(said)}")
    return "\n".join([*lines, "", f"Checked by {grade['checker']}.", ""])


def _escaped(text: str) -> str:
    for character in "\\`*_|<>":
        text = text.replace(character, "\\" + character)
    return text


def _cell(text: str) -> str:
    """A spreadsheet runs what begins like a formula."""
    return f"'{text}" if text[:1] in "=+-@\t" else text


def _printable(text: str) -> str:
    """Without the control characters that XML 1.0 forbids."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
