"""Tokens a second with the cache, beside transformers and CTranslate2, at 124M.

Each engine is a process of its own that holds GPT-2 small with the same random
weights. They take turns: a prompt of 64 or 512 tokens, then some greedy tokens, timed
one by one. Ratios are those of the median token. The other engines are not part of the
environment:

    uv venv others && uv pip install --python others torch transformers ctranslate2
    uv run benchmarks/decode.py --others others/bin/python

Measure on a quiet machine. ``--batch`` feeds several texts at once, MAX alone;
``--growth`` writes 900 tokens with MAX and says how the process grew; ``--sizes`` does
the four other sizes of GPT-2 instead, MAX alone.
"""

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "solutions")]

from config import GPT2Config  # noqa: E402  the course is found first
from generate import Memory, write_checkpoint  # noqa: E402

from models.checkpoint import expected  # noqa: E402

CONTEXTS = (64, 512)
STEPS = 24
OURS = ("max float32", "max q4_0")
OTHERS = ("transformers", "ctranslate2 float32", "ctranslate2 int8")
SETTLED = 10
VOCABULARY = 50257
SIZES = {
    "distilgpt2": {"n_layer": 6},
    "medium": {"n_layer": 24, "n_head": 16, "n_embd": 1024},
    "large": {"n_layer": 36, "n_head": 20, "n_embd": 1280},
    "xl": {"n_layer": 48, "n_head": 25, "n_embd": 1600},
}

Steps = Callable[[int, int, int], Iterator[None]]
"""From the lengths of prompt and continuation and the batch: one item for each token
that was made, the first by reading the prompt."""


# The engines, each in its own process


def by_max(folder: Path, weights: str) -> Steps:
    import numpy as np
    from max.driver import CPU
    from max.experimental.tensor import Tensor

    from apps.generate import cached_model
    from models.checkpoint import open_checkpoint

    model = cached_model(open_checkpoint(str(folder)), CPU(), weights)

    def steps(context: int, tokens: int, batch: int) -> Iterator[None]:
        ids = prompt(context, batch)
        caches = model.empty(batch)
        for _ in range(tokens):
            logits, caches = model(Tensor.from_dlpack(ids), caches)
            ids = np.from_dlpack(logits).argmax(-1)[:, None]
            yield

    return steps


def by_transformers(folder: Path, _: str) -> Steps:
    import torch
    from transformers import GPT2LMHeadModel

    model = GPT2LMHeadModel.from_pretrained(folder).eval()

    def steps(context: int, tokens: int, batch: int) -> Iterator[None]:
        ids, past = torch.from_numpy(prompt(context, batch)), None
        for _ in range(tokens):
            with torch.inference_mode():
                answer = model(
                    ids, past_key_values=past, use_cache=True, logits_to_keep=1
                )
            past, ids = answer.past_key_values, answer.logits[:, -1].argmax(-1)[:, None]
            yield

    return steps


def by_ctranslate2(folder: Path, kind: str) -> Steps:
    import ctranslate2

    converted = folder / "ctranslate2"
    if not converted.exists():
        ctranslate2.converters.TransformersConverter(str(folder)).convert(
            str(converted)
        )
    model = ctranslate2.Generator(str(converted), compute_type=kind)

    def steps(context: int, tokens: int, batch: int) -> Iterator[None]:
        words = [f"t{each}" for each in prompt(context, 1)[0]]
        options = {"sampling_topk": 1, "max_length": tokens, "min_length": tokens}
        for _ in model.generate_tokens(words, **options):
            yield

    return steps


def prompt(context: int, batch: int) -> Any:
    """Random ids, int64 [B, T]."""
    import numpy as np

    rng = np.random.default_rng(context)
    return rng.integers(0, VOCABULARY - 1, (batch, context))


ENGINES = {
    "max": by_max,
    "transformers": by_transformers,
    "ctranslate2": by_ctranslate2,
}


def serve(engine: str, folder: Path) -> None:
    """Answer each line, [context, tokens, batch], with the milliseconds of the tokens
    after the first, and with the megabytes that the process holds."""
    name, _, kind = engine.partition(" ")
    steps = ENGINES[name](folder, kind)
    print(json.dumps({"ready": Memory().now()}), flush=True)
    for line in sys.stdin:
        memory, moments = [], []
        for _ in steps(*json.loads(line)):
            moments.append(time.perf_counter())
            memory.append(Memory().now())
        spent = [1000 * (after - before) for before, after in pairwise(moments)]
        print(json.dumps({"ms": spent, "memory": memory}), flush=True)


class Engine:
    """A process that serves."""

    def __init__(self, name: str, python: str, folder: Path) -> None:
        self.name = name
        self.process = subprocess.Popen(
            [python, __file__, "--serve", name, "--folder", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        began = time.perf_counter()
        self.loaded_mb = self.read()["ready"]
        self.seconds = time.perf_counter() - began

    def read(self) -> Any:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError(f"{self.name} ended: {self.process.wait()}")

    def ask(self, context: int, tokens: int, batch: int = 1) -> Any:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([context, tokens, batch]) + "\n")
        self.process.stdin.flush()
        return self.read()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


# The report


def table(engines: list[Engine], rounds: int) -> None:
    """Interleaved: each engine in turn, round after round."""
    for context in CONTEXTS:
        spent: dict[str, list[float]] = {each.name: [] for each in engines}
        for number in range(rounds + 1):
            for each in engines:
                found = each.ask(context, STEPS)["ms"]
                if number:  # the first round warms up
                    spent[each.name] += found
        print(f"\nafter {context} tokens   smallest   median   tokens/s")
        medians = {name: statistics.median(ms) for name, ms in spent.items()}
        for name, ms in spent.items():
            print(
                f"{name:22}{min(ms):7.1f}{medians[name]:9.1f}"
                f"{1000 / medians[name]:11.1f}"
            )
        ratios(medians)


def ratios(medians: dict[str, float]) -> None:
    for ours, theirs in (
        ("max float32", "transformers"),
        ("max float32", "ctranslate2 float32"),
        ("max q4_0", "ctranslate2 int8"),
    ):
        if ours in medians and theirs in medians:
            ratio = medians[theirs] / medians[ours]
            print(f"{ours} is {ratio:.2f} × as fast as {theirs}")


def batches(engine: Engine) -> None:
    print("\ntexts at once   ms a step   tokens/s")
    for batch in (1, 4, 8):
        engine.ask(64, 4, batch)
        ms = statistics.median(engine.ask(64, STEPS, batch)["ms"])
        print(f"{batch:13}{ms:12.1f}{1000 * batch / ms:11.1f}")


def growth(engine: Engine) -> None:
    memory = engine.ask(64, 900)["memory"]
    grown = max(memory[SETTLED:]) - memory[SETTLED]
    print(f"\n{engine.name} grew by {grown:.1f} MB in 900 tokens, to {memory[-1]:.0f}")


def other_sizes(folder: Path) -> None:
    """The second start, with the graph in MAX's cache."""
    print("\nmodel      parameters   start, s   ms a token   tokens/s   MB")
    for name, sizes in SIZES.items():
        write_checkpoint(folder, **sizes)
        millions = sum(
            math.prod(shape)
            for tensor, shape in expected({**vars(GPT2Config()), **sizes}).items()
            if tensor != "lm_head.weight"
        )
        for start in (1, 2):
            engine = Engine(OURS[0], sys.executable, folder)
            if start == 2:
                engine.ask(64, 4)
                found = engine.ask(64, STEPS)
                ms = statistics.median(found["ms"])
                print(
                    f"{name:11}{millions / 1e6:10.0f}{engine.seconds:11.1f}{ms:13.1f}"
                    f"{1000 / ms:11.1f}{max(found['memory']):5.0f}",
                    flush=True,
                )
            engine.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--others", metavar="PYTHON", help="has the other engines")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engines", nargs="+", default=[*OURS, *OTHERS])
    parser.add_argument("--batch", action="store_true")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--sizes", action="store_true")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.folder)
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.sizes:
            other_sizes(folder)
            return 0
        write_checkpoint(folder)
        names = [n for n in args.engines if n in OURS or args.others]
        pythons = [sys.executable if n in OURS else args.others for n in names]
        engines = [Engine(*pair, folder) for pair in zip(names, pythons, strict=True)]
        try:
            table(engines, args.rounds)
            for each in (e for e in engines if e.name in OURS):
                if args.batch:
                    batches(each)
                if args.growth:
                    growth(each)
        finally:
            for each in engines:
                each.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
