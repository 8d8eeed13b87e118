"""Where the time of your GPT-2 goes: its parts, compiling, and what makes it faster.

    pixi run profile --model models/austen

Each kind of part (a norm, an MLP, …) is compiled alone, timed, and counted as often as
the model has it; what a graph costs that does nothing is subtracted. What a part reads
and computes follows from its sizes; what this machine can do is measured with NumPy.
"""

import functools
import importlib
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from apps.generate import cached_model
from apps.own import use_own_files
from models.checkpoint import Checkpoint, open_checkpoint
from models.screen import in_sentences, parser, working

PROMPT = 128
"""Tokens that are read at once; the single token comes after them."""
ROUNDS = 9
"""Timed calls, after two that are not."""
BAR = 16
SHORTEST = 1e-6
"""Seconds."""


# Time


def median(call: Callable[[], Any]) -> float:
    """Seconds of a call."""
    return statistics.median(durations(call))


def overhead(parts: "Parts") -> float:
    """Seconds that a call takes whatever the graph does."""
    from max.nn.module_v3 import Module

    class Nothing(Module):
        def __call__(self, x: Any) -> Any:
            return x[:, :, :1]

    return median(parts.timed(Nothing())[1])


def durations(call: Callable[[], Any]) -> list[float]:
    found = []
    for _ in range(ROUNDS + 2):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return found[2:]


@dataclass(frozen=True)
class Machine:
    """What this machine can do: bytes a second that it reads, float32 operations a
    second of a matrix product."""

    reads: float
    computes: float

    @classmethod
    def measured(cls) -> "Machine":
        import numpy as np

        large = np.ones(50_000_000, np.float32)  # 200 MB, more than any cache
        matrix = np.ones((1536, 1536), np.float32)
        reading = min(durations(lambda: large.max()))
        computing = min(durations(lambda: matrix @ matrix))
        return cls(large.nbytes / reading, 2 * len(matrix) ** 3 / computing)

    def fastest(self, bytes_read: float, arithmetic: float) -> float:
        """Seconds that it would take at least."""
        return max(bytes_read / self.reads, arithmetic / self.computes)


# The parts


@dataclass(frozen=True)
class Part:
    """A kind of part of the model.

    Attributes:
        name: as it is shown.
        times: how often the model has it.
        weights: how many numbers one has.
        each: operations for a token: two for each number it multiplies with.
        pairs: operations for a token and one that it sees.
        prompt: reads float32 [1, T, C] or int64 [1, T], compiled.
        token: the same for one token after the prompt.
    """

    name: str
    times: int
    weights: int
    each: float
    pairs: float
    prompt: Callable[[], Any]
    token: Callable[[], Any]

    def bytes_read(self, tokens: int) -> float:
        """Weights once, whatever they are used for; a lookup reads its rows alone."""
        return 4.0 * self.times * (self.weights or 2 * self.each * tokens)

    def arithmetic(self, tokens: int, seen: int) -> float:
        return self.times * tokens * (self.each + self.pairs * seen)


class Parts:
    """The parts of a model, each compiled alone."""

    def __init__(self, model: Any, config: Any, device: Any) -> None:
        import numpy as np

        self.model, self.config, self.device = model, config, device
        self.prompt = min(PROMPT, config.n_positions - 1)
        random = np.random.default_rng(0)
        size = (1, self.prompt, config.n_embd)
        self.stream = random.standard_normal(size).astype(np.float32)
        self.ids = random.integers(0, config.vocab_size, size[:2])

    def all(self) -> list[Part]:
        c, layers = self.config.n_embd, self.config.n_layer
        inner, vocabulary = self.config.n_inner or 4 * c, self.config.vocab_size
        block, head = self.model.transformer.h[0], self.model.lm_head
        norm = self.timed(block.ln_1)
        attention = self.timed(block.attn)[0], self.one_more(block.attn)
        products = 4 * c * c, 2 * c * inner, vocabulary * c
        return [
            Part("embeddings", 1, 0, c, 0, *self.embeddings()),
            Part("norms", 2 * layers + 1, 2 * c, 8 * c, 0, *norm),
            Part("attention", layers, products[0], 2 * products[0], 4 * c, *attention),
            Part(
                "MLP", layers, products[1], 2 * products[1], 0, *self.timed(block.mlp)
            ),
            Part("head", 1, products[2], 2 * products[2], 0, *self.timed(head)),
        ]

    def timed(self, module: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
        """Calls with the prompt and with one token."""
        from max.dtype import DType
        from max.graph import TensorType

        from models.lean import lean

        shape = ("batch", "seqlen", self.config.n_embd)
        kind = TensorType(DType.float32, shape, device=self.device)
        call = lean(module.compile(kind), self.device)
        return lambda: call(self.stream), lambda: call(self.stream[:, :1])

    def embeddings(self) -> tuple[Callable[[], Any], Callable[[], Any]]:
        """The sum of both embeddings, of tokens after those that are cached."""
        from max.experimental import functional as F

        transformer = self.model.transformer

        def step(input_ids: Any, past: Any, caches: Any) -> Any:
            like = {"dtype": past.dtype, "device": input_ids.device}
            tokens = input_ids.shape[1]
            positions = F.range(0, tokens, out_dim=tokens, **like) + past
            return transformer.wte(input_ids) + transformer.wpe(positions)

        return self.stepped(step)

    def one_more(self, attention: Any) -> Callable[[], Any]:
        """The attention of one token to the cached ones."""
        attend = importlib.import_module("cache").attend
        wte = self.model.transformer.wte

        def step(input_ids: Any, past: Any, caches: Any) -> Any:
            return attend(attention, wte(input_ids), past, *caches[0])

        return self.stepped(step)[1]

    def stepped(self, step: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
        """Calls of a step with a cache for one layer: of the prompt, of a token."""
        from dataclasses import replace

        from models.caching import Caches, CompiledStep

        compiled = CompiledStep(step, self.model, replace(self.config, n_layer=1))
        empty = compiled.empty(1)
        full = Caches(empty.memory, self.prompt)
        return (
            lambda: compiled(self.ids, empty),
            lambda: compiled(self.ids[:, :1], full),
        )


# What compiling did


@dataclass
class Compiling:
    """The graphs that MAX was given: seconds for each, and those that it had."""

    seconds: list[float] = field(default_factory=list)
    cached: int = 0

    def __str__(self) -> str:
        count = len(self.seconds)
        return (
            f"Compiling: {count} graphs in {sum(self.seconds):.1f} s; MAX had "
            f"{self.cached} of them in its cache, and compiled {count - self.cached}."
        )


@contextmanager
def compiling() -> Iterator[Compiling]:
    """Notes the graphs that MAX compiles in the block.

    What MAX has in its cache it loads; a graph that it compiles keeps the processor
    busy for longer than it takes to load one.
    """
    from max.engine import InferenceSession

    found, load = Compiling(), InferenceSession.load

    @functools.wraps(load)
    def noting(*args: Any, **kwargs: Any) -> Any:
        began, busy = time.perf_counter(), time.process_time()
        model = load(*args, **kwargs)
        found.seconds.append(time.perf_counter() - began)
        found.cached += time.process_time() - busy < COMPILES
        return model

    InferenceSession.load = noting
    try:
        yield found
    finally:
        InferenceSession.load = load


COMPILES = 2.0
"""Seconds of the processor that MAX needs at least to compile a graph."""


# What changes


def variants(parts: Parts, checkpoint: Checkpoint) -> dict[str, tuple[float, float]]:
    """Ways to run the model: seconds of the prompt, and of one token after it."""
    from max.dtype import DType
    from max.graph import TensorType

    from models.lean import lean

    def whole(*shape: str | int) -> float:
        kind = TensorType(DType.int64, shape, device=parts.device)
        call = lean(parts.model.compile(kind), parts.device)
        return median(lambda: call(parts.ids))

    def cached(weights: str) -> tuple[float, float]:
        made = cached_model(checkpoint, parts.device, weights)
        _, full = made(parts.ids, made.empty(1))
        prompt = median(lambda: made(parts.ids, made.empty(1)))
        return prompt, median(lambda: made(parts.ids[:, :1], full))

    symbolic, static = whole("batch", "seqlen"), whole(1, parts.prompt)
    found = {
        "step 10: any length, all logits": (symbolic, symbolic),
        "one length, known when compiled": (static, static),
        "step 12: the cache, the last logits": cached("float32"),
    }
    if checkpoint.config["n_embd"] % 32 == 0:
        found["and weights of 4 bits (q4_0)"] = cached("q4_0")
    return found


# The screen


def show_parts(
    title: str, parts: list[Part], tokens: int, seen: int, call: float, can: Machine
) -> None:
    """``call``: seconds that each call takes besides."""
    timed = {part.name: part.prompt if tokens > 1 else part.token for part in parts}
    spent = {
        part.name: part.times * max(median(timed[part.name]) - call, SHORTEST)
        for part in parts
    }
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1))
    table.add_column("")
    for heading in ("ms", "share"):
        table.add_column(heading, justify="right")
    table.add_column("", width=BAR)
    for heading in ("MB", "GFLOP", "of what it can"):
        table.add_column(heading, justify="right")
    total = sum(spent.values())
    for part in parts:
        seconds, reads = spent[part.name], part.bytes_read(tokens)
        arithmetic = part.arithmetic(tokens, seen)
        share = seconds / total
        table.add_row(
            part.name,
            f"{1000 * seconds:.2f}",
            f"{share:.0%}",
            "█" * round(BAR * share),
            f"{reads / 1e6:.1f}",
            f"{arithmetic / 1e9:.2f}",
            f"{can.fastest(reads, arithmetic) / seconds:.0%}",
        )
    table.add_row("all", f"{1000 * total:.2f}")
    Console(width=80).print(table)
    print()


def show_variants(found: dict[str, tuple[float, float]], prompt: int) -> None:
    title = f"What changes: ms for {prompt} tokens, and for one after them"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1))
    table.add_column("")
    for heading in ("prompt", "one token", "tokens/s"):
        table.add_column(heading, justify="right")
    for name, (reading, writing) in found.items():
        times = f"{1000 * reading:.1f}", f"{1000 * writing:.1f}"
        table.add_row(name, *times, f"{1 / writing:.1f}")
    Console(width=80).print(table)
    print("Without a cache, all tokens run through the model again for each new one.\n")


@in_sentences
def main(argv: list[str] | None = None) -> int:
    """Measure and show; 0 when all was measured."""
    args = parser((__doc__ or "").partition("\n")[0], writes=False).parse_args(argv)
    print(use_own_files())
    own = importlib.import_module
    checkpoint = open_checkpoint(args.model)
    config = own("config").GPT2Config(**checkpoint.config)
    model = own("model").MaxGPT2Model(config)
    model.load_huggingface_weights(checkpoint, args.device)
    with compiling() as graphs:
        with working("Compiling the parts"):
            parts = Parts(model, config, args.device)
            found = parts.all()
            call = overhead(parts)
        can = Machine.measured()
        print(
            f"This machine reads {can.reads / 1e9:.1f} GB a second and computes "
            f"{can.computes / 1e9:.0f} GFLOP a second.\n"
            f"A call of MAX takes {1000 * call:.2f} ms besides.\n"
        )
        tokens = parts.prompt
        show_parts(f"A prompt of {tokens} tokens", found, tokens, tokens, call, can)
        show_parts(
            f"One token after {tokens}, with a cache", found, 1, tokens, call, can
        )
        with working("Compiling the whole model in other ways"):
            others = variants(parts, checkpoint)
    show_variants(others, tokens)
    print(graphs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
