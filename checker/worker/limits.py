"""What a worker may ask of the machine."""

import contextlib
import resource

DATA = 64 * 2**30
"""Bytes a learner's code may ask for beyond what the worker has. What it really uses is
the parent's to watch; MAX asks for 2 GB more with each graph that it compiles."""
FILE_SIZE = 2**30
"""Bytes of the largest file that may be written (MAX caches what it has compiled)."""


def limit_resources() -> None:
    """So that too much asked for at once is a MemoryError with a line; and where the
    machine itself runs out of memory, this process is the one to go."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
    with contextlib.suppress(OSError, ValueError):  # no /proc on macOS
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        with open("/proc/self/statm") as file:
            taken = int(file.read().split()[5]) * resource.getpagesize()
        limit = taken + DATA
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
