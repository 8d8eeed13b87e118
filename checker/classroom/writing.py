"""Write files whole or not at all, and say in a sentence why not."""

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from checker.classroom.safe import one_line
from checker.course import Fault
from checker.link.janitor import Janitor


@contextmanager
def disk(path: Path) -> Iterator[None]:
    """What the disk says against writing ``path``, as Fault."""
    try:
        yield
    except BrokenPipeError:  # nobody reads on: see checker/cli.py
        raise
    except OSError as error:
        sentence = f"{one_line(str(path))} cannot be written: {_why(error)}"
        raise Fault(sentence) from error


def _why(error: OSError) -> str:
    """The system's words; shutil has a list of (from, to, "[Errno 28] words: …")."""
    found = error.args[0] if error.args else ""
    said = error.strerror or (found[0][-1] if isinstance(found, list) else found)
    return re.sub(r"^\[Errno \d+\] ([^:]+).*", r"\1", str(said))


@contextmanager
def whole(output: Path) -> Iterator[Path]:
    """A path to write to. ``output`` has it all at the end, or stays as it was.

    Raises Fault where the disk is full, read-only or not ours.
    """
    with disk(output):
        if output.exists() and not output.is_file():  # a pipe or a device
            yield output
            return
        output.parent.mkdir(parents=True, exist_ok=True)
        unfinished = output.with_name(f".{os.getpid()}.part")
        try:
            yield unfinished
            unfinished.replace(output)
        finally:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)


def write_text(text: str, output: Path) -> None:
    """Write a text in UTF-8. Raises Fault."""
    with whole(output) as path, path.open("wb") as file:
        file.write(text.encode("utf-8", "replace"))
        file.flush()
        if path != output:
            os.fsync(file.fileno())


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder, removed at the end, however this process ends. Raises Fault."""
    folder = Path(tempfile.gettempdir(), f"submission-{secrets.token_hex(8)}")
    janitor = Janitor(str(folder))
    try:
        with disk(Path("the folder for temporary files")):
            folder.mkdir(mode=0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        janitor.dismiss()
