"""Text from your GPT-2, as it comes: with the cache of step 12 and the sampler of 11.

    pixi run generate "It is a truth" --top-k 40 --model models/austen

The text goes to standard output, everything else to standard error.
"""

import argparse
import contextlib
import importlib
import sys
import time
from typing import Any

from apps.own import use_own_files
from models.checkpoint import Checkpoint, open_checkpoint
from models.screen import in_sentences, parser, working

HALF_A_LETTER = "\N{REPLACEMENT CHARACTER}"


class Streaming:
    """A sampler that shows the text as it grows.

    A letter can be two tokens: what ends in half of one waits for the rest.
    """

    def __init__(self, sampler: Any, tokenizer: Any, prompt: str) -> None:
        self.sampler = sampler
        self.tokenizer = tokenizer
        self.shown = prompt
        self.tokens = 0
        self.began = 0.0

    def __call__(self, logits: Any, ids: Any) -> int:
        import numpy as np
        from max.experimental.tensor import Tensor

        self.began = self.began or time.perf_counter()  # the prompt has been read
        token = int(self.sampler(logits, ids))
        self.tokens += 1
        so_far = np.append(np.ravel(ids), token).astype(np.int64)
        self.show(self.tokenizer.decode(Tensor.from_dlpack(so_far[None])))
        return token

    def show(self, text: str, *, last: bool = False) -> None:
        ready = text if last else text.rstrip(HALF_A_LETTER)
        if ready.startswith(self.shown):
            print(ready[len(self.shown) :], end="", flush=True)
            self.shown = ready

    @property
    def speed(self) -> str:
        """Tokens after the first, which reading the prompt has given."""
        seconds = time.perf_counter() - self.began
        if self.tokens < 2:
            return f"{self.tokens} tokens"
        return f"{self.tokens} tokens, {(self.tokens - 1) / seconds:.1f} tokens/s"


def arguments() -> argparse.ArgumentParser:
    made = parser((__doc__ or "").partition("\n")[0])
    add = made.add_argument
    add("prompt", metavar="PROMPT")
    add("--temperature", type=float, default=0.8, metavar="T", help="0 is greedy")
    add("--top-k", type=int, metavar="K", help="draw from the K most probable tokens")
    add("--top-p", type=float, metavar="P", help="draw from the fewest that have P")
    add("--penalty", type=float, default=1.0, metavar="X", help="of repetition")
    add("--weights", choices=["float32", "q4_0"], default="float32")
    return made


def cached_model(checkpoint: Checkpoint, device: Any, weights: str) -> Any:
    """A CachedGPT2 with the checkpoint's weights, compiled."""
    own = importlib.import_module
    config = own("config").GPT2Config(**checkpoint.config)
    model = own("model").MaxGPT2Model(config)
    if weights == "q4_0":
        from models.quantized import load_packed

        load_packed(model, checkpoint)
    else:
        model.load_huggingface_weights(checkpoint, device)
    return own("cache").CachedGPT2(model, config)


@in_sentences
def main(argv: list[str] | None = None) -> int:
    """Write; 0 when all was written."""
    options = arguments()
    args = options.parse_args(argv)
    if not args.prompt:
        options.error("PROMPT is empty: give it a word to begin with")
    with contextlib.redirect_stdout(sys.stderr):
        print(use_own_files())
        try:
            sampler = importlib.import_module("sampling").Sampler(
                temperature=args.temperature,
                top_k=args.top_k,
                top_p=args.top_p,
                penalty=args.penalty,
                seed=args.seed,
            )
        except ValueError as error:
            options.error(str(error))
        checkpoint = open_checkpoint(args.model)
        with working(f"Compiling {checkpoint.name}"):
            model = cached_model(checkpoint, args.device, args.weights)
            kind = importlib.import_module("tokenizer").GPT2TokenizerWrapper
            tokenizer = kind(str(checkpoint.folder))
    generator = importlib.import_module("cache").CachedGenerator(
        model, tokenizer, context_length=checkpoint.config["n_positions"]
    )
    print(args.prompt, end="", flush=True)
    streaming = Streaming(sampler, tokenizer, args.prompt)
    text = generator.generate(
        args.prompt, max_new_tokens=args.max_new_tokens, sampler=streaming
    )
    streaming.show(text, last=True)
    print()
    print(f"({streaming.speed})", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
