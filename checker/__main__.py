"""``python -m checker STEP``: the command line. Exit status 0, 1, 2, 3: see the contract.

0 every check passed · 1 not yet · 2 the command line is wrong · 3 the environment or
the checker itself is at fault.
"""

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from checker.table import ROOT, puzzles

PASSED, NOT_YET, USAGE, FAULT = range(4)


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{message}\n{self.format_usage()}")


def parser() -> argparse.ArgumentParser:
    steps = [puzzle.step for puzzle in puzzles()]
    made = Parser(prog="python -m checker", description="Check the puzzles.")
    made.add_argument("step", metavar="STEP", choices=[*steps, "all"],
                      help=f"{steps[0]} … {steps[-1]}, or all")
    made.add_argument("--dir", type=Path, default=ROOT / "puzzles", metavar="DIR",
                      help="the folder that holds the files to check (puzzles)")
    made.add_argument("--json", action="store_true", help="one JSON object on stdout")
    made.add_argument("--no-compile", dest="compile", action="store_false",
                      help="leave out the last line, the run compiled by MAX itself")
    return made


def check(arguments: argparse.Namespace) -> int:
    from checker.check import Examiner, select

    with Examiner(arguments.dir, announce=_announce) as examiner:
        examiner.start()
        from rich.console import Console

        from checker import report

        console = Console(highlight=False)
        reports = []
        for puzzle in select(arguments.step):
            reports.append(examiner.check(puzzle, compile=arguments.compile))
            if not arguments.json:
                show = report.show_row if arguments.step == "all" else report.show
                show(reports[-1], console)
        if arguments.json:
            found = [report.as_json(each) for each in reports]
            one = {"steps": found} if arguments.step == "all" else found[0]
            print(report.dump(one))
        elif arguments.step == "all":
            console.print(report.total(reports))
    if any(each.fault for each in reports):
        return FAULT
    return PASSED if all(each.status == "passed" for each in reports) else NOT_YET


def _announce(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    if not arguments.dir.is_dir():
        print(f"there is no folder {arguments.dir}", file=sys.stderr)
        return USAGE
    from checker.check import Fault

    try:
        return check(arguments)
    except Fault as fault:
        print(f"! {fault}", file=sys.stderr)
        return FAULT
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return NOT_YET


if __name__ == "__main__":
    sys.exit(main())
