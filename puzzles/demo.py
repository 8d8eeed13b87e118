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
    # Tasks 1 to 3. Load the pretrained GPT-2: `open_checkpoint(args.model)` finds it in
    # a folder, in the cache or on the hub, and gives an object with the attributes
    # `config` (a dict of the sizes, by the names of GPT2Config), `folder` and `name`,
    # and the method `state_dict()`. Create your MAX model with these sizes, and
    # transfer the weights to the CPU with `load_huggingface_weights` of step 7. Name
    # them `checkpoint` and `model`.
    raise NotImplementedError("load, build, transfer")
    # end
    with working(f"Compiling {checkpoint.name} for any length of text"):
        ids = TensorType(DType.int64, ("batch", "seqlen"), device=CPU())
        forward = model.compile(ids)
    # hole: tokenize and test
    # Tasks 4 and 5. Make the `tokenizer`, your wrapper of step 8, from the checkpoint's
    # folder (a str), and test a forward pass on PROMPT with `forward`, the compiled
    # model: text -> int64 [1, T] -> logits [1, T, V]. Print the shape of the logits and
    # the id of the most likely next token, by the last position.
    raise NotImplementedError("tokenize and test")
    # end
    # hole: write in three ways
    # Tasks 6 and 7. Create the text generator of step 9 from `forward` and the
    # tokenizer, with the model's `n_positions` as context length, and let it write
    # three times. `write` below takes a title, the generator and the keyword arguments
    # of `generate`, and times it:
    #   - greedy, which is deterministic (no sampling)
    #   - sampling with a moderate temperature, below 1
    #   - creative writing with a higher temperature, above 1
    # Pass **length on each time: it holds --max-new-tokens and --seed.
    raise NotImplementedError("write in three ways")
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
