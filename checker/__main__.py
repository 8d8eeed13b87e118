"""``python -m checker STEP`` and ``python -m checker COMMAND``: the command line.

The first word decides: a name in ``commands.COMMANDS`` is that command's, all else is
a check (``--dir x s05`` as well as ``s05 --dir x``). Exit status 0, 1, 2, 3: see there.
"""

import argparse
import importlib
import sys
from pathlib import Path

from checker.commands import (
    COMMANDS,
    FAULT,
    LEARNING,
    NOT_YET,
    PASSED,
    TEACHING,
    USAGE,
    Command,
    Parser,
    UsageError,
    add_step,
    unknown,
)
from checker.table import ROOT, puzzles


def overview() -> str:
    """What there is, for people who call ``python -m checker`` alone."""
    steps = [puzzle.step for puzzle in puzzles()]
    checks = (
        Command(f"{steps[0]} … {steps[-1]}", "", "check one puzzle"),
        Command("all", "", "check all of them, a line each"),
    )
    groups = (("Check", checks), ("Learn", LEARNING), ("Teach", TEACHING))
    lines = ["python -m checker COMMAND"]
    for title, commands in groups:
        lines += ["", title, *(f"  {c.name:<16}{c.does}" for c in commands)]
    last = "`python -m checker COMMAND --help` says more, `… s01 --help` about checks."
    return "\n".join([*lines, "", last])


def check_parser() -> Parser:
    made = Parser(prog="python -m checker", description="Check the puzzles.")
    add_step(made, every=True)
    made.add_argument(
        "--dir",
        type=Path,
        default=ROOT / "puzzles",
        metavar="DIR",
        help="the folder that holds the files to check (puzzles)",
    )
    made.add_argument("--json", action="store_true", help="one JSON object on stdout")
    made.add_argument(
        "--no-compile",
        dest="compile",
        action="store_false",
        help="leave out the last line, the run compiled by MAX itself",
    )
    return made


def check(arguments: argparse.Namespace) -> int:
    """Check a step or all. The worker starts first: it imports MAX while we import."""
    if not arguments.dir.is_dir():
        raise UsageError(f"there is no folder {arguments.dir}")
    from checker.process import Limits, Worker

    worker = Worker(Limits())
    from checker.check import Examiner, select

    with Examiner(arguments.dir, announce=_announce, worker=worker) as examiner:
        from rich.console import Console

        from checker import progress, report

        console = Console(highlight=False)
        reports = []
        for puzzle in select(arguments.step):
            reports.append(examiner.check(puzzle, compile=arguments.compile))
            progress.remember(reports[-1], arguments.dir)
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


def command(called: Command, argv: list[str]) -> int:
    """Run a command of the list in its own module."""
    module = importlib.import_module(f"checker.{called.module}")
    name = f"python -m checker {called.name}"
    made = Parser(prog=name, description=(module.__doc__ or "").split("\n")[0])
    module.add_arguments(made)
    return int(module.run(made.parse_args(argv)))


def dispatch(argv: list[str]) -> int:
    if not argv or argv[0] in ("-h", "--help"):
        print(overview())
        return PASSED if argv else USAGE
    if argv[0] in COMMANDS:
        return command(COMMANDS[argv[0]], argv[1:])
    try:
        arguments = check_parser().parse_args(argv)
    except UsageError:
        if argv[0].startswith("-"):
            raise
        raise unknown(argv[0]) from None
    return check(arguments)


def main(argv: list[str] | None = None) -> int:
    try:
        return dispatch(sys.argv[1:] if argv is None else argv)
    except UsageError as error:
        print(error, file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return NOT_YET
    except Exception as error:
        from checker.check import Fault

        if not isinstance(error, Fault):
            raise
        print(f"! {error}", file=sys.stderr)
        return FAULT


if __name__ == "__main__":
    sys.exit(main())
