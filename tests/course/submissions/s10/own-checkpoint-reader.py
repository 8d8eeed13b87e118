# right: reads config.json and the safetensors itself, a table of runs, two prompts
"""The demo as a list of steps, reading the checkpoint with safetensors itself."""
import argparse
import dataclasses
import json
import os

import generator
import numpy as np
from config import GPT2Config
from max import driver
from max.dtype import DType
from max.graph import TensorType
from model import MaxGPT2Model
from tokenizer import GPT2TokenizerWrapper

RUNS = [
    ("greedy", dict(do_sample=False)),
    ("moderate", dict(do_sample=True, temperature=0.8)),
    ("creative", dict(do_sample=True, temperature=1.3)),
]
PROMPTS = ["Once upon a time", "In the beginning"]


class Checkpoint:
    def __init__(self, folder):
        self.folder = folder

    def sizes(self):
        with open(os.path.join(self.folder, "config.json")) as file:
            found = json.load(file)
        found["n_inner"] = found.get("n_inner") or 4 * found["n_embd"]
        names = [field.name for field in dataclasses.fields(GPT2Config)]
        return {name: found[name] for name in names}

    def state_dict(self):
        from safetensors.numpy import load_file

        raw = load_file(os.path.join(self.folder, "model.safetensors"))
        raw = {k: v for k, v in raw.items() if not k.endswith((".attn.bias", ".attn.masked_bias"))}
        state = {
            k if k.startswith(("transformer.", "lm_head.")) else "transformer." + k: v
            for k, v in raw.items()
        }
        state.setdefault("lm_head.weight", state["transformer.wte.weight"])
        return state


def folder_of(name):
    if os.path.isdir(name):
        return name
    from huggingface_hub import snapshot_download

    try:
        return snapshot_download(name)
    except Exception as error:
        print(f"{name} cannot be had ({type(error).__name__}): the bundled model")
        here = os.path.dirname(os.path.abspath(__file__))
        return os.path.join(here, "..", "models", "austen")


def build(checkpoint, device):
    sizes = checkpoint.sizes()
    model = MaxGPT2Model(GPT2Config(**sizes))
    model.load_huggingface_weights(checkpoint, device)
    return model, sizes["n_positions"]


def main(argv=None) -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--model", default="openai-community/gpt2")
    options.add_argument("--max-new-tokens", type=int, default=40)
    options.add_argument("--seed", type=int, default=None)
    options = options.parse_args(argv)

    device = driver.CPU()
    checkpoint = Checkpoint(folder_of(options.model))
    model, n_positions = build(checkpoint, device)
    tokenizer = GPT2TokenizerWrapper(checkpoint.folder)
    compiled = model.compile(TensorType(DType.int64, ["batch", "seqlen"], device=device))
    out = np.from_dlpack(compiled(tokenizer.encode(PROMPTS[0])))
    best = out[0, -1].argsort()[::-1][:3]
    print(f"logits {list(out.shape)}, the three most likely tokens {best}")
    writer = generator.TextGenerator(compiled, tokenizer, context_length=n_positions)
    for name, settings in RUNS:
        for prompt in PROMPTS:
            text = writer.generate(
                prompt, max_new_tokens=options.max_new_tokens, seed=options.seed, **settings
            )
            print(f"[{name}] {text}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
