"""What Hugging Face's GPT-2 computes: three models, layer by layer.

    python tests/course/record_parity.py      # needs PyTorch; writes data/parity.npz

``test_parity.py`` compares the solutions with a live ``GPT2LMHeadModel`` where PyTorch
is installed, and otherwise with what this script recorded. Run it again when a case
below or the bundled checkpoint changes: the test says so.

The keys of an answer are the names that GPT-2's modules have in a checkpoint
(``transformer.h.0.attn``), plus ``logits``, ``greedy`` (prompt and continuation) and
``text``.
"""

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

ROOT = Path(__file__).resolve().parents[2]
AUSTEN = ROOT / "models/austen"
RECORDING = ROOT / "tests/course/data/parity.npz"

# A greedy choice must not hang on a rounding error: with every logit within the
# tolerance, a lead of two tolerances is safe.
TOLERANCE = 1e-4
LEAD = 2 * TOLERANCE

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """A model, what it is asked, and which part of its answer is recorded.

    ``prompt`` is a text, or token ids where the model has no tokenizer. Of each output
    ``[B, T, ...]`` the last ``positions`` and every ``stride``-th channel are kept.
    """

    name: str
    sizes: dict[str, int]
    shape: tuple[int, int]
    prompt: str | tuple[int, ...]
    new_tokens: int
    seed: int = 0
    positions: int = 16
    stride: int = 1

    @cached_property
    def state(self) -> Arrays:
        """The weights in Hugging Face's names and layouts, ``lm_head`` tied."""
        bundled = self.name == "bundled"
        weights = load_file(AUSTEN / "model.safetensors") if bundled else random(self)
        return weights | {"lm_head.weight": weights["transformer.wte.weight"]}

    @property
    def input_ids(self) -> np.ndarray:
        """Random tokens, int64 [B, T]."""
        rng = np.random.default_rng(self.seed)
        return rng.integers(0, self.sizes["vocab_size"], self.shape)

    @property
    def layers(self) -> list[str]:
        """The modules whose outputs are compared, in the order in which they run."""
        parts = ("ln_1", "attn", "ln_2", "mlp")
        blocks = [f"transformer.h.{n}" for n in range(self.sizes["n_layer"])]
        inside = [f"{b}.{p}" if p else b for b in blocks for p in (*parts, "")]
        return [*inside, "transformer"]

    @property
    def fingerprint(self) -> str:
        """Changes when the case or a weight does."""
        digest = hashlib.sha256(repr(self).encode())
        for name in sorted(self.state):
            digest.update(name.encode())
            digest.update(self.state[name].ravel()[:4096].tobytes())
        return digest.hexdigest()

    def part(self, name: str, output: np.ndarray) -> np.ndarray:
        """The recorded part of an output."""
        if name in ("greedy", "text"):
            return output
        return output[:, -self.positions :, :: self.stride]


def sizes(
    vocab: int, positions: int, embd: int, layers: int, heads: int
) -> dict[str, int]:
    """The arguments of either ``GPT2Config``; epsilon is 1e-5 in both."""
    return {
        "vocab_size": vocab,
        "n_positions": positions,
        "n_embd": embd,
        "n_layer": layers,
        "n_head": heads,
        "n_inner": 4 * embd,
    }


CASES = (
    Case(
        name="tiny",
        sizes=sizes(101, 32, 24, 2, 3),
        shape=(2, 7),
        prompt=(3, 1, 4, 15, 92),
        new_tokens=20,
        seed=1,
    ),
    Case(
        name="bundled",
        sizes=sizes(2048, 256, 192, 4, 6),
        shape=(2, 12),
        prompt="It was a truth",
        new_tokens=24,
        seed=2,
        stride=4,
    ),
    Case(
        name="124M",
        sizes=sizes(50257, 1024, 768, 12, 12),
        shape=(1, 16),
        prompt=(464, 2068, 7586, 21831),
        new_tokens=6,
        seed=3,
        positions=2,
        stride=8,
    ),
)


def random(case: Case) -> Arrays:
    """Weights that hide nothing: outputs of order one, no norm or bias at its start.

    Reproducible from the seed alone, so that no file has to hold 124 million numbers.
    """
    width, layers = case.sizes["n_embd"], case.sizes["n_layer"]
    shapes: dict[str, tuple[int, ...]] = {
        "transformer.wte.weight": (case.sizes["vocab_size"], width),
        "transformer.wpe.weight": (case.sizes["n_positions"], width),
    }
    for block in (f"transformer.h.{n}" for n in range(layers)):
        for norm in ("ln_1", "ln_2"):
            shapes |= affine(f"{block}.{norm}", width)
        shapes |= affine(f"{block}.attn.c_attn", width, 3 * width)
        shapes |= affine(f"{block}.attn.c_proj", width, width)
        shapes |= affine(f"{block}.mlp.c_fc", width, 4 * width)
        shapes |= affine(f"{block}.mlp.c_proj", 4 * width, width)
    shapes |= affine("transformer.ln_f", width)
    rng = np.random.default_rng(case.seed)
    return {name: fill(rng, name, shape) for name, shape in shapes.items()}


def affine(name: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": shape[-1:]}


def fill(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """float32: matrices of order 1 / sqrt(fan in), norms near one, biases near zero."""
    values = rng.standard_normal(shape, dtype=np.float32)
    if len(shape) == 1:
        values *= np.float32(0.1)
        return values + np.float32(name.endswith("weight"))
    fan_in = shape[1] if name.endswith(("wte.weight", "wpe.weight")) else shape[0]
    values *= np.float32(1 / math.sqrt(fan_in))
    return values


def live(case: Case) -> Any:
    """The case as a ``GPT2LMHeadModel``. Needs PyTorch."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    last = case.sizes["vocab_size"] - 1
    config = GPT2Config(**case.sizes, bos_token_id=last, eos_token_id=last)
    model = GPT2LMHeadModel(config).eval()
    model.load_state_dict({k: torch.tensor(v) for k, v in case.state.items()})
    return model


def answer(case: Case, model: Any) -> Arrays:
    """Every layer's output, the greedy tokens and their text, from a live model."""
    import torch

    seen: dict[str, Any] = {}

    def tap(name: str) -> Any:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            tensor = output if torch.is_tensor(output) else output[0]
            seen[name] = tensor.numpy()

        return hook

    taps = [
        model.get_submodule(name).register_forward_hook(tap(name))
        for name in case.layers
    ]
    with torch.no_grad():
        seen["logits"] = model(torch.tensor(case.input_ids)).logits.numpy()
    for hook in taps:
        hook.remove()
    return seen | greedy(case, model)


def greedy(case: Case, model: Any) -> Arrays:
    """Prompt and continuation, as tokens and text. Refuses a choice that is close."""
    import torch

    start = tokens_of(case.prompt)
    made = model.generate(
        torch.tensor([start]),
        attention_mask=torch.ones(1, len(start), dtype=torch.int64),
        do_sample=False,
        max_new_tokens=case.new_tokens,
        output_logits=True,
        pad_token_id=model.config.eos_token_id,
        return_dict_in_generate=True,
    )
    ids = made.sequences[0].numpy()
    assert len(ids) == len(start) + case.new_tokens, "end of text: take another prompt"
    best = torch.stack(made.logits).topk(2).values
    assert (best[..., 0] - best[..., 1]).min() > LEAD, "close: take another prompt"
    return {"greedy": ids, "text": np.array(text_of(case, ids))}


def tokens_of(prompt: str | tuple[int, ...]) -> list[int]:
    return bundled_tokenizer().encode(prompt) if isinstance(prompt, str) else [*prompt]


def text_of(case: Case, ids: np.ndarray) -> str:
    """The text of tokens; where a model has no tokenizer, the ids in decimals."""
    if not isinstance(case.prompt, str):
        return as_text(ids)
    return str(bundled_tokenizer().decode(ids, clean_up_tokenization_spaces=False))


def as_text(ids: Iterable[int]) -> str:
    return " ".join(str(token) for token in ids)


def bundled_tokenizer() -> Any:
    from transformers import GPT2Tokenizer

    return GPT2Tokenizer.from_pretrained(AUSTEN)


def main() -> None:
    recording: dict[str, Any] = {}
    for case in CASES:
        answers = answer(case, live(case))
        recording[f"{case.name}/fingerprint"] = np.array(case.fingerprint)
        for name, output in answers.items():
            recording[f"{case.name}/{name}"] = case.part(name, output)
        print(f"{case.name}: {answers['text']}")
    np.savez_compressed(RECORDING, **recording)
    print(f"{RECORDING.relative_to(ROOT)}: {RECORDING.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
