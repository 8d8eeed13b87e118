"""The reference in one sealed file, for a copy of the course without ``solutions/``.

Sealed against reading by accident, not against intent: the checks need the reference,
and what the checker can open, a determined learner can open as well.
"""

import base64
import json
import zlib
from functools import cache

from checker.course import ROOT, every

SEALED = ROOT / "checker" / "reference.sealed"


def seal() -> bytes:
    """The solutions, compressed and in letters that say nothing."""
    sources = {
        puzzle.name: (ROOT / "solutions" / puzzle.file).read_text(encoding="utf-8")
        for puzzle in every()
    }
    return base64.b85encode(zlib.compress(json.dumps(sources).encode(), 9)) + b"\n"


@cache
def unseal() -> dict[str, str]:
    """Name -> source. Raises OSError or ValueError where the file cannot be read."""
    packed = SEALED.read_bytes().strip()
    try:
        found = json.loads(zlib.decompress(base64.b85decode(packed)))
    except zlib.error as error:
        raise ValueError(str(error)) from error
    assert isinstance(found, dict)
    return found
