"""Print the configuration of Hugging Face's GPT-2, for step 1.

It comes from the hub or the local cache. If neither answers in time, the defaults of
transformers are printed: its GPT2Config() is GPT-2 small.
"""

import os
import threading
import time
from pathlib import Path
from typing import Any

from models.checkpoint import DEFAULT, hub_config

STARTED = time.monotonic()

# Without a network there should be an answer within 5 s of the start.
PATIENCE = 3.5

# The names of `GPT2Config` in config.py, and what each is.
MEANINGS = {
    "vocab_size": "tokens in the vocabulary",
    "n_positions": "longest sequence, in tokens",
    "n_embd": "features per token",
    "n_layer": "transformer blocks",
    "n_head": "attention heads per block",
    "n_inner": "width of the MLP's middle layer",
    "layer_norm_epsilon": "added to a variance before the square root",
}


def look_up(found: list[Path]) -> None:
    """Append the path of the model's config.json, from the cache or the hub."""
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(DEFAULT, "config.json")
    try:
        found.append(Path(cached) if isinstance(cached, str) else hub_config(DEFAULT))
    except Exception:  # no network, no disk, no such model: the defaults answer
        return


def main() -> int:
    found: list[Path] = []
    search = threading.Thread(target=look_up, args=[found], daemon=True)
    search.start()
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")  # "None of PyTorch …"
    from transformers import GPT2Config

    search.join(max(0.0, STARTED + PATIENCE - time.monotonic()))
    config = GPT2Config.from_json_file(found[0]) if found else GPT2Config()
    source = DEFAULT if found else "transformers' defaults (the hub does not answer)"
    print(f"GPT-2's configuration, from {source}\n")
    for name, meaning in MEANINGS.items():
        print(f"{name:>18} = {value(config, name)!s:<6} {meaning}")
    if config.n_inner is None:
        print("\nHugging Face leaves n_inner out (None), which means 4 x n_embd.")
    return 0


def value(config: Any, name: str) -> Any:
    stored = getattr(config, name)
    return 4 * config.n_embd if name == "n_inner" and stored is None else stored


if __name__ == "__main__":
    raise SystemExit(main())
