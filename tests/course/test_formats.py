"""Reports in every format: points add up, and nothing in them acts on their reader.

Nothing here starts MAX: reports are written from grades that are made up.
"""

import copy
import csv
import io
import json
import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
import xmlschema
from markdown_it import MarkdownIt
from markdown_it.token import Token

from checker.classroom import formats
from checker.classroom.grade import WEIGHTS
from checker.classroom.points import earned, shares
from checker.classroom.reading import read_weights
from checker.classroom.safe import cell, file_names
from checker.classroom.submissions import copied, find
from checker.course import puzzles

DATA = Path(__file__).parent / "data"

HOSTILE = [
    "\x1b[31mred\x07\x9b\x7f\x00",
    "two\nlines\r\n\u2028three",
    "![x](http://example.com/x.png) [a](javascript:alert(1))",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "http://example.com www.example.com a@example.com @everyone",
    "<http://example.com> [ref]: http://example.com &lt;b&gt;",
    "a | b ||c`` `code` **bold** __bold__ ~~no~~ $x$",
    "=HYPERLINK(1) ",
    "  =1+1",
    "\"'@SUM(1)",
    "\udc80\ud800\ufffe\uffff lone",
    "\u202egnp.exe",
    "# heading\n\n- list\n\n    code",
    "]]> --> '\" &amp; %s {0} [bold]rich[/]",
]


def grade(name: str = "ada", said: str = "x", **more: Any) -> dict[str, Any]:
    """A grade in which every text that is somebody else's is ``said``."""
    weights = read_weights(WEIGHTS)
    steps = []
    for number, puzzle in enumerate(puzzles()):
        status = ["passed", "failed", "error", "todo", "blocked"][number % 5]
        mistake = {"id": said, "message": said} if status == "failed" else None
        check = {"name": said, "status": status, "detail": said, "mistake": mistake}
        right = {"name": "is right", "status": "passed", "detail": "", "mistake": None}
        step = {"step": puzzle.step, "puzzle": puzzle.name, "file": puzzle.file}
        steps.append({
            **step, "status": "failed", "seconds": 0.5, "stand_ins": [],
            "checks": [check, right, right], "printed": [said], "source": said,
            "score": 0.0, "max_score": weights[puzzle.step],
        })  # fmt: skip
    return {
        "submission": name, "score": 0.0, "max_score": 100.0, "seconds": 4.2,
        "checker": "sha256:0123456789abcdef", "isolation": said, "data_seed": 7,
        "files": "0" * 64, "reason": said,
        "ignored": [{"path": said, "reason": "is ignored"}], "ignored_more": 3,
        "steps": steps, **more,
    }  # fmt: skip


def rendered(name: str, grades: list[dict[str, Any]]) -> str:
    """What a file of this format holds, and can be written in UTF-8."""
    if name in formats.TOGETHER:
        text = formats.TOGETHER[name][1](grades)
    else:
        text = formats.APART[name][1](grades[0])
    text.encode()
    return text


@pytest.mark.parametrize("name", formats.FORMATS)
@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_no_control_characters(said: str, name: str) -> None:
    """No format hands on what a terminal acts on, nor what no encoding has."""
    text = rendered(name, [grade(said, said)])
    raw = set(text) - {"\n", "\t", "\u200b"}
    assert all(character.isprintable() for character in raw)


@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_one_row_each(said: str) -> None:
    """No name makes a second row of the table."""
    rows = formats.table([grade(said, said), grade()]).splitlines()
    assert len(rows) == 4


def tokens(found: list[Token]) -> Iterator[Token]:
    for token in found:
        yield token
        yield from tokens(token.children or [])


@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_markdown(said: str) -> None:
    """Markdown is rendered as the same text, without links, images, HTML, mentions."""
    plain, other = (
        MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
        for text in (
            formats.markdown([grade("x", "x")]),
            formats.markdown([grade(said, said)]),
        )
    )
    kinds = [token.type for token in tokens(other) if token.type != "text"]
    assert kinds == [token.type for token in tokens(plain) if token.type != "text"]
    shown = "".join(token.content for token in tokens(other) if token.type == "text")
    for active in ("http://", "https://", "www.", "@everyone", "a@example"):
        assert active not in shown
    visible = shown.replace("\u200b", "")
    assert formats.one_line(said).strip() in visible


@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_csv(said: str) -> None:
    """No cell of the CSV begins like a formula, after spaces and quotes too."""
    text = formats.as_csv([grade(said, said)])
    header, row = csv.reader(io.StringIO(text, newline=""))
    assert len(header) == len(row)
    for each in row:
        assert each.startswith("'") or each.lstrip(" \"'")[:1] not in tuple("=+-@")
        assert "\n" not in each


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@a", " =1", "\t=1", "\r\n=1", "'=1", "＝1", '" =1']
)
def test_formulas(text: str) -> None:
    """A cell that a spreadsheet would run begins with an apostrophe."""
    assert cell(text).startswith("'")
    assert cell(f"a{text}").startswith("a")


@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_junit(said: str) -> None:
    """JUnit XML fits its schema whatever it is about."""
    text = formats.junit([grade(said, said)])
    ElementTree.fromstring(text)
    xmlschema.XMLSchema(DATA / "junit.xsd").validate(text)


@pytest.mark.parametrize("name", formats.APART)
@pytest.mark.parametrize("said", HOSTILE, ids=range(len(HOSTILE)))
def test_autograders(said: str, name: str) -> None:
    """Both autograders' files fit their schemas whatever they are about."""
    schema = json.loads((DATA / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(rendered(name, [grade(said, said)])), schema)


def test_what_was_graded_and_ignored_is_shown() -> None:
    """Markdown and Gradescope name the graded files and those that were ignored."""
    found = grade(said="puzzles/a file.py", reason="")
    for text in (formats.markdown([found]), formats.gradescope(found)):
        assert "puzzles/a file.py" in text
        assert "puzzles/a file.py is ignored" in text
        assert "and 3 more" in text


def test_why_there_are_no_points_is_shown() -> None:
    """Every format for people says why nothing could be graded."""
    found = grade(said="", reason="essay.docx is no archive", ignored=[])
    for name in ("table", "csv", "json", "markdown", "gradescope"):
        assert "essay.docx is no archive" in rendered(name, [found])


# Points.


def scored(chance: random.Random, weights: dict[str, float]) -> dict[str, Any]:
    """A grade with any checks passed, scored as ``grade`` scores."""
    found = grade()
    for step in found["steps"]:
        count = chance.randint(1, 19)
        proto = step["checks"][0]
        words = ["passed", "failed", "error", "blocked", "todo"]
        step["checks"] = [
            {**copy.deepcopy(proto), "status": chance.choice(words), "mistake": None}
            for _ in range(count)
        ]
        passed = sum(check["status"] == "passed" for check in step["checks"])
        step["max_score"] = weights[step["step"]]
        step["score"] = float(earned(step["max_score"], passed, count))
        if chance.random() < 0.2:  # stopped: a crash takes the whole step
            step["score"] = 0.0
        step["status"] = "passed" if passed == count else "failed"
    return found


WHOLE = read_weights(WEIGHTS)
THIRDS = dict.fromkeys(WHOLE, 9.999) | {"s01": 10.009}
ODD = {step: 0.1 + number * 1.7 for number, step in enumerate(WHOLE)}
MANY = {
    "default": WHOLE,
    "thirds": THIRDS,
    "odd": {s: round(v, 6) for s, v in ODD.items()},
}


@pytest.mark.parametrize("name", MANY)
def test_gradescope_adds_up(name: str) -> None:
    """Maxima add up to the weights, scores to ``score``, exactly as they are written;
    no test has more than its maximum."""
    weights, chance = MANY[name], random.Random(0)
    most = sum(Decimal(str(value)) for value in weights.values())
    assert name == "odd" or most == 100
    for _ in range(60):
        made = scored(chance, weights)
        found = json.loads(formats.gradescope(made), parse_float=Decimal)
        tests = found["tests"]
        assert sum(test["max_score"] for test in tests) == most
        assert sum(test["score"] for test in tests) == found["score"]
        parts = sum(Decimal(str(step["score"])) for step in made["steps"])
        assert found["score"] == parts
        assert all(0 <= test["score"] <= test["max_score"] for test in tests)
        assert not any(t["score"] for t in tests if t["status"] == "failed")


def test_gradescope_of_changed_points() -> None:
    """Points that an instructor changed in the JSON add up, too."""
    made = grade()
    made["steps"][4]["score"] = 14.99
    found = json.loads(formats.gradescope(made), parse_float=Decimal)
    assert sum(test["score"] for test in found["tests"]) == Decimal("14.99")
    assert all(test["score"] <= test["max_score"] for test in found["tests"])


@pytest.mark.parametrize("name", MANY)
def test_classroom50_is_whole(name: str) -> None:
    """Whole points that add up, none above its maximum; the maxima make 100."""
    chance = random.Random(1)
    for _ in range(60):
        found = json.loads(formats.classroom50(scored(chance, MANY[name])))
        tests = found["tests"]
        assert found["score"] == sum(test["score"] for test in tests)
        assert found["max-score"] == sum(test["max-score"] for test in tests)
        assert name == "odd" or found["max-score"] == 100
        assert all(test["score"] <= test["max-score"] for test in tests)


def test_shares() -> None:
    """The first n shares are what n passed checks earn; all of them are the worth."""
    for worth in (0, 0.01, 5, 10, 15, 33.333, 1e-06, 999999.5):
        for count in range(1, 25):
            parts = shares(worth, count)
            assert sum(parts) == Decimal(str(worth))
            assert min(parts) >= 0
            for first in range(count + 1):
                assert sum(parts[:first]) == earned(worth, first, count)


# Files of one submission each.


def test_file_names() -> None:
    """Names become those of files, in one folder, on every system."""
    names = ["../x", "a/b", "a\\b", "CON", "con.txt", "lpt1", "", "..", ".hidden",
             "n" * 300, "Ada", "ada", "ADA", "é" * 300, "a\nb", "x:y*?", "nul",
             "trailing. "]  # fmt: skip
    found = file_names(names)
    assert len({name.casefold() for name in found}) == len(names)
    for name in found:
        assert name and not set(name) & set('/\\:*?"<>|\n')
        assert not name.startswith((".", " ")) and not name.endswith((".", " "))
        assert len(name.encode()) < 200
        assert name.split(".")[0].lower() not in {"con", "nul", "lpt1"}
    assert found[10:13] == ["Ada", "ada-2", "ADA-3"]


def test_reports_stay_in_their_folder(tmp_path: Path) -> None:
    """Whatever submissions are called, each has one file, in the folder."""
    names = ["../x", "a/b", "CON", "n" * 300, "", "Ada", "ada"]
    folder = tmp_path / "out"
    formats.write([grade(name) for name in names], "gradescope", folder)
    assert len(list(folder.iterdir())) == len(names)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_long_names_of_uploads(tmp_path: Path) -> None:
    """A path of an archive that is thousands of letters long is cut in the report."""
    import zipfile

    with zipfile.ZipFile(tmp_path / "ada.zip", "w") as archive:
        archive.writestr(f"{'n' * 9000}/mlp.py", "")
        archive.writestr(f"../{'n' * 9000}.py", "")
    (submission,) = find([tmp_path / "ada.zip"])
    found = copied(submission, tmp_path)
    assert len(found.sources["mlp.py"]) == 200
    assert len(found.ignored[0].path) == 200


def test_why_a_step_was_not_judged() -> None:
    """Markdown says in the step's row that its file is missing or untouched."""
    found = grade(said="", ignored=[])
    check = {"name": "mlp.py is filled in", "status": "todo", "mistake": None}
    found["steps"][3]["checks"] = [{**check, "detail": "it is the untouched puzzle"}]
    text = formats.markdown([found])
    assert "| s04 | mlp |  | 0 of 10 | it is the untouched puzzle |" in text
    assert text.count("untouched") == 1
