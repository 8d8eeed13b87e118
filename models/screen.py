"""The demo's command line, what it shows while it works, and how it ends."""

import argparse
import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from models.checkpoint import DEFAULT, CheckpointError

FAILED = 1
INTERRUPTED = 130


# The command line


def parser(description: str, *, writes: bool = True) -> argparse.ArgumentParser:
    """A parser of --model and --device (a MAX `Device`), and of --max-new-tokens and
    --seed for a program that writes.

    A bad value ends the program with a sentence and exit status 2.
    """
    made = argparse.ArgumentParser(description=description)
    add = made.add_argument
    add(
        "--model",
        default=DEFAULT,
        metavar="NAME_OR_PATH",
        help="a model on the Hugging Face hub, or a folder with its files",
    )
    if writes:
        add("--max-new-tokens", type=count, default=50, metavar="N", help="default: 50")
        add("--seed", type=count, default=0, metavar="N", help="default: 0")
    add(
        "--device",
        type=device,
        default="auto",
        metavar="auto|cpu|gpu",
        help="default: auto, a GPU if MAX can use one, else the CPU",
    )
    return made


def count(text: str) -> int:
    """A number of things, from the command line."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number, 0 or more")
    return int(text)


def device(name: str) -> Any:
    """The `max.driver.Device` that `auto`, `cpu` or `gpu` means on this machine.

    `auto` is the CPU, unless there is an accelerator that MAX can use.
    """
    from max.driver import CPU

    if name not in ("auto", "cpu", "gpu"):
        raise argparse.ArgumentTypeError(f"{name!r} is not auto, cpu or gpu")
    if name == "cpu":
        return CPU()
    try:
        return _accelerator()
    except LookupError as error:
        if name == "gpu":
            raise argparse.ArgumentTypeError(f"{error}; use cpu or auto") from error
        return CPU()


def _accelerator() -> Any:
    """The first accelerator; LookupError, with a sentence, where none can be used."""
    from max.driver import Accelerator, accelerator_count

    try:
        if not accelerator_count():
            raise LookupError("MAX finds no GPU on this machine")
        return Accelerator()
    except (RuntimeError, ValueError) as error:  # a driver is missing or too old, say
        reason = str(error).partition("\n")[0]
        raise LookupError(f"MAX cannot use this machine's GPU ({reason})") from error


# The screen


@contextmanager
def working(title: str) -> Iterator[None]:
    """Announce what takes longer than a second, and say afterwards how long it took.

    A terminal shows a spinner; anything else gets two plain lines.
    """
    started = time.perf_counter()
    if sys.stdout.isatty():
        with Console().status(f"{title} …"):
            yield
    else:
        print(f"{title} …", flush=True)
        yield
    print(f"{title}: {time.perf_counter() - started:.1f} s", flush=True)


def write(title: str, generator: Any, prompt: str, **settings: Any) -> None:
    """Print a title, the text that `generator.generate` writes, and how fast it was."""
    print(f"\n{title}", flush=True)
    started = time.perf_counter()
    text = generator.generate(prompt, **settings)
    seconds = time.perf_counter() - started
    tokens = settings["max_new_tokens"]
    speed = f"{tokens} tokens in {seconds:.1f} s, {tokens / seconds:.1f} tokens/s"
    print(f"{text}\n({speed})", flush=True)


# The end


def in_sentences(main: Callable[..., int]) -> Callable[..., int]:
    """A bad checkpoint and Ctrl-C end `main` with a line on stderr, and a reader that
    goes away (`… | head`) with none: no traceback."""

    @functools.wraps(main)
    def wrapped(argv: list[str] | None = None) -> int:
        try:
            return main(argv)
        except CheckpointError as error:
            print(error, file=sys.stderr)
            return FAILED
        except KeyboardInterrupt:
            print("\nstopped", file=sys.stderr)
            return INTERRUPTED
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return FAILED

    return wrapped
