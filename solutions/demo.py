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
    checkpoint = open_checkpoint(args.model)
    model = MaxGPT2Model(GPT2Config(**checkpoint.config))
    model.load_huggingface_weights(checkpoint, args.device)
    # end
    with working(f"Compiling {checkpoint.name} for any length of text"):
        ids = TensorType(DType.int64, ("batch", "seqlen"), device=args.device)
        forward = lean(model.compile(ids), args.device)  # it frees old logits
    # hole: tokenize and test
    tokenizer = GPT2TokenizerWrapper(str(checkpoint.folder))
    logits = np.from_dlpack(forward(tokenizer.encode(PROMPT)))  # [1, T] -> [1, T, V]
    print(f"Forward pass: logits {logits.shape}, next token {logits[0, -1].argmax()}")
    # end
    # hole: write in three ways
    context_length = checkpoint.config["n_positions"]
    generator = TextGenerator(forward, tokenizer, context_length=context_length)
    write("Greedy", generator, PROMPT, do_sample=False, **length)
    write("Moderate, temperature 0.7", generator, PROMPT, temperature=0.7, **length)
    write("Creative, temperature 1.2", generator, PROMPT, temperature=1.2, **length)
    # end
    return 0


if __name__ == "__main__":
    sys.exit(main())
