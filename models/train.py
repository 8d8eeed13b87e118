# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#     "matplotlib>=3.9",
#     "numpy>=2.3.3,<3",
#     "safetensors>=0.4.3",
#     "tokenizers>=0.22",
#     "torch==2.13.*",
#     "transformers>=4.57.0,<5",
# ]
# ///
"""Train the bundled GPT-2 on Jane Austen's six novels.

    uv run models/train.py                  # half an hour on two quiet cores
    uv run models/train.py --evaluate       # bits per character of the trained model

The course does not run this file; it is here so that every number in ``models/austen``
can be reproduced. It uses PyTorch, which the course does not, so it has a separate
environment (the block above; ``uv run`` reads it).

The last 5 % of each novel are never trained on, neither by the model nor by the
tokenizer. The measure is bits per character on them: comparable across tokenizers.
"""

import argparse
import csv
import json
import math
import time
from pathlib import Path

import matplotlib
import numpy as np
import torch
from tokenizers import ByteLevelBPETokenizer
from transformers import GPT2Config, GPT2LMHeadModel

matplotlib.use("Agg")
from matplotlib import pyplot

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus"
MODEL = HERE / "austen"
CURVE = HERE / "curve.csv"

SEED = 1775  # the year Jane Austen was born
END_OF_TEXT = "<|endoftext|>"
VOCABULARY = 2048
CONTEXT = 256
BATCH = 8
STEPS = 6000
WARM_UP = 100
PEAK_LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.1
DROPOUT = 0.1
HELD_OUT = 0.05
EVALUATE_EVERY = 250


def novels() -> dict[str, tuple[str, str]]:
    """Name -> (training text, held-out text), cut at the last 5 % of the characters."""
    split = {}
    for path in sorted(CORPUS.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        cut = len(text) - int(len(text) * HELD_OUT)
        split[path.stem] = text[:cut], text[cut:]
    return split


def train_tokenizer(texts: list[str]) -> ByteLevelBPETokenizer:
    """Byte-level BPE as in GPT-2 (its section 2.2), the end-of-text token last."""
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(texts, vocab_size=VOCABULARY - 1, show_progress=False)
    MODEL.mkdir(exist_ok=True)
    tokenizer.save_model(str(MODEL))
    vocabulary = json.loads((MODEL / "vocab.json").read_text(encoding="utf-8"))
    vocabulary[END_OF_TEXT] = len(vocabulary)
    assert len(vocabulary) == VOCABULARY
    (MODEL / "vocab.json").write_text(
        json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8"
    )
    return load_tokenizer()


def load_tokenizer() -> ByteLevelBPETokenizer:
    return ByteLevelBPETokenizer.from_file(
        str(MODEL / "vocab.json"), str(MODEL / "merges.txt")
    )


def new_model() -> GPT2LMHeadModel:
    config = GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=CONTEXT,
        n_embd=192,
        n_layer=4,
        n_head=6,
        n_inner=768,
        resid_pdrop=DROPOUT,
        embd_pdrop=DROPOUT,
        attn_pdrop=0.0,
        bos_token_id=VOCABULARY - 1,
        eos_token_id=VOCABULARY - 1,
    )
    return GPT2LMHeadModel(config)


def learning_rate(step: int) -> float:
    """Linear warm-up, then a half cosine to zero."""
    if step < WARM_UP:
        return PEAK_LEARNING_RATE * (step + 1) / WARM_UP
    progress = (step - WARM_UP) / (STEPS - WARM_UP)
    return PEAK_LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * progress))


def optimizer_for(model: GPT2LMHeadModel) -> torch.optim.AdamW:
    """AdamW; matrices decay, vectors (biases, norms) do not."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": WEIGHT_DECAY},
            {"params": vectors, "weight_decay": 0.0},
        ],
        lr=PEAK_LEARNING_RATE,
        betas=(0.9, 0.95),
    )


@torch.no_grad()
def bits_per_character(
    model: GPT2LMHeadModel, tokenizer: ByteLevelBPETokenizer, text: str
) -> float:
    """Windows of CONTEXT tokens, half overlapping: every token but those of the first
    window is predicted from at least CONTEXT / 2 tokens before it. The text is read
    after an end-of-text token, so that its first token counts as well."""
    model.eval()
    ids = torch.tensor([VOCABULARY - 1, *tokenizer.encode(text).ids])
    stride = CONTEXT // 2
    total, scored = 0.0, 1  # the first target is position 1
    while scored < len(ids):
        end = min(len(ids), max(CONTEXT + 1, scored + stride))
        begin = max(0, end - CONTEXT - 1)
        window = ids[begin:end]
        logits = model(window[None, :-1]).logits[0].float()
        losses = torch.nn.functional.cross_entropy(logits, window[1:], reduction="none")
        total += losses[scored - begin - 1 :].sum().item()
        scored = end
    model.train()
    return total / math.log(2) / len(text)


def evaluate(model: GPT2LMHeadModel, tokenizer: ByteLevelBPETokenizer) -> float:
    """Bits per character over the held-out ends of all six novels; prints each."""
    bits, characters = 0.0, 0
    for name, (_, held_out) in novels().items():
        value = bits_per_character(model, tokenizer, held_out)
        print(f"  {name:16} {value:.3f} bits per character", flush=True)
        bits += value * len(held_out)
        characters += len(held_out)
    print(f"  {'all six':16} {bits / characters:.3f}", flush=True)
    return bits / characters


def draw_curve(rows: list[tuple[int, float, float]]) -> None:
    steps, training, held_out = zip(*rows, strict=True)
    title = "held out: last 5 % of each novel"
    figure, axes = pyplot.subplots(figsize=(7, 4))
    axes.plot(steps, training, label="training batches", color="#8fb8de")
    axes.plot(steps, held_out, label=title, color="#1f4e79")
    axes.axhline(1.5, color="grey", linestyle=":", label="1.50")
    axes.set(xlabel="steps of 8 × 256 tokens", ylabel="bits per character")
    axes.set_ylim(1.0, 3.0)
    axes.legend()
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(HERE / "curve.png", dpi=120)


def train() -> None:
    torch.manual_seed(SEED)
    generator = np.random.default_rng(SEED)
    texts = [training for training, _ in novels().values()]
    tokenizer = train_tokenizer(texts)
    encoded = [[VOCABULARY - 1, *tokenizer.encode(text).ids] for text in texts]
    ids = torch.tensor([i for novel in encoded for i in novel])
    characters_per_token = sum(map(len, texts)) / len(ids)
    print(f"{len(ids)} training tokens, {characters_per_token:.2f} characters each")

    model = new_model()
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    optimizer = optimizer_for(model)
    held_out = "".join(end for _, end in novels().values())
    rows: list[tuple[int, float, float]] = []
    recent, began = [], time.monotonic()
    model.train()
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step)
        starts = generator.integers(0, len(ids) - CONTEXT - 1, BATCH)
        batch = torch.stack([ids[s : s + CONTEXT + 1] for s in starts])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(batch[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(
            logits.float().flatten(0, 1), batch[:, 1:].flatten()
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        recent.append(loss.item() / math.log(2) / characters_per_token)
        if (step + 1) % EVALUATE_EVERY == 0:
            value = bits_per_character(model, tokenizer, held_out)
            rows.append((step + 1, sum(recent) / len(recent), value))
            recent = []
            minutes = (time.monotonic() - began) / 60
            shown = f"{step + 1:5} {rows[-1][1]:.3f} {value:.3f} {minutes:.1f} min"
            print(shown, flush=True)
            save(model)
    with CURVE.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("step", "training", "held_out"))
        writer.writerows((s, f"{a:.4f}", f"{b:.4f}") for s, a, b in rows)
    draw_curve(rows)
    evaluate(model, tokenizer)


def save(model: GPT2LMHeadModel) -> None:
    model.save_pretrained(MODEL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--evaluate", action="store_true", help="measure, do not train")
    if parser.parse_args().evaluate:
        evaluate(GPT2LMHeadModel.from_pretrained(MODEL), load_tokenizer())
    else:
        train()


if __name__ == "__main__":
    main()
