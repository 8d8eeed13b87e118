"""Attacks on the checker fail where a class is graded: inside bubblewrap."""

import http.server
import os
import resource
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from checker.course import ROOT, puzzle
from checker.link.process import Limits
from checker.link.sandbox import Isolation
from checker.verdict.examiner import Examiner
from tests.course import attacks

pytestmark = [
    pytest.mark.max,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]
ANSWER = (ROOT / "solutions" / "layernorm.py").read_bytes()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A server on this machine that hands out the answer."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(ANSWER)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("name", attacks.names())
def test_an_attack_fails(name: str, port: int, tmp_path: Path) -> None:
    """It does not pass, and neither the checker, the course, the environment nor what
    others have handed in is touched."""
    other = tmp_path / "other" / "layernorm.py"
    other.parent.mkdir()
    other.write_bytes(ANSWER)
    source = attacks.attack(name, port=port, other=other)
    (tmp_path / "layernorm.py").write_text(source, encoding="utf-8")
    before = state()
    limits = Limits(probe=4.0, step=8.0)
    with Examiner(tmp_path, limits, isolation=Isolation.BUBBLEWRAP) as examiner:
        report = examiner.check(puzzle("s03"))
    assert report.status != "passed" and not report.fault, report.lines
    assert other.read_bytes() == ANSWER
    assert state() == before


def state() -> object:
    """What an attack might change of this process, the course and the environment."""
    environment = Path(np.__file__).parent.parent
    written = [*ROOT.glob("*by-an-attack"), *environment.glob("*by_an_attack*")]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    return written, limits, os.nice(0)


def test_the_frame_of_an_attack_alone_is_wrong(tmp_path: Path) -> None:
    """An attack that finds the answer passes, if nothing hides it: the frame is no
    reason why the others fail."""
    source = attacks.attack("mmap", port=0, other=tmp_path)
    (tmp_path / "layernorm.py").write_text(source, encoding="utf-8")
    with Examiner(tmp_path) as examiner:
        assert examiner.check(puzzle("s03")).status == "passed"
