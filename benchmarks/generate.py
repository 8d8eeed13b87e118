"""Is the generator fit for the real size? GPT-2 124M with random weights.

Generates with the reference's generator and a compiled, lean model. Reports how much
the process grows after the first ten tokens, how many graphs are compiled after the
first token, and the time per token at several lengths of context, beside transformers
on PyTorch. PyTorch is not part of the environment: name an interpreter that has it.

    python benchmarks/generate.py [--tokens N] [--pytorch PYTHON] [--full]

Exit status 1 when the process grows by more than 100 MB or compiles again.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "solutions")]

CONTEXTS = (16, 64, 256, 1024)
SETTLED = 10  # tokens until which the process may take what it needs
LIMIT = 100.0  # MB
MB = 1e6


# The checkpoint


def write_checkpoint(folder: Path, **other: int) -> None:
    """GPT-2 small, or with other sizes, in the hub's layout, with random weights of the
    usual scale."""
    import numpy as np
    from config import GPT2Config
    from safetensors.numpy import save_file

    from models.checkpoint import expected

    sizes = {**vars(GPT2Config()), **other}
    rng = np.random.default_rng(0)
    tensors = {}
    for name, shape in expected(sizes).items():
        scale = np.float32(0.02)
        values = rng.standard_normal(shape, dtype=np.float32) * scale
        is_norm = ".ln_" in name and name.endswith("weight")
        tensors[name.removeprefix("transformer.")] = values + is_norm
    del tensors["lm_head.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = {**sizes, "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "vocab.json").write_text("{}")  # the ids are not turned into text
    (folder / "merges.txt").write_text("")


class Numbers:
    """A tokenizer for ids written as numbers."""

    def encode(self, text: str) -> Any:
        import numpy as np
        from max.experimental.tensor import Tensor

        ids = [int(word) for word in text.split()]
        return Tensor.from_dlpack(np.array([ids], dtype=np.int64))

    def decode(self, tokens: Any) -> str:
        import numpy as np

        return " ".join(map(str, np.from_dlpack(tokens).reshape(-1).tolist()))


# What is measured


class Memory:
    """Samples the resident size of the process in another thread."""

    def __init__(self) -> None:
        import psutil

        self._process = psutil.Process()
        self.peak = 0.0

    def now(self) -> float:
        return self._process.memory_info().rss / MB

    def reset(self) -> float:
        self.peak = self.now()
        return self.peak

    @contextmanager
    def watched(self) -> Iterator[None]:
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.02):
                self.peak = max(self.peak, self.now())

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        yield
        done.set()
        thread.join()


@contextmanager
def counted_compiles() -> Iterator[list[float]]:
    """The moments at which MAX was given a graph to compile."""
    from max.engine import InferenceSession

    moments: list[float] = []
    load = InferenceSession.load

    def counting(*args: Any, **kwargs: Any) -> Any:
        moments.append(time.perf_counter())
        return load(*args, **kwargs)

    InferenceSession.load = counting
    try:
        yield moments
    finally:
        InferenceSession.load = load


def compiled_model(folder: Path, full: bool) -> Callable[[Any], Any]:
    """GPT-2 with the logits of the last position alone: int64 [1, T] -> [1, 1, V].

    A generator reads no other. To compute them all, as with ``full`` and in the demo,
    takes up to 40 % longer and, at 1000 tokens, 200 MB of memory for each new one.
    """
    from config import GPT2Config
    from max.driver import CPU
    from max.dtype import DType
    from max.experimental import functional as F
    from max.graph import TensorType
    from max.nn.module_v3 import Module
    from model import MaxGPT2Model

    from models.checkpoint import open_checkpoint
    from models.lean import lean

    class NextToken(Module):
        def __init__(self, model: MaxGPT2Model) -> None:
            self.model = model

        def __call__(self, input_ids: Any) -> Any:
            hidden_states = self.model.transformer(input_ids)  # [1, T] -> [1, T, C]
            last = F.unsqueeze(hidden_states[:, -1], 1)  # [1, T, C] -> [1, 1, C]
            return self.model.lm_head(last)  # [1, 1, C] -> [1, 1, V]

    checkpoint = open_checkpoint(str(folder))
    model = MaxGPT2Model(GPT2Config(**checkpoint.config))
    model.load_huggingface_weights(checkpoint, CPU())
    ids = TensorType(DType.int64, ("batch", "seqlen"), device=CPU())
    return lean((model if full else NextToken(model)).compile(ids))


def generate(forward: Callable[[Any], Any], tokens: int) -> dict[str, float]:
    """Generate, and say how the process grew after the first tokens."""
    from generator import TextGenerator

    memory = Memory()
    resident: list[float] = []
    began: list[float] = []

    def watched_forward(input_ids: Any) -> Any:
        resident.append(memory.now())
        began.append(time.perf_counter())
        if len(began) == SETTLED + 1:
            memory.reset()
        return forward(input_ids)

    generator = TextGenerator(watched_forward, Numbers())
    with counted_compiles() as compiles, memory.watched():
        generator.generate("11 22 33 44", max_new_tokens=tokens, seed=0)
        seconds = time.perf_counter() - began[0]
    resident.append(memory.now())
    return {
        "tokens": tokens,
        "seconds": seconds,
        "growth": max(resident[SETTLED:]) - resident[SETTLED],
        "growth at its peak": memory.peak - resident[SETTLED],
        "compiled": sum(moment > began[1] for moment in compiles),
        "resident": resident[-1],
    }


def times(ask: Callable[[Any], Any]) -> dict[int, float]:
    """Milliseconds for a token after so many, the median of several."""
    import numpy as np

    rng = np.random.default_rng(0)
    medians = {}
    for context in CONTEXTS:
        ids = rng.integers(0, 50257, (1, context))
        repeats = []
        for _ in range(3 if context > 500 else 7):
            started = time.perf_counter()
            np.from_dlpack(ask(ids))
            repeats.append(1000 * (time.perf_counter() - started))
        medians[context] = statistics.median(repeats[1:])
    return medians


def pytorch_times(folder: Path) -> dict[int, float]:
    """The same by transformers: no cache, and the last position's logits only."""
    import torch
    from transformers import GPT2LMHeadModel

    model = GPT2LMHeadModel.from_pretrained(folder).eval()

    @torch.no_grad()
    def ask(ids: Any) -> Any:
        return model(torch.from_numpy(ids), use_cache=False, logits_to_keep=1).logits

    return times(ask)


def ask_pytorch(python: str, folder: Path) -> dict[int, float] | None:
    """``pytorch_times`` by an interpreter; None where it has no PyTorch."""
    command = [python, __file__, "--pytorch-times", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return {int(k): v for k, v in json.loads(done.stdout.splitlines()[-1]).items()}


# The report


def report(result: dict[str, float], ours: dict[int, float], theirs: Any) -> None:
    speed = result["tokens"] / result["seconds"]
    print(f"\ngenerated {result['tokens']:.0f} tokens, {speed:.2f} a second")
    print(f"  resident at the end             {result['resident']:8.0f} MB")
    print(f"  growth after {SETTLED} tokens          {result['growth']:8.1f} MB")
    print(f"  growth, at the peak of a token  {result['growth at its peak']:8.1f} MB")
    print(f"  compiled after the first token  {result['compiled']:8.0f}")
    print("\ncontext   MAX, ms a token   PyTorch   MAX / PyTorch")
    for context, ms in ours.items():
        other = theirs and theirs[context]
        beside = f"{other:9.0f} {ms / other:15.2f}" if other else "        –"
        print(f"{context:7} {ms:17.0f} {beside}")
    if theirs is None:
        print("No PyTorch here; --pytorch names an interpreter that has it.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=900)
    parser.add_argument("--pytorch", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--full", action="store_true", help="logits of all positions")
    parser.add_argument("--pytorch-times", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.pytorch_times:
        print(json.dumps(pytorch_times(args.pytorch_times)))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_checkpoint(folder)
        theirs = ask_pytorch(args.pytorch, folder)
        print("compiling GPT-2 124M …", flush=True)
        started = time.perf_counter()
        forward = compiled_model(folder, args.full)
        print(f"compiled in {time.perf_counter() - started:.1f} s", flush=True)
    result = generate(forward, args.tokens)
    report(result, times(forward), theirs)
    return int(result["growth"] > LIMIT or result["compiled"] > 0)


if __name__ == "__main__":
    sys.exit(main())
