"""What the demo shows while it works, and how it ends when it cannot go on."""

import functools
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from models.checkpoint import CheckpointError

FAILED = 1
INTERRUPTED = 130


@contextmanager
def working(title: str) -> Iterator[None]:
    """Announce what takes longer than a second, and say afterwards how long it took.

    A terminal shows a spinner; anything else gets two plain lines.
    """
    started = time.perf_counter()
    if sys.stdout.isatty():
        with Console().status(f"{title} …"):
            yield
    else:
        print(f"{title} …", flush=True)
        yield
    print(f"{title}: {time.perf_counter() - started:.1f} s", flush=True)


def in_sentences(main: Callable[..., int]) -> Callable[..., int]:
    """A bad checkpoint and Ctrl-C end ``main`` with a line on stderr, no traceback."""

    @functools.wraps(main)
    def wrapped(argv: list[str] | None = None) -> int:
        try:
            return main(argv)
        except CheckpointError as error:
            print(error, file=sys.stderr)
            return FAILED
        except KeyboardInterrupt:
            print("\nstopped", file=sys.stderr)
            return INTERRUPTED

    return wrapped
