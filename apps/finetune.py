"""Train your GPT-2 on a text of your own, with your own backpropagation.

    pixi run finetune mine.txt --model models/austen --out my-gpt2

The last 5 % of each text are held out, to see how surprised the model is by what it has
not read. What comes out is a folder that the demo, `generate` and transformers load.
Stopped in any way, the same command goes on from the last checkpoint.
"""

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from apps.own import use_own_files
from apps.text import TextError, Tokens, tokens
from models.checkpoint import CONFIG, CONV1D, WEIGHTS, Checkpoint, open_checkpoint
from models.screen import FAILED, INTERRUPTED, count, in_sentences, parser, working

STATE = "run.safetensors"
EVERY = 25
"""Steps between two checkpoints, and two looks at what is held out."""
WINDOWS = 16
"""Pieces of the text that is held out."""
SAMPLE = {"max_new_tokens": 40, "temperature": 0.8, "seed": 0}
WARM_UP = 0.1
"""The part of the steps in which the learning rate rises."""
TIED = (("lm_head.weight", "transformer.wte.weight"),)


class RunError(Exception):
    """A run cannot begin or go on; the message is meant for the screen."""


@dataclass
class Run:
    """What a run was asked for, and how far it is.

    Attributes:
        texts: the files and their sizes.
        losses: before each step, in nats for a token.
        held_out: the number of steps, and the loss of what is held out after them.
    """

    model: str
    texts: list[list[Any]]
    steps: int
    batch: int
    tokens: int
    rate: float
    seed: int
    scratch: bool
    losses: list[float] = field(default_factory=list)
    held_out: list[list[float]] = field(default_factory=list)

    def other(self, run: "Run") -> list[str]:
        """What another run was asked for that this one was not."""
        progress = ("losses", "held_out")
        mine, others = asdict(self), asdict(run)
        return [n for n in mine if n not in progress and mine[n] != others[n]]


# Files: whole or not at all


def write(path: Path, data: bytes) -> None:
    """Replace a file when the new one is complete. Raises RunError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise RunError(
            f"{path} cannot be written: {error.strerror}. What was written before is "
            "whole: make room, and the same command goes on."
        ) from error


def save(folder: Path, checkpoint: Checkpoint, model: Any) -> None:
    """Write the model in Hugging Face's layout, with the checkpoint's tokenizer."""
    import numpy as np
    from safetensors.numpy import save as packed

    arrays = {name: np.from_dlpack(tensor) for name, tensor in model.parameters}
    if checkpoint.tied:
        del arrays["lm_head.weight"]
    turned = {n: x.T if n.endswith(CONV1D) else x for n, x in arrays.items()}
    whole = {name: np.ascontiguousarray(each) for name, each in turned.items()}
    for name in ("vocab.json", "merges.txt", CONFIG):
        write(folder / name, (checkpoint.folder / name).read_bytes())
    write(folder / WEIGHTS, packed(whole, {"format": "pt"}))


# Training


class Training:
    """A run, with the model that it trains."""

    def __init__(
        self, run: Run, folder: Path, checkpoint: Checkpoint, device: Any
    ) -> None:
        own = importlib.import_module
        self.run, self.folder, self.checkpoint = run, folder, checkpoint
        self.model = own("model").MaxGPT2Model(
            own("config").GPT2Config(**checkpoint.config)
        )
        source = fresh(checkpoint, run.seed) if run.scratch else checkpoint
        self.model.load_huggingface_weights(source, device)
        self.tokenizer = own("tokenizer").GPT2TokenizerWrapper(str(checkpoint.folder))
        self.training, self.device = own("training"), device

    def compile(self) -> None:
        """The step, and the model as the generator and the held-out text need it."""
        from max.dtype import DType
        from max.graph import TensorType

        from models.lean import lean

        tied = TIED if self.checkpoint.tied else ()
        self.trainer = self.training.Trainer(self.model, tied=tied)
        ids = TensorType(DType.int64, ("batch", "seqlen"), device=self.device)
        self.forward = lean(self.model.compile(ids), self.device)

    @property
    def done(self) -> int:
        return len(self.run.losses)

    def rate(self, step: int) -> float:
        steps = self.run.steps
        warmup = max(1, round(WARM_UP * steps))
        settings = {"peak": self.run.rate, "warmup": warmup, "steps": steps}
        return float(self.training.learning_rate(step, **settings))

    def step(self, text: Tokens) -> None:
        run = self.run
        ids, targets = text.batch(run.seed, self.done, run.batch, run.tokens)
        loss = self.trainer.step(ids, targets, self.rate(self.done + 1))
        if not loss < float("inf"):
            raise RunError(f"The loss is {loss} at step {self.done}: lower --rate.")
        run.losses.append(loss)

    def surprise(self, text: Tokens) -> float:
        """The mean loss of what is held out, in nats for a token."""
        import numpy as np

        losses = []
        for ids, targets in zip(*text.windows(WINDOWS, self.run.tokens), strict=True):
            z = np.from_dlpack(self.forward(ids[None]))[0]
            z = z - z.max(-1, keepdims=True)
            at = z[np.arange(len(targets)), targets]
            losses.append(np.mean(np.log(np.exp(z).sum(-1)) - at))
        return float(np.mean(losses))

    def sample(self, prompt: str) -> str:
        context = self.checkpoint.config["n_positions"]
        kind = importlib.import_module("generator").TextGenerator
        generator = kind(self.forward, self.tokenizer, context_length=context)
        return str(generator.generate(prompt, **SAMPLE))

    # Checkpoints

    def keep(self) -> None:
        from safetensors.numpy import save as packed

        state = self.trainer.compiled.state()
        told = {"run": json.dumps(asdict(self.run))}
        write(self.folder / STATE, packed(state, told))

    def go_on(self) -> None:
        """Take up the state of the checkpoint, if there is one. Raises RunError."""
        from safetensors import SafetensorError, safe_open

        path = self.folder / STATE
        if not path.exists():
            return
        try:
            with safe_open(path, "numpy") as file:
                known = Run(**json.loads(file.metadata()["run"]))
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(f"{path} is damaged ({error}): remove it.") from error
        if other := self.run.other(known):
            raise RunError(
                f"{self.folder} holds another run ({', '.join(other)} differ): name "
                "another folder with --out."
            )
        self.run = known
        self.trainer.compiled.restore(state)


class fresh:  # noqa: N801  (used like a checkpoint)
    """Random weights in a checkpoint's sizes, as GPT-2 begins: Radford et al. 2019,
    section 2.3, and `_init_weights` in Hugging Face's modeling_gpt2.py."""

    def __init__(self, checkpoint: Checkpoint, seed: int) -> None:
        self.checkpoint, self.seed = checkpoint, seed

    def state_dict(self) -> dict[str, Any]:
        import numpy as np

        from models.checkpoint import expected

        rng = np.random.default_rng(self.seed)
        depth = (2 * self.checkpoint.config["n_layer"]) ** -0.5
        found = {}
        for name, shape in expected(self.checkpoint.config).items():
            if len(shape) == 1:
                value = np.full(
                    shape, float(".ln_" in name and name.endswith("weight"))
                )
            else:
                scale = 0.02 * (depth if name.endswith("c_proj.weight") else 1)
                value = scale * rng.standard_normal(shape)
            found[name] = value.astype(np.float32)
        found["lm_head.weight"] = found["transformer.wte.weight"]
        return found


# The screen


class Progress:
    """A line that tells how far a run is; on a terminal it is written over."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.began, self.first = time.perf_counter(), training.done

    def show(self, *, last: bool = False) -> None:
        run, done = self.training.run, self.training.done
        seconds = time.perf_counter() - self.began
        fresh_steps = max(done - self.first, 1)
        speed = fresh_steps * run.batch * run.tokens / seconds
        left = int(seconds / fresh_steps * (run.steps - done))
        held = f", held out {run.held_out[-1][1]:.3f}" if run.held_out else ""
        line = (
            f"step {done} of {run.steps}: loss {run.losses[-1]:.3f}{held}, "
            f"{speed:.0f} tokens/s, {left // 60}:{left % 60:02} left"
        )
        if sys.stdout.isatty():
            print(f"\r\033[K{line}", end="\n" if last else "", flush=True)
        elif last or done % EVERY == 0:
            print(line, flush=True)


def curve(run: Run, width: int = 60) -> str:
    """The losses as a line of blocks, each the mean of some steps."""
    size = -(-len(run.losses) // width)
    groups = [run.losses[at : at + size] for at in range(0, len(run.losses), size)]
    means = [sum(group) / len(group) for group in groups]
    low, high = min(means), max(means)
    blocks = "▁▂▃▄▅▆▇█"
    scale = (len(blocks) - 1) / (high - low or 1)
    line = "".join(blocks[round((mean - low) * scale)] for mean in means)
    return f"{high:.2f} {line} {low:.2f}"


def arguments() -> Any:
    made = parser((__doc__ or "").partition("\n")[0], writes=False)
    add = made.add_argument
    add("texts", nargs="+", type=Path, metavar="TEXT", help="text files in UTF-8")
    add("--steps", type=positive(count), default=200, metavar="N")
    add("--batch", type=positive(count), default=8, metavar="N", help="rows of a step")
    add("--tokens", type=positive(count), default=128, metavar="N", help="of a row")
    add("--rate", type=positive(float), default=1e-3, metavar="X", help="at its peak")
    add("--seed", type=count, default=0, metavar="N")
    add("--from-scratch", action="store_true", help="begin with random weights")
    add("--out", type=Path, default=Path("my-gpt2"), metavar="DIR", help="a folder")
    return made


def positive(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def number(text: str) -> Any:
        import argparse

        try:
            value = kind(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from error
        if not 0 < value < float("inf"):
            raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
        return value

    return number


@in_sentences
def main(argv: list[str] | None = None) -> int:
    """Train; 0 when all steps are done."""
    args = arguments().parse_args(argv)
    print(use_own_files())
    try:
        return finetune(args)
    except (RunError, TextError) as error:
        print(error, file=sys.stderr)
        return FAILED


def finetune(args: Any) -> int:
    checkpoint = open_checkpoint(args.model)
    longest = checkpoint.config["n_positions"]
    if args.tokens > longest:
        raise RunError(f"--tokens is {args.tokens}; {args.model} reads {longest}.")
    run = Run(
        checkpoint.name, [[str(p), _size(p)] for p in args.texts], args.steps,
        args.batch, args.tokens, args.rate, args.seed, args.from_scratch,
    )  # fmt: skip
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"{args.out} cannot be made: {error.strerror}.") from error
    training = Training(run, args.out, checkpoint, args.device)
    text = tokens(args.texts, training.tokenizer, args.tokens)
    print(f"{len(text.training)} tokens to train on, {len(text.held_out)} held out")
    with working("Compiling a training step"):
        training.compile()
    training.go_on()
    return train(training, text)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def train(training: Training, text: Tokens) -> int:
    run = training.run
    prompt = training.tokenizer.decode(_prompt(text))
    if training.done:
        print(f"Going on after step {training.done} of {run.steps}")
    else:
        run.held_out.append([0, training.surprise(text)])
        print(f"Before: held out {run.held_out[0][1]:.3f}\n{training.sample(prompt)}\n")
    progress = Progress(training)
    with stopping() as stopped:
        while training.done < run.steps and not stopped:
            training.step(text)
            half = training.done == run.steps // 2
            if training.done % EVERY == 0 or training.done == run.steps:
                run.held_out.append([training.done, training.surprise(text)])
                training.keep()
            progress.show(last=half or training.done == run.steps)
            if half:
                print(f"\nHalf-way:\n{training.sample(prompt)}\n")
    if training.done < run.steps:
        training.keep()
        print(f"\nstopped after step {training.done}; the same command goes on")
        return INTERRUPTED
    save(training.folder, training.checkpoint, training.model)
    first, last = run.held_out[0][1], run.held_out[-1][1]
    print(f"\nAfter: held out {first:.3f} -> {last:.3f}\n{training.sample(prompt)}\n")
    print(f"loss by step: {curve(run)}")
    where = training.folder
    print(f"\nIt is in {where}: pixi run generate PROMPT --model {where}")
    return 0


@contextmanager
def stopping() -> Iterator[list[int]]:
    """Becomes true at Ctrl-C, so that a step is whole; at the second one it is over."""
    stopped: list[int] = []

    def note(number: int, frame: Any) -> None:
        if stopped:
            raise KeyboardInterrupt
        stopped.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)


def _prompt(text: Tokens) -> Any:
    """The first tokens of what is held out."""
    from max.experimental.tensor import Tensor

    return Tensor.from_dlpack(text.held_out[None, 1:7].copy())


if __name__ == "__main__":
    sys.exit(main())
