"""What the parent takes from a worker: in the order of the request, and no more."""

import random

import pytest

from checker.link import wire
from checker.link.process import LOAD, LONG, Answers
from checker.worker.describe import describe
from tests.course.invented import any_array, any_message

BEGUN = ({"begin": LOAD}, {"at": LOAD, "value": {"f": [3, "x = 1"]}}, {"begin": 0})


def awaited() -> list[tuple[object, str]]:
    return [(LOAD, LOAD), (0, "zero"), (1, "one")]


def taking(*messages: object) -> Answers:
    """The answers after these messages, all of which can come."""
    answers, waiting = Answers(), awaited()
    for message in messages:
        assert answers.take(message, waiting), message
    return answers


def refuses(message: object, *before: object) -> bool:
    """Whether a message cannot come after those before it, and leaves no trace."""
    answers, waiting = Answers(), awaited()
    for each in before:
        assert answers.take(each, waiting)
    seen = repr(answers)
    return not answers.take(message, waiting) and repr(answers) == seen


def test_a_whole_conversation() -> None:
    """Places, a value, an exception, a note, violations."""
    answers = taking(
        *BEGUN,
        {"at": 0, "value": [1, 2]},
        {"note": "MAX compiles"},
        {"begin": 1},
        {"at": 1, "error": {"type": "ValueError", "message": "odd"}},
        {"done": ["changes len"]},
    )
    assert answers.places == {"f": (3, "x = 1")}
    assert answers.results["zero"] == ("value", [1, 2])
    kind, error = answers.results["one"]
    assert (kind, error["type"], error["message"]) == ("error", "ValueError", "odd")
    assert answers.notes == ["MAX compiles"] and answers.violations == ["changes len"]
    assert answers.done and answers.during == "one"


def test_a_value_may_be_anything() -> None:
    """None and False are answers too."""
    for value in (None, False, [], {}, "", 0.0):
        answers = taking(*BEGUN, {"at": 0, "value": value})
        assert answers.results["zero"] == ("value", value)


@pytest.mark.parametrize(
    ("message", "before"),
    [
        ({"begin": 0}, ()),  # loading comes first
        ({"begin": 1}, BEGUN),  # 0 has not answered
        ({"begin": 7}, BEGUN),
        ({"begin": LOAD}, BEGUN),
        ({"at": 0, "value": 1}, ()),
        ({"at": 0, "value": 1}, BEGUN[:1]),
        ({"at": 0, "value": 1}, BEGUN[:2]),
        ({"at": 1, "value": 1}, BEGUN),
        ({"at": LOAD, "value": {}}, BEGUN[:2]),  # loaded already
        ({"at": LOAD, "error": {}}, BEGUN[:2]),
        ({"at": LOAD, "value": {}}, BEGUN),
        ({"at": LOAD, "value": 3}, BEGUN[:1]),  # places are a dictionary
        ({"at": 0, "value": 2}, (*BEGUN, {"at": 0, "value": 1})),  # answered already
        ({"at": 0, "error": {}}, (*BEGUN, {"at": 0, "value": 1})),
        ({"at": 0, "error": "odd"}, BEGUN),
        ({"note": 3}, BEGUN),
        ({"done": 3}, BEGUN),
        ({"ready": True}, BEGUN),
    ],
)
def test_a_message_that_cannot_come_now_is_refused(
    message: object, before: tuple[object, ...]
) -> None:
    """Only the next probe begins, and only the one that has begun answers, once."""
    assert refuses(message, *before)


@pytest.mark.parametrize(
    "message",
    [None, 1, "begin", [], {}, {"at": []}, {"begin": {}}, {"begin": None}, {"at": None},
     {"at": {"__array__": 1}, "value": 1}, ["begin", 0]],
)  # fmt: skip
def test_what_is_no_message_is_refused(message: object) -> None:
    """At any time."""
    for cut in range(len(BEGUN) + 1):
        assert refuses(message, *BEGUN[:cut])


def test_an_array_in_the_place_of_a_number_is_refused() -> None:
    """Comparing an array gives an array, which is neither true nor false."""
    choose = random.Random(6)
    for _ in range(50):
        array = any_array(choose)
        assert refuses({"begin": array}) and refuses({"begin": array}, *BEGUN)
        assert refuses({"at": array, "value": 1}, *BEGUN)
        assert refuses({"at": array, "error": {}}, *BEGUN)


FRAME = ["/a/mlp.py", 3, "f", "x = 1"]


def test_an_exception_is_data_of_known_form() -> None:
    """Texts, flags, frames and shapes, whatever was sent; no control characters."""
    sent = {
        "type": "Value\x1bError",
        "message": "one\r\ntwo \x1b[2J \ud800",
        "name": ["no text"],
        "unusable": True,
        "todo": 1,
        "frames": [FRAME, ["\x00", 3, "f", "x"], [1, 2, 3, 4], "abcd", None, FRAME[:3]],
        "shapes": {"x\x1b": "[2\x1b, 3]", "y": 3},
        "facts": {"expression": "x\x1b + 1", "layer": None},
        "definition": ["/a/mlp.py", 1, "f", "def f():\n  \x1bpass"],
        "more": "left out",
    }
    _, error = taking({"begin": LOAD}, {"at": LOAD, "error": sent}).results[LOAD]
    assert error == {
        "type": "Value\ufffdError",
        "message": "one\ufffd\ntwo \ufffd[2J \ufffd",
        "name": "",
        "fault": "",
        "unusable": True,
        "todo": False,
        "frames": [FRAME],
        "shapes": {"x\ufffd": "[2\ufffd, 3]", "y": ""},
        "facts": {"expression": "x\ufffd + 1", "layer": ""},
        "definition": ["/a/mlp.py", 1, "f", "def f():\n  \ufffdpass"],
    }


def test_an_exception_of_nothing_is_one_without_words() -> None:
    """All fields are there."""
    _, error = taking({"begin": LOAD}, {"at": LOAD, "error": {}}).results[LOAD]
    assert error.pop("frames") == [] and error.pop("definition") == []
    assert error.pop("shapes") == {} and error.pop("facts") == {}
    assert not error.pop("unusable") and not error.pop("todo")
    assert error == {"type": "", "message": "", "name": "", "fault": ""}


def test_all_that_the_worker_tells_of_an_exception_is_taken() -> None:
    """Field by field, as it was sent."""
    try:
        raise ValueError("odd")
    except ValueError as problem:
        sent = describe(problem, {})
    message = wire.decode(wire.encode({"at": LOAD, "error": sent}))
    assert taking({"begin": LOAD}, message).results[LOAD] == ("error", sent)


def test_long_texts_are_cut() -> None:
    """A message of 60 MB is not carried along."""
    sent = {"message": "x" * 10**6, "frames": [[*FRAME[:3], "y" * 10**6]]}
    _, error = taking({"begin": LOAD}, {"at": LOAD, "error": sent}).results[LOAD]
    assert len(error["message"]) == LONG
    assert len(error["frames"][0][3]) == LONG


def test_places_are_lines_and_code() -> None:
    """What is none is left out; code has no control characters."""
    sent = {"f": [3, "x = '\x1b'"], "g": ["3", "x"], "h": 3, "i": [1], "j": [1, "", 2]}
    answers = taking({"begin": LOAD}, {"at": LOAD, "value": sent})
    assert answers.places == {"f": (3, "x = '\ufffd'")}


def test_no_message_raises() -> None:
    """Five thousand messages over the wire: each is taken or refused, and what is kept
    of them has no control characters."""
    choose = random.Random(7)
    taken = 0
    for _ in range(500):
        answers, waiting = Answers(), awaited()
        for _ in range(10):
            message = wire.decode(wire.encode(any_message(choose)))
            taken += answers.take(message, waiting)
        assert all(line.isprintable() for line in (*answers.notes, *answers.violations))
        for kind, error in answers.results.values():
            if kind == "error":
                assert all(frame[0].isprintable() for frame in error["frames"])
                assert error["message"].replace("\n", "").isprintable()
    assert 200 < taken < 4800
