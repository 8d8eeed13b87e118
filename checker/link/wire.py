"""Messages between the parent and the worker: one line of JSON each.

Arrays travel as dtype, shape and base64. Nothing is ever unpickled: what comes back
from a worker is data from somebody else's program. NumPy is imported when the first
array travels: the parent starts its worker before it imports anything large.
"""

import base64
import json
import re
import signal
from typing import Any

ARRAY = "__array__"
DTYPE = re.compile(r"[<>|][biufcmMSUV]\d+(\[\w+\])?")
"""What ``dtype.str`` says of plain values. NumPy reads more, some of it as Python."""
DEPTH = 64
"""Lists in lists: far more than a probe answers, far less than Python can compare."""
COURSE = "course"
"""The folder in a worker's, if it has one, that holds its copy of the course."""
TELL_STACK = signal.SIGUSR1
STACK = "stack"
"""The signal on which a worker writes where it is, into this file of its folder."""


def encode(message: object) -> bytes:
    """One line. Raises TypeError or ValueError for what is neither array nor JSON."""
    line = _encode(message).encode()
    _refuse_depth(line, message)
    return line + b"\n"


def decode(line: bytes) -> Any:
    """The message of one line. Raises ValueError for anything malformed."""
    try:
        message = json.loads(line, object_hook=_restore)
    except (TypeError, OverflowError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from error
    _refuse_depth(line, message)
    return message


def _refuse_depth(line: bytes, message: object) -> None:
    """ValueError for a message nested more than ``DEPTH`` deep."""
    if line.count(b"[") + line.count(b"{") <= DEPTH:
        return
    level, depth = [message], 0
    while level:
        depth += 1
        if depth > DEPTH:
            raise ValueError("lists in lists in lists, too deep to travel")
        dicts = (each.values() for each in level if isinstance(each, dict))
        lists = (each for each in level if isinstance(each, list | tuple))
        level = [each for values in (*dicts, *lists) for each in values]


def _array(value: object) -> object:
    import numpy as np

    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, np.ndarray) or value.dtype == object:
        raise TypeError(f"a {type(value).__name__} does not travel")
    data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
    return {ARRAY: [value.dtype.str, list(value.shape), data]}


_encode = json.JSONEncoder(default=_array).encode
"""Bound once: the learner's code may have replaced ``json.dumps``."""


def _restore(found: dict[str, Any]) -> Any:
    if ARRAY not in found:
        return found
    import numpy as np

    dtype, shape, data = found[ARRAY]
    if not DTYPE.fullmatch(dtype):
        raise ValueError(f"{dtype} is no dtype")
    array = np.frombuffer(base64.b64decode(data), np.dtype(dtype))
    return array.reshape(shape).copy()
