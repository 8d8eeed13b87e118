"""Build the archive that Gradescope runs: setup.sh, run_autograder and the course.

    python -m checker gradescope-zip -o autograder.zip

The course goes in as handed out (``handout.py``), with the reference sealed. The
machine needs the package registry for ``setup.sh`` and no network afterwards.
"""

import argparse
import sys
import zipfile
from pathlib import Path

from checker.classroom.handout import copy_course
from checker.classroom.safe import one_line
from checker.classroom.writing import disk, scratch, whole
from checker.cli import PASSED, UsageError
from checker.course import ROOT

HERE = Path(__file__).parent
DEFLATED = zipfile.ZIP_DEFLATED
SCRIPTS = {
    "setup.sh": HERE / "setup.sh",
    "run_autograder": HERE / "run_autograder.sh",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="FILE",
        default=Path("autograder.zip"),
        help="autograder.zip",
    )


def run(arguments: argparse.Namespace) -> int:
    if not (ROOT / "solutions").is_dir():
        raise UsageError("the archive is built from the whole course, not a handout")
    said = one_line(str(arguments.output))
    if arguments.output.is_dir():
        raise UsageError(f"{said} is a folder: name the file to write")
    build(arguments.output)
    size = arguments.output.stat().st_size / 1e6
    print(f"{said}: {size:.1f} MB, ready to upload", file=sys.stderr)
    return PASSED


def build(output: Path) -> None:
    """Write the archive; ``setup.sh`` and ``run_autograder`` are executable.

    Raises Fault where the disk refuses.
    """
    with scratch() as folder:
        course = folder / "course"
        with disk(course):
            copy_course(course)
        with whole(output) as path, zipfile.ZipFile(path, "w", DEFLATED) as archive:
            for path in sorted(course.rglob("*")):
                if path.is_file():
                    archive.write(path, path.relative_to(course))
            for name, path in SCRIPTS.items():
                _script(archive, name, path.read_text(encoding="utf-8"))


def _script(archive: zipfile.ZipFile, name: str, text: str) -> None:
    member = zipfile.ZipInfo(name, date_time=(2025, 1, 1, 0, 0, 0))
    member.external_attr = 0o755 << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, text)
