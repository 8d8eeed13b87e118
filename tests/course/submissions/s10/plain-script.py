# right: one straight function
import argparse
import sys
from pathlib import Path

import numpy as np
from max.driver import CPU
from max.dtype import DType
from max.graph import TensorType

sys.path.append(str(Path(__file__).resolve().parents[1]))

from config import GPT2Config
from generator import TextGenerator
from model import MaxGPT2Model
from models.checkpoint import DEFAULT, open_checkpoint
from tokenizer import GPT2TokenizerWrapper


def main(argv=None):
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default=DEFAULT)
    parser.add_argument("--max-new-tokens", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)

    device = CPU()
    print(f"Loading {args.model}")
    hf_model = open_checkpoint(args.model)
    config = GPT2Config(**hf_model.config)
    model = MaxGPT2Model(config)
    model.load_huggingface_weights(hf_model, device)
    print("Weights loaded")

    tokenizer = GPT2TokenizerWrapper(str(hf_model.folder), device=device)
    print("Compiling")
    forward = model.compile(TensorType(DType.int64, ("batch", "seqlen"), device=device))

    tokens = tokenizer.encode("Hello world")
    logits = np.from_dlpack(forward(tokens))
    print("Forward pass:", logits.shape, "next:", int(logits[0, -1].argmax()))

    generator = TextGenerator(forward, tokenizer, context_length=config.n_positions)
    prompt = "The old house"
    n, seed = args.max_new_tokens, args.seed
    print("Greedy:")
    print(generator.generate(prompt, max_new_tokens=n, do_sample=False))
    print("Sampling, temperature 0.7:")
    print(generator.generate(prompt, max_new_tokens=n, temperature=0.7, seed=seed))
    print("Creative, temperature 1.2:")
    print(generator.generate(prompt, max_new_tokens=n, temperature=1.2, seed=seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
