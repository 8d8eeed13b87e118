"""A worker that gets ready in the background, so that a check does not wait for it."""

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from checker.link.process import Limits, WorkerProcess


class Warming:
    """Starts a worker and has it answer ``request`` once; the answer is thrown away.

    Asked for the reference's answers to a step, it has then imported and made all that
    the learner's will need. A thread waits for it: the worker is a process of its own,
    started before, so nothing is forked from a process with threads of MAX.
    """

    def __init__(
        self,
        limits: Limits,
        request: dict[str, Any],
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        self.worker = WorkerProcess(limits)
        self._thread = threading.Thread(
            target=self._run, args=(request, meanwhile), daemon=True
        )
        self._thread.start()

    def _run(self, request: dict[str, Any], meanwhile: Callable[[], None]) -> None:
        with contextlib.suppress(Exception):  # a worker that fails is replaced later
            meanwhile()
            self.worker.wait_until_ready()
            self.worker.ask(request)

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def take(self) -> WorkerProcess:
        """The worker; waits until it has answered or ended."""
        self._thread.join()
        return self.worker

    def close(self) -> None:
        self.worker.process.kill()
        self.take().close()
