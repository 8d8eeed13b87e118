"""Step 10: the demo, the whole pipeline from a checkpoint to text.

Load the pretrained weights, build the model of steps 1 to 7, transfer the weights, test
a forward pass, and let the generator of step 9 write in three ways. Why compile first:
eagerly, MAX makes a graph for each length of text, which takes seconds per token. The
graph that is compiled here has names for the sizes ("seqlen") and serves any length.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    print("Starting MAX …", flush=True)

import numpy as np
from max.dtype import DType
from max.graph import TensorType

sys.path.append(str(Path(__file__).resolve().parents[1]))  # for models/
from config import GPT2Config
from generator import TextGenerator
from model import MaxGPT2Model
from models.checkpoint import open_checkpoint
from models.lean import lean
from models.screen import in_sentences, parser, working, write
from tokenizer import GPT2TokenizerWrapper

PROMPT = "She had always been told that"


@in_sentences
def main(argv: list[str] | None = None) -> int:
    """Run the demo; 0 when all of it ran."""
    args = parser("Generate text with GPT-2 on MAX.").parse_args(argv)
    length = {"max_new_tokens": args.max_new_tokens, "seed": args.seed}
    # hole: load, build, transfer
    # Tasks 1 to 3: load the pretrained GPT-2, create your MAX model, transfer the
    # weights.
    #
    # `open_checkpoint(args.model)` finds the pretrained one in a folder, in the cache
    # or on the hub. The result has a method `state_dict()` and the attributes `config`
    # (a dict of the sizes, like {"n_layer": 12, ...}), `folder` and `name`. The model
    # gets the same sizes, and takes the weights with `load_huggingface_weights` of step
    # 7 onto `args.device`. Call the two `checkpoint` and `model`; the lines below use
    # them.
    raise NotImplementedError("load, build, transfer")
    # end
    with working(f"Compiling {checkpoint.name} for any length of text"):
        ids = TensorType(DType.int64, ("batch", "seqlen"), device=args.device)
        forward = lean(model.compile(ids), args.device)  # it frees old logits
    # hole: tokenize and test
    # Tasks 4 and 5. Initialize `tokenizer`, your wrapper of step 8, from the
    # checkpoint's folder (as a str), and test a forward pass on PROMPT with `forward`,
    # the compiled model: text -> int64 [1, T] -> logits [1, T, V]. Print the shape of
    # the logits and the id of the most likely next token, which the last position
    # predicts.
    #
    # The checker reads this line: it must contain the shape and the id, for example
    # Forward pass: logits (1, 6, 2048), next token 257
    raise NotImplementedError("tokenize and test")
    # end
    # hole: write in three ways
    # Tasks 6 and 7. Create the text generator of step 9 from `forward` and the
    # tokenizer, with the model's `n_positions` as its context length. Then run it three
    # times:
    #   - greedy generation, which is deterministic (no sampling)
    #   - sampling with a moderate temperature, below 1
    #   - creative writing with a higher temperature, above 1
    # `write` generates a text, prints it and times it: it takes a title, the generator,
    # PROMPT, and the keyword arguments of `generate`. Pass **length each time, which
    # holds --max-new-tokens and --seed.
    raise NotImplementedError("write in three ways")
    # end
    return 0


if __name__ == "__main__":
    sys.exit(main())
