"""``watch`` in a real terminal: what is seen, what each key does, how it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from learner import Course, Screen, agrees, needs_tmux

from checker.course import puzzles
from checker.desk.terminal import signature

pytestmark = pytest.mark.max

PROMPT = r"q quit$"
PASSES = r"{} passes\. Press n .*\n.*q quit$"


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return Course(tmp_path / "course")


@pytest.fixture
def screen(course: Course) -> Iterator[Screen]:
    with Screen(course.root) as made:
        yield made


def workers(course: Course) -> list[int]:
    """The processes that run out of this copy of the course."""
    found = []
    for process in psutil.process_iter():
        try:
            path = process.environ().get("PYTHONPATH", "")
            if path.startswith(str(course.root)) and process.status() != "zombie":
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def test_without_a_terminal_it_names_the_command_that_checks_once(
    course: Course,
) -> None:
    """No terminal: one sentence with the one-shot command, exit status 2."""
    done = course.checker("watch")
    assert done.returncode == 2
    assert re.fullmatch(r"watch needs a terminal; .* checker s01\n", done.stderr)


@needs_tmux
def test_from_untouched_to_the_end_by_pasting_the_solutions(
    course: Course, screen: Screen
) -> None:
    """The whole course, with a hint, a reset and a resume on the way."""
    screen.watch()
    agrees("watch-untouched", screen.wait(PROMPT))
    screen.press("n")
    screen.wait("s01 does not pass yet; n goes on when it does")
    for number, puzzle in enumerate(puzzles(), 1):
        course.solve(puzzle.name)
        passed = screen.wait(PASSES.format(puzzle.step))
        if number == 1:
            agrees("watch-passed", passed)
        if number == 2:
            screen.press("x")
            screen.wait(r"Reset puzzles/causal\.py\? .*\[y/N\]")
            screen.press("y")
            agrees("watch-reset", screen.wait(r"your version is in [\s\S]*q quit$"))
            screen.press("h")
            agrees("watch-hint", screen.wait(r"Hint 1 of[\s\S]*q quit$"))
            course.solve(puzzle.name)
            screen.wait(PASSES.format(puzzle.step))
        if number == 3:
            screen.press("q")
            screen.wait("To go on where you are")
            screen.type("clear")
            screen.watch()
            screen.wait(r"s04 mlp · puzzles/mlp.py")
            screen.wait(PROMPT)
            screen.press("l")
            seen = screen.wait(r"← here[\s\S]*" + PROMPT)
            agrees("watch-list", re.sub(r"\d+ min", "     ", seen))
        elif number < len(puzzles()):
            screen.press("n")
            screen.wait(rf"^{puzzles()[number].step} [\s\S]*^h hint")
    screen.press("n")
    screen.wait("Your own GPT-2 has the last word")
    ending = screen.wait(r"Creative[\s\S]*tokens/s[\s\S]*q quit", 120)
    assert "it ended early" not in ending
    count = len(puzzles())
    assert f"{'█' * count} {count} of {count}" in ending


@needs_tmux
def test_a_mistake_is_named_with_a_path_to_click(
    course: Course, screen: Screen, tmp_path: Path
) -> None:
    """The line to look at is a hyperlink, and the hint starts with the mistake."""
    course.solve("attention")
    path = course.puzzle("attention")
    wrong = re.sub(
        r"math\.sqrt\([^\n]*\)\n", "math.sqrt(self.embed_dim)\n", path.read_text()
    )
    path.write_text(wrong)
    screen.output(tmp_path / "raw")
    screen.watch("s05")
    agrees("watch-mistake", screen.wait(PROMPT))
    link = re.compile(r"\x1b\]8;[^;]*;(file://[^\x1b]+)\x1b\\")
    until = time.monotonic() + 10
    while not (place := link.search((tmp_path / "raw").read_text())):
        assert time.monotonic() < until, "no hyperlink"  # tmux writes when it can
        time.sleep(0.05)
    assert place[1].endswith(str(path.resolve()))
    screen.press("h")
    agrees("watch-mistake-hint", screen.wait(r"Hint 1 of[\s\S]*q quit$"))


@needs_tmux
@pytest.mark.parametrize("how", ["q", "C-c", "SIGTERM"])
def test_the_terminal_is_left_as_it_was(
    course: Course, screen: Screen, how: str
) -> None:
    """However it ends: the settings are those of before, and no worker is left."""
    screen.type("stty -g > before")
    screen.watch()
    screen.wait(PROMPT)
    assert workers(course)
    if how == "SIGTERM":
        pane = int(screen.tmux("display-message", "-p", "#{pane_pid}"))
        (child,) = psutil.Process(pane).children()
        os.kill(child.pid, signal.SIGTERM)
    else:
        screen.press(how)
    screen.wait(r"^prompt> $|^prompt>$")
    screen.type("stty -g > after; echo done")
    screen.wait("^done")
    settings = [(course.root / name).read_text() for name in ("before", "after")]
    assert settings[0] == settings[1]
    assert not workers(course)


@needs_tmux
def test_a_closed_window_ends_it(course: Course) -> None:
    """The terminal is gone: so is the program, and its workers with it."""
    with Screen(course.root) as screen:
        screen.watch()
        screen.wait(PROMPT)
        (program,) = [p for p in psutil.process_iter() if _runs_in(p, course.root)]
    program.wait(10)
    assert not workers(course)


def _runs_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return "watch" in process.cmdline() and process.cwd() == str(folder)
    except psutil.Error:
        return False


@needs_tmux
def test_an_exception_leaves_the_terminal_as_it_was(
    course: Course, screen: Screen
) -> None:
    """A fault in the program itself ends with echo and lines as before."""
    watch = course.root / "checker" / "desk" / "watch.py"
    watch.write_text(watch.read_text() + "\nWatch.show_list = lambda self: 1 / 0\n")
    screen.type("stty -g > before")
    screen.watch()
    screen.wait(PROMPT)
    screen.press("l")
    screen.wait("ZeroDivisionError")
    screen.wait("^prompt>")
    screen.type("stty -g > after; echo done")
    screen.wait("^done")
    settings = [(course.root / name).read_text() for name in ("before", "after")]
    assert settings[0] == settings[1]


@needs_tmux
@pytest.mark.parametrize("option", ["", "--poll"])
def test_every_way_to_save_is_seen(course: Course, screen: Screen, option: str) -> None:
    """Written in place, replaced by renaming, deleted and back: each is answered."""
    path = course.puzzle("config")
    untouched = path.read_text()
    screen.watch(option)
    screen.wait(PROMPT)
    course.solve("config")
    screen.wait(PASSES.format("s01"))
    beside = path.with_suffix(".tmp")
    beside.write_text(untouched)
    beside.replace(path)
    screen.wait("✗ dataclass is not imported")
    path.unlink()
    screen.wait("Waiting for the file")
    course.solve("config")
    screen.wait(PASSES.format("s01"))


@needs_tmux
def test_a_save_during_a_check_is_not_lost(course: Course, screen: Screen) -> None:
    """While one state of the file is checked another is saved: the last one counts."""
    slow = "import time\ntime.sleep(2)\n"
    screen.watch()
    screen.wait(PROMPT)
    course.puzzle("config").write_text(slow + course.puzzle("config").read_text())
    time.sleep(0.8)
    course.solve("config")
    screen.wait(PASSES.format("s01"))


@needs_tmux
def test_a_crash_a_hang_and_a_syntax_error_do_not_end_it(
    course: Course, screen: Screen
) -> None:
    """Whatever the file does, the loop goes on and the next save is answered."""
    screen.watch()
    screen.wait(PROMPT)
    for text, seen in (
        ("import os\nos._exit(0)\n", "ended the process"),
        ("def (:\n", "not valid Python"),
        ("while True: pass\n", "an infinite loop"),
    ):
        course.puzzle("config").write_text(text)
        screen.wait(seen)
    course.solve("config")
    screen.wait(PASSES.format("s01"))


@needs_tmux
def test_a_save_is_answered_in_half_a_second(course: Course, screen: Screen) -> None:
    """From save to verdict by a warm worker, the best of five on a busy machine."""
    screen.watch()
    screen.wait(PROMPT)
    untouched = course.puzzle("config").read_text()
    taken = []
    for number in range(10):
        solved = number % 2 == 0
        began = time.monotonic()
        if solved:
            course.solve("config")
        else:
            course.puzzle("config").write_text(untouched)
        screen.wait(PASSES.format("s01") if solved else "✗ dataclass is not imported")
        taken.append(time.monotonic() - began)
        time.sleep(0.3)
    assert sorted(taken)[4] <= 0.5, taken


@needs_tmux
def test_no_color_and_plain_lines(course: Course, tmp_path: Path) -> None:
    """NO_COLOR: no colours. --plain: nothing is cleared or drawn, line after line."""
    with Screen(course.root, NO_COLOR="1") as screen:
        screen.watch()
        screen.wait(PROMPT)
        assert not re.search(r"\x1b\[[0-9;]*3[0-7]", screen.text("-e"))
    with Screen(course.root, TERM="dumb") as screen:
        screen.output(tmp_path / "raw")
        screen.watch()
        seen = screen.wait(PROMPT)
        assert "Checking puzzles/config.py" in seen
        assert "0 of" in seen and "░" not in seen
        raw = (tmp_path / "raw").read_text()
        assert "\x1b[2J" not in raw and "\x1b[H" not in raw.split("checker watch")[-1]


@needs_tmux
def test_keys_that_are_none_and_a_paste_do_nothing(
    course: Course, screen: Screen
) -> None:
    """Arrow keys, unknown keys and a text pasted into the wrong window are ignored."""
    screen.watch()
    before = screen.wait(PROMPT)
    for key in ("Up", "Escape", "z", "7"):
        screen.press(key)
    screen.tmux("send-keys", "-l", "quit halfway: xyz")
    time.sleep(0.5)
    assert screen.text() == before


def test_a_signature_tells_one_state_of_a_file_from_another(tmp_path: Path) -> None:
    """Missing, written, written again with the same text: three signatures."""
    path = tmp_path / "a.py"
    seen = {signature([path])}
    for _ in range(2):
        path.write_text("x")
        seen.add(signature([path]))
        time.sleep(0.02)
    assert len(seen) == 3


def test_a_check_starts_its_worker_before_it_imports_the_screen() -> None:
    """``python -m checker s01`` imports neither rich nor watchfiles to get going."""
    code = "import sys, checker.cli, checker.verdict.examiner; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"rich", "watchfiles", "max"} & set(done.stdout.split())
