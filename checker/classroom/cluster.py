"""Many machines grade a class: submissions go to a Dask scheduler.

Its workers have the same course and start in its folder, so that they can import it
(docs/instructors.md). A submission whose machine is lost is graded again elsewhere.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from typing import Any

from checker.classroom.marking import HandedIn, Rules, mark_apart, unmarked
from checker.classroom.reading import Grade
from checker.cli import UsageError
from checker.course import Fault

AHEAD = 4
"""Submissions that wait for each thread of the cluster: more would only fill memory."""
CONNECTING = 15.0
"""Seconds."""


def connect(address: str) -> Any:
    """A client of the scheduler. Raises UsageError."""
    try:
        from distributed import Client
    except ImportError as error:
        said = "--cluster needs Dask: install the dependency group `cluster` (README)"
        raise UsageError(said) from error
    try:
        return Client(address, timeout=CONNECTING, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(f"there is no scheduler at {address}: {error}") from error


def grade_on(
    client: Any,
    submissions: Iterable[Callable[[], HandedIn]],
    rules: Rules,
) -> Iterator[Grade]:
    """The grades as they come. Each submission is read when its turn has come."""
    from distributed import as_completed

    waiting = iter(submissions)
    threads = sum(client.nthreads().values())
    if not threads:
        raise Fault("the cluster has no workers; start some: see docs/instructors.md")
    running: dict[Any, HandedIn] = {}

    def submit(read: Callable[[], HandedIn]) -> Any:
        handed = read()
        future = client.submit(_mark, asdict(handed), asdict(rules), pure=False)
        running[future] = handed
        return future

    first = [submit(each) for each in islice(waiting, AHEAD * threads)]
    done = as_completed(first, loop=client.loop)
    for future in done:
        handed = running.pop(future)
        yield _grade(future, handed, rules)
        for each in islice(waiting, 1):
            done.add(submit(each))


def _grade(future: Any, handed: HandedIn, rules: Rules) -> Grade:
    if future.status == "finished":
        grade: Grade = future.result()
        return grade
    error = future.exception()
    reason = f"the cluster could not grade it: {type(error).__name__}: {error}"
    return unmarked(handed, rules, reason)


def _mark(handed: dict[str, Any], rules: dict[str, Any]) -> Grade:
    """On a machine of the cluster."""
    from checker.classroom.grade import fingerprint

    if (own := fingerprint()) != rules["checker"]:
        raise RuntimeError(f"a machine has another checker, {own}")
    grade = mark_apart(HandedIn(**handed), Rules(**rules))
    assert grade is not None
    return grade
