"""Build the archive that Gradescope runs: setup.sh, run_autograder and the course.

    python -m checker gradescope-zip -o autograder.zip

The course goes in as handed out (``handout.py``), with the reference sealed. The
machine needs the package registry for ``setup.sh`` and no network afterwards.
"""

import argparse
import sys
import tempfile
import zipfile
from pathlib import Path

from checker.classroom.handout import copy_course
from checker.cli import PASSED, UsageError
from checker.course import ROOT

HERE = Path(__file__).parent
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
    build(arguments.output)
    size = arguments.output.stat().st_size / 1e6
    print(f"{arguments.output}: {size:.1f} MB, ready to upload", file=sys.stderr)
    return PASSED


def build(output: Path) -> None:
    """Write the archive; ``setup.sh`` and ``run_autograder`` are executable."""
    with tempfile.TemporaryDirectory() as scratch:
        course = Path(scratch, "course")
        copy_course(course)
        with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
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
