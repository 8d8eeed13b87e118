"""What travels comes back the same; nothing else is taken for a message."""

import json
import pickle
import random
from typing import Any

import numpy as np
import pytest

from checker.link import wire
from checker.verdict.compare import same
from tests.course.invented import any_array, anything


def there_and_back(message: object) -> Any:
    return wire.decode(wire.encode(message))


@pytest.mark.parametrize(
    "array",
    [
        np.array([0.5, -0.0, np.nan, np.inf, -np.inf], np.float32),
        np.arange(24, dtype=np.int64).reshape(2, 3, 4),
        np.arange(24).reshape(4, 6).T,  # not contiguous
        np.array(3, np.float32),  # of no dimension
        np.zeros((0, 4), np.float32),
        np.array([1, 2], ">i4"),
        np.array([True, False]),
        np.array(["a", "é\U0001f600"]),
        np.array([b"a", b"bc"]),
        np.array([1 + 2j]),
        np.array(["2026-01-01"], "datetime64[D]"),
    ],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_an_array_comes_back_to_the_bit(array: np.ndarray) -> None:
    """Dtype, shape and bytes; what comes back can be written to."""
    back = there_and_back(array)
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    assert back.tobytes() == array.tobytes()
    back[...] = back


def test_a_message_comes_back() -> None:
    """Lists, dictionaries, texts and numbers with arrays among them."""
    choose = random.Random(3)
    for _ in range(300):
        message = {"value": anything(choose)}
        assert same(there_and_back(message), message, 0.0)


def test_numpy_numbers_come_back_as_numbers() -> None:
    """What NumPy counts is a number of Python's, a tuple a list."""
    assert there_and_back({"n": np.int64(3), "x": np.float32(0.5), "t": (1,)}) == {
        "n": 3,
        "x": 0.5,
        "t": [1],
    }


def test_a_message_is_one_line() -> None:
    """Whatever it holds: the line ends where the message ends."""
    line = wire.encode({"text": "a\nb\r\x00\u2028", "array": np.zeros(99)})
    assert line.endswith(b"\n") and line.count(b"\n") == 1 and line.isascii()


def nested(depth: int) -> list[Any]:
    made: list[Any] = []
    for _ in range(depth):
        made = [made]
    return made


ITSELF: list[Any] = []
ITSELF.append(ITSELF)


@pytest.mark.parametrize(
    "value",
    [
        np.array([object()]),
        np.array([[1], "a"], dtype=object),
        object(),
        {1, 2},
        b"bytes",
        {(1, 2): 3},
        np.datetime64("2026-01-01"),
        nested(wire.DEPTH + 1),
        ITSELF,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_does_not_travel_is_said(value: object) -> None:
    """An object array, any object, a list without end: an error where it is sent."""
    with pytest.raises((TypeError, ValueError)):
        wire.encode({"value": value})


def array_line(*parts: object) -> bytes:
    return json.dumps({wire.ARRAY: list(parts)}).encode()


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"{}{}",
        b"\xff\xfe",
        b"9" * 5000,
        b"[" * 100_000,
        b"[" * 300 + b"]" * 300,
        b'{"a":' * 300 + b"1" + b"}" * 300,
        json.dumps({wire.ARRAY: None}).encode(),
        json.dumps({wire.ARRAY: {"a": 1, "b": 2, "c": 3}}).encode(),
        array_line(),
        array_line("<f4", [1], "AAAAAA==", 1),
        array_line("<f4", [2], "AAAAAA=="),  # four bytes are one float32
        array_line("<f4", [-1, -1], "AAAAAA=="),
        array_line("<f4", [10**30], "AAAAAA=="),
        array_line("<f4", ["1"], "AAAAAA=="),
        array_line("<f4", None, None),
        array_line("<f4", [1], "A"),
        array_line("<f4", [1], "é"),
        array_line("<f4", [1] * 100, "AAAAAA=="),
        array_line("|O", [1], "AAAAAAAAAAA="),
        array_line("O8", [1], "AAAAAAAAAAA="),
        array_line("<f4,|O8", [1], "AAAAAAAAAAAAAAAA"),
        array_line("f8,(", [1], "AAAAAAAAAAA="),  # NumPy reads this as Python
        array_line("<f" + "9" * 50, [1], "AAAAAAAAAAA="),
        array_line("<M8[nothing]", [1], "AAAAAAAAAAA="),
        array_line([["a", "<f4"]], [1], "AAAAAA=="),
        array_line({"names": ["a"], "formats": ["O"]}, [1], "AAAAAAAAAAA="),
        array_line(None, [1], "AAAAAAAAAAA="),
    ],
)
def test_a_malformed_line_is_a_value_error(line: bytes) -> None:
    """And nothing but a ValueError, whatever the line is."""
    with pytest.raises(ValueError):
        wire.decode(line)


def test_a_line_with_a_changed_byte_is_a_message_or_a_value_error() -> None:
    """Real messages, a few bytes of them replaced: 3000 of them."""
    choose = random.Random(4)
    refused = 0
    for _ in range(1000):
        line = wire.encode({"value": [anything(choose), any_array(choose)]})
        for _ in range(3):
            spoilt = bytearray(line)
            for _ in range(choose.randint(1, 3)):
                spoilt[choose.randrange(len(spoilt))] = choose.randrange(256)
            try:
                wire.decode(bytes(spoilt))
            except ValueError:
                refused += 1
    assert 500 < refused < 3000


class Bomb:
    """Says when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("unpickled",)


def test_nothing_is_unpickled(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither as a line nor as the bytes of an array."""
    data = pickle.dumps(Bomb())
    pickle.loads(data)
    assert capsys.readouterr().out == "unpickled\n"
    with pytest.raises(ValueError):
        wire.decode(data)
    array = np.frombuffer(data, np.uint8)
    line = wire.encode(array)
    assert wire.decode(line).tobytes() == data
    with pytest.raises(ValueError):
        wire.decode(line.replace(b"|u1", b"|O8"))
    assert capsys.readouterr().out == ""
