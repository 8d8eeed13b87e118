"""Put the screens into README.md, as the program prints them.

    python -m tests.course.record_readme

A block begins with ``<!-- screen: NAME -->`` and ends with ``<!-- end -->``. A test
says that each equals what the program prints.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.course.submission_files import find

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- screen: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def screen(*words: str, folder: Path) -> str:
    """What `python -m checker` prints to somebody who runs it through pixi."""
    found = subprocess.run(
        [sys.executable, "-m", "checker", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PIXI_PROJECT_NAME": "course"},
        capture_output=True,
        text=True,
        check=False,
    )
    return re.sub(r"\d+\.\d s", "0.1 s", found.stdout)


def wrong() -> str:
    """Step 5 with a wrong scale, all else solved."""
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(ROOT / "solutions", Path(scratch, "puzzles"))
        file = find("wrong", "s05", "scaled-by-width")
        Path(scratch, "puzzles", "attention.py").write_bytes(file.source)
        said = screen("s05", "--dir", "puzzles", "--no-compile", folder=Path(scratch))
        return f"$ pixi run s05\n{said}"


SCREENS = {"wrong": wrong}


def recorded(text: str) -> str:
    """The README with each block as its screen is now."""

    def block(found: re.Match[str]) -> str:
        said = SCREENS[found[2]]().rstrip()
        return f"{found[1]}```text\n{said}\n```\n{found[3]}"

    return BLOCK.sub(block, text)


if __name__ == "__main__":
    README.write_text(recorded(README.read_text(encoding="utf-8")), encoding="utf-8")
