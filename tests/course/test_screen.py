"""The screen and the JSON object of a report, from invented reports."""

import io
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from rich.console import Console

from checker.course import puzzle, puzzles
from checker.desk import screen
from checker.desk.screen import WIDTH, Printer, as_json, link, print_findings, waiting
from checker.table import Mistake
from checker.verdict.explain import Place
from checker.verdict.report import Line, Report, status_of

MISTAKE = Mistake("swapped", "The two layers are swapped: c_fc expands.")
QUIET = replace(MISTAKE, quiet=True)
PLACE = Place("puzzles/mlp.py", 38, "h = F.gelu(self.c_fc(x))")
FOLLOWING = "python -m checker"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(autouse=True)
def plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither pixi nor uv, and no colour asked for or forbidden."""
    for name in (
        "PIXI_PROJECT_NAME", "UV_RUN_RECURSION_DEPTH", "FORCE_COLOR", "NO_COLOR",
        "COLUMNS", "TTY_COMPATIBLE",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def line(name: str, status: str = "passed", *detail: str, **more: object) -> Line:
    return Line(name, status, name, detail, **more)  # type: ignore[arg-type]


def report(*lines: Line, step: str = "s04", **more: object) -> Report:
    target = puzzle(step)
    file = f"puzzles/{target.file}"
    status = status_of(list(lines))
    return Report(target, file, status, lines, **more)  # type: ignore[arg-type]


def shown(found: Report, **terminal: object) -> list[str]:
    """The lines of the screen."""
    out = io.StringIO()
    settings = {"file": out, "width": WIDTH, "highlight": False, **terminal}
    print_findings(found, Console(**settings))  # type: ignore[arg-type]
    return out.getvalue().splitlines()


# The lines


def test_the_title() -> None:
    """Step, puzzle and file, and what the reference stands in for."""
    assert shown(report(line("a"))) == ["s04 mlp · puzzles/mlp.py", "✓ a"]
    found = report(line("a"), step="s06", stand_ins=("config", "mlp"))
    first = "s06 block · puzzles/block.py, with the reference config.py, mlp.py"
    assert shown(found)[0] == first


@pytest.mark.parametrize(
    ("status", "fault", "mark"),
    [
        ("passed", False, "✓"),
        ("failed", False, "✗"),
        ("error", False, "✗"),
        ("todo", False, "○"),
        ("error", True, "!"),
    ],
)
def test_a_check_has_a_mark(status: str, fault: bool, mark: str) -> None:
    """One for each outcome, and its own for a fault of the checker."""
    assert shown(report(line("adds", status, fault=fault)))[1:] == [f"{mark} adds"]


def test_a_failure_says_what_it_means_where() -> None:
    """Below the sentence: got and wanted, the mistake, the place; in this order."""
    failed = line("adds", "failed", "got 9, want 3", mistake=MISTAKE, place=PLACE)
    assert shown(report(failed))[1:] == [
        "✗ adds",
        "    got 9, want 3",
        "    The two layers are swapped: c_fc expands.",
        "    puzzles/mlp.py:38  h = F.gelu(self.c_fc(x))",
    ]


def test_a_quiet_mistake_is_for_programs() -> None:
    """The check's own line has said it; JSON has the message."""
    found = report(line("adds", "failed", mistake=QUIET))
    assert shown(found)[1:] == ["✗ adds"]
    (check,) = as_json(found)["checks"]
    assert check["mistake"] == {"id": "swapped", "message": QUIET.message}


def test_the_sentence_is_shown_not_the_name() -> None:
    """Step 1 says "is correct" or "is incorrect" of the same check."""
    found = report(replace(line("vocab_size is right"), sentence="vocab_size: 50257"))
    assert shown(found)[1:] == ["✓ vocab_size: 50257"]
    assert as_json(found)["checks"][0]["name"] == "vocab_size is right"


def test_long_details_are_wrapped_at_80_columns() -> None:
    """Indented, between words; only a word longer than that is left whole."""
    word, sentence = "x" * 100, "many words are here " * 10
    rows = shown(report(line("adds", "failed", sentence, word)))
    assert all(row.startswith("    ") for row in rows[2:])
    assert [row for row in rows if len(row) > WIDTH] == [f"    {word}"]
    assert " ".join(row.strip() for row in rows[2:-1]) == sentence.strip()


def test_a_detail_of_several_lines() -> None:
    """Its line ends are spaces; an empty one is an empty line."""
    assert shown(report(line("adds", "failed", "one\ntwo", "")))[2:] == [
        "    one two",
        "    ",
    ]


def test_markup_is_text() -> None:
    """What the learner's code says is not rich's markup."""
    rows = shown(report(line("[b]adds", "failed", "[red]no[/red]"), printed=("[/x]",)))
    assert rows[1:3] == ["✗ [b]adds", "    [red]no[/red]"]
    assert rows[-1] == "  | [/x]"


# What waits, and what was said already


def test_what_waits_is_one_line() -> None:
    """For each check that is waited for, below all others."""
    rows = shown(
        report(
            line("attends", "failed", "got 1, want 2"),
            *(line(name, "blocked", needs="attends") for name in "abcde"),
            line("splits", "failed", "got 3, want 4"),
            line("f", "blocked", needs="splits"),
        )
    )
    assert [row for row in rows if not row.startswith("    ")][1:] == [
        "✗ attends",
        "✗ splits",
        "– 5 more checks wait for: attends",
        "– 1 more check waits for: splits",
    ]


def test_who_waits_for_one_that_waits_waits_for_the_same() -> None:
    """The cause is what has to be mended first."""
    found = report(
        line("attends", "failed"),
        line("a", "blocked", needs="attends"),
        line("b", "blocked", needs="a"),
        line("c", "blocked", needs="b"),
    )
    assert waiting(found) == ["3 more checks wait for: attends"]
    loading = report(
        line("can be imported", "error"), line("a", "blocked", needs="x y")
    )
    assert waiting(loading) == ["1 more check waits for: x y"]


def test_a_long_cause_is_cut() -> None:
    """It can be found above by its beginning, before a colon."""
    name = "works at other sizes: 3 rows of 7 tokens"
    found = report(line(name, "failed"), line("a", "blocked", needs=name))
    assert waiting(found) == ["1 more check waits for: works at other sizes"]
    name = "says " + "very " * 20 + "much"
    found = report(line(name, "failed"), line("a", "blocked", needs=name))
    assert waiting(found)[0].endswith("very…") and len(waiting(found)[0]) < WIDTH


def test_the_same_exception_is_said_once() -> None:
    """With its place and its mistake; later its checks are a sentence each."""
    raised = ("TypeError: no", "shapes there: a [2]")
    rows = shown(
        report(
            line("a", "error", *raised, place=PLACE, mistake=MISTAKE),
            line("b", "error", *raised, place=PLACE, mistake=MISTAKE),
            line("c", "error", "KeyError: 'k'"),
            line(
                "d", "error", *raised, place=PLACE, mistake=replace(QUIET, quiet=False)
            ),
        )
    )
    assert rows[1:] == [
        "✗ a",
        "    TypeError: no",
        "    shapes there: a [2]",
        f"    {MISTAKE.message}",
        f"    {PLACE}  {PLACE.code}",
        "✗ b",
        "✗ c",
        "    KeyError: 'k'",
        "✗ d",
    ]


def test_another_mistake_of_the_same_exception_is_said() -> None:
    """Only what was read above is left out."""
    other = Mistake("other", "It is None.")
    rows = shown(
        report(
            line("a", "error", "no", mistake=MISTAKE),
            line("b", "error", "no", mistake=other),
        )
    )
    assert rows[-2:] == ["✗ b", "    It is None."]


def test_the_same_failure_is_said_again() -> None:
    """Two wrong answers are two things to look at, even if they are alike."""
    failed = [line(name, "failed", "got 9, want 3") for name in "ab"]
    assert shown(report(*failed)).count("    got 9, want 3") == 2


def test_what_was_noted_and_printed_comes_last() -> None:
    """Under a heading, line by line."""
    found = report(line("a"), notes=("MAX compiles",), printed=("hello", "  world"))
    assert shown(found)[2:] == [
        "MAX compiles",
        "What mlp.py printed:",
        "  | hello",
        "  |   world",
    ]


# Colours and links


def test_no_colours_off_a_terminal() -> None:
    """A file gets plain text."""
    everything = [line(s, s, "x", mistake=MISTAKE, place=PLACE) for s in screen.MARKS]
    found = report(*everything, printed=("p",), notes=("n",))
    assert not any("\x1b" in row for row in shown(found))


@pytest.mark.parametrize(("status", "mark"), screen.MARKS.items())
def test_a_mark_has_its_colour_on_a_terminal(status: str, mark: str) -> None:
    """Its sentence has none; without colours the text is the same."""
    needs = "nothing" if status == "blocked" else ""
    found = report(line("adds", status, needs=needs))
    rows = shown(found, force_terminal=True, color_system="standard")
    assert COLOUR.sub("", "\n".join(rows)).splitlines() == shown(found)
    code = {"green": 32, "red": 31, "yellow": 33, "dim": 2}[screen.COLOURS[mark]]
    assert rows[1].startswith(f"\x1b[{code}m{mark} ")


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"NO_COLOR": "1"}, False)],
)
def test_colours_are_the_readers_to_choose(
    environment: dict[str, str],
    coloured: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """FORCE_COLOR and NO_COLOR are respected where the output is no terminal."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = report(line("adds"))
    with Printer(every=False) as printer:
        printer.verdict(found)
        printer.end(found)
    assert ("\x1b[32m" in capsys.readouterr().out) is coloured


def test_a_place_is_a_link() -> None:
    """To the whole path; what is read is the path as the learner knows it."""
    place = Place("puzzles/my file é.py", 3, "x = 1")
    text = link(place)
    assert text.plain == "puzzles/my file é.py:3  x = 1"
    address = text.style.link  # type: ignore[union-attr]
    assert address is not None and address.startswith("file://") and address.isascii()
    assert unquote(address).endswith(str(Path("puzzles/my file é.py").resolve()))


@pytest.mark.parametrize("length", [1, 40, 49, 51, 60, 70, 71, 72, 73, 200])
def test_code_beside_a_place_fits_the_line(length: int) -> None:
    """It is cut, or left out where there is hardly room; no path is too long."""
    place = Place("p" * length, 7, "value = '" + "long  " * 30 + "'")
    text = link(place).plain
    assert text.startswith(str(place))
    if length < 50:
        assert text.endswith("…") and len(text) + 4 <= WIDTH
        code = text.removeprefix(str(place)).strip("… ")
        assert len(code) > 15 and place.code.startswith(code)
    elif length >= 60:
        assert text == str(place)


def test_two_lines_of_code_are_shown_below_their_place() -> None:
    """Where indentation is at fault, one is compared with the other."""
    place = Place("a.py", 4, "if x:\ny = 1")
    rows = shown(report(line("a", "error", "not valid Python", place=place)))
    assert rows[-3:] == ["    a.py:4", "      | if x:", "      | y = 1"]


def test_code_is_shown_as_it_is_written() -> None:
    """Spaces inside texts included."""
    assert link(Place("a.py", 1, "x = 'a  b'")).plain == "a.py:1  x = 'a  b'"


# JSON


def test_the_object_of_the_contract() -> None:
    """All fields, and no others; the place is the end of the detail."""
    found = report(
        line("expands"),
        line("adds", "failed", "got 9, want 3", mistake=MISTAKE, place=PLACE),
        line("traces", "blocked", needs="adds"),
        line("raises", "error", "TypeError: no", "shapes there: a [2]"),
        stand_ins=("config",),
        seconds=3.91234,
        printed=("hello",),
    )
    assert as_json(found) == {
        "step": "s04",
        "puzzle": "mlp",
        "file": "puzzles/mlp.py",
        "status": "error",
        "seconds": 3.912,
        "stand_ins": ["config"],
        "checks": [
            {"name": "expands", "status": "passed", "detail": "", "mistake": None},
            {
                "name": "adds",
                "status": "failed",
                "detail": "got 9, want 3\npuzzles/mlp.py:38",
                "mistake": {"id": "swapped", "message": MISTAKE.message},
            },
            {"name": "traces", "status": "blocked", "detail": "", "mistake": None},
            {
                "name": "raises",
                "status": "error",
                "detail": "TypeError: no\nshapes there: a [2]",
                "mistake": None,
            },
        ],
    }


def test_words_for_an_exception_are_no_mistake() -> None:
    """What explains stands in the detail, ``mistake`` is null."""
    explained = line("a", "error", "use axis=, not dim=", explained="torch-dim")
    assert as_json(report(explained))["checks"][0]["mistake"] is None


@pytest.mark.parametrize("every", [False, True])
def test_json_is_printed_alone(every: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """One object; for all the steps a list of them."""
    reports = [report(line("é ✓ \x1b"), step=step) for step in ("s01", "s02")]
    screen.print_json(reports if every else reports[:1], every=every)
    out = capsys.readouterr().out
    found = json.loads(out)
    steps = found["steps"] if every else [found]
    assert steps == [as_json(each) for each in (reports if every else reports[:1])]
    assert "é ✓" in out and "\x1b" not in out


# The printer, rows and totals


def printed(*reports: Report, every: bool, capsys: pytest.CaptureFixture[str]) -> str:
    with Printer(every=every) as printer:
        for each in reports:
            printer.verdict(each)
            printer.end(each)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("step", "status", "last"),
    [
        ("s04", "failed", "0 of 1. Next: python -m checker s04"),
        ("s04", "passed", "1 of 1. Next: python -m checker s05"),
        ("s10", "passed", "1 of 1. Next: python -m checker finale"),
    ],
)
def test_the_last_line_is_the_next_command(
    step: str, status: str, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same step again, the next one, the end of the course."""
    out = printed(report(line("a", status), step=step), every=False, capsys=capsys)
    assert out.splitlines()[-1] == last


@pytest.mark.parametrize(
    ("variable", "command"),
    [
        ("PIXI_PROJECT_NAME", "pixi run s05"),
        ("UV_RUN_RECURSION_DEPTH", "uv run python -m checker s05"),
        ("OTHER", "python -m checker s05"),
    ],
)
def test_a_command_is_one_that_the_reader_uses(
    variable: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through pixi, uv or Python itself."""
    monkeypatch.setenv(variable, "1")
    assert screen.command("s05") == command


def test_the_last_word_comes_below_the_verdict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The verdict is printed first, then the one line that MAX has compiled."""
    first = report(line("a"))
    whole = report(line("a"), line("compiled by MAX"))
    with Printer(every=False) as printer:
        printer.verdict(first)
        printer.last_word(whole)
        printer.end(whole)
    assert capsys.readouterr().out.splitlines() == [
        "s04 mlp · puzzles/mlp.py",
        "✓ a",
        "✓ compiled by MAX",
        "2 of 2. Next: python -m checker s05",
    ]


def test_all_is_a_row_for_each_step(capsys: pytest.CaptureFixture[str]) -> None:
    """Mark, step, how many checks pass, the time; below what is in trouble first."""
    failed = line("adds", "failed", "got 9, want 3", "more", mistake=MISTAKE)
    out = printed(
        report(line("a"), line("b"), step="s01", seconds=0.31),
        report(
            line("a"),
            failed,
            line("c", "blocked", needs="adds"),
            seconds=12.34,
            stand_ins=("config",),
        ),
        every=True,
        capsys=capsys,
    )
    assert out.splitlines() == [
        "✓ s01 config      2 of 2    0.3 s",
        "✗ s04 mlp         1 of 3   12.3 s  with the reference config.py",
        "    adds",
        "    got 9, want 3",
        f"    {MISTAKE.message}",
        "1 of 2 puzzles pass. Next: python -m checker s04",
    ]


@pytest.mark.parametrize(
    ("lines", "mark"),
    [
        ((line("a", "todo"), line("b", "blocked", needs="a")), "○"),
        ((line("a", "blocked", needs="x"),), "–"),
        ((line("a"), line("b", "error", fault=True)), "!"),
        ((line("a", "failed", mistake=QUIET),), "✗"),
    ],
)
def test_a_row_has_the_mark_of_its_trouble(
    lines: tuple[Line, ...], mark: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A quiet mistake is quiet here as well."""
    out = printed(report(*lines), every=True, capsys=capsys)
    assert out.startswith(f"{mark} s04") and MISTAKE.message not in out


def test_when_all_pass_the_finale_is_next(capsys: pytest.CaptureFixture[str]) -> None:
    """How many pass, and where it goes on."""
    reports = [report(line("a"), step=each.step) for each in puzzles()]
    out = printed(*reports, every=True, capsys=capsys)
    count = len(puzzles())
    last = f"{count} of {count} puzzles pass. Next: python -m checker finale"
    assert out.splitlines()[-1] == last


def test_an_exception_on_the_way_prints_no_total(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """^C in the middle of all: nothing is said of the steps that were not checked."""
    with pytest.raises(KeyboardInterrupt), Printer(every=True) as printer:
        printer.end(report(line("a")))
        raise KeyboardInterrupt
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [(0, 3, "░░░ 0 of 3"), (2, 3, "██░ 2 of 3"), (3, 3, "███ 3 of 3")],
)
def test_the_bar(done: int, total: int, text: str) -> None:
    """A block for each step."""
    assert screen.bar(done, total).plain == text


def test_a_name_of_any_bytes_can_be_linked() -> None:
    """A folder's name need not be UTF-8."""
    name = os.fsdecode(b"\xff/mlp.py")
    assert link(Place(name, 3)).style.link.endswith("%FF/mlp.py")  # type: ignore[union-attr]
