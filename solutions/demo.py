"""Step 10: the demo, all of the pipeline from a checkpoint to text.

Load the pretrained weights, build the model of steps 1 to 7 and give it the weights,
compile it once, test a forward pass, and let the generator of step 9 write: greedy,
with moderate temperature, and creatively with a high one.

`python puzzles/demo.py` runs your own files, `python solutions/demo.py` the reference.
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    print("Starting MAX …", flush=True)

import numpy as np
from max.driver import CPU
from max.dtype import DType
from max.graph import TensorType

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for models/

from config import GPT2Config
from generator import TextGenerator
from model import MaxGPT2Model
from models.checkpoint import DEFAULT, open_checkpoint
from models.screen import in_sentences, working
from tokenizer import GPT2TokenizerWrapper

PROMPT = "She had always been told that"


@in_sentences
def main(argv: list[str] | None = None) -> int:
    """Run the demo; 0 when all of it ran."""
    args = arguments().parse_args(argv)
    length = {"max_new_tokens": args.max_new_tokens, "seed": args.seed}
    # hole: load, build, transfer
    checkpoint = open_checkpoint(args.model)
    model = MaxGPT2Model(GPT2Config(**checkpoint.config))
    model.load_huggingface_weights(checkpoint, CPU())
    # end
    with working(f"Compiling {checkpoint.name} for any length of text"):
        ids = TensorType(DType.int64, ("batch", "seqlen"), device=CPU())
        forward = model.compile(ids)
    # hole: tokenize and test
    tokenizer = GPT2TokenizerWrapper(str(checkpoint.folder))
    logits = np.from_dlpack(forward(tokenizer.encode(PROMPT)))  # [1, T] -> [1, T, V]
    print(f"Forward pass: logits {logits.shape}, next token {logits[0, -1].argmax()}")
    # end
    # hole: write in three ways
    context_length = checkpoint.config["n_positions"]
    generator = TextGenerator(forward, tokenizer, context_length=context_length)
    write("Greedy", generator, do_sample=False, **length)
    write("Moderate, temperature 0.7", generator, temperature=0.7, **length)
    write("Creative, temperature 1.2", generator, temperature=1.2, **length)
    # end
    return 0


def write(title: str, generator: TextGenerator, **settings: Any) -> None:
    """Let the generator continue the prompt, and say how fast it was."""
    print(f"\n{title}", flush=True)
    started = time.perf_counter()
    text = generator.generate(PROMPT, **settings)
    seconds = time.perf_counter() - started
    tokens = settings["max_new_tokens"]
    print(
        f"{text}\n({tokens} tokens in {seconds:.1f} s, {tokens / seconds:.1f} tokens/s)"
    )


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Generate text with GPT-2 on MAX.")
    parser.add_argument(
        "--model", default=DEFAULT, help="a folder, or a name on the hub"
    )
    parser.add_argument("--max-new-tokens", type=count, default=50, metavar="N")
    parser.add_argument("--seed", type=count, default=0, metavar="N")
    return parser


def count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 0 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
