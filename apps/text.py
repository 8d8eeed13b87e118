"""A text of your own, as the tokens that a model is trained on and tested with."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

HELD_OUT = 0.05
"""The part of a text that the model never sees, taken from its end."""


PIECE = 50_000
"""Characters."""


class TextError(Exception):
    """A text cannot be used; the message is meant for the screen."""


def read(path: Path) -> str:
    """A text file in UTF-8. Raises TextError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TextError(f"{path} cannot be read: {error.strerror}.") from error
    if b"\0" in data:
        raise TextError(f"{path} is no text: it holds zero bytes.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextError(
            f"{path} is not in UTF-8 (byte {error.start}): save it as UTF-8 text."
        ) from error
    if not text.strip():
        raise TextError(f"{path} is empty.")
    return text


@dataclass(frozen=True)
class Tokens:
    """int64 arrays: what is trained on, and what is held out.

    Attributes:
        characters: of the text that is held out, for bits per character.
    """

    training: np.ndarray
    held_out: np.ndarray
    characters: int

    def batch(self, seed: int, step: int, rows: int, length: int) -> tuple[Any, Any]:
        """Random pieces of the text and the tokens after each: int64 [B, T] twice. The
        same for a seed and a step, so that a run can go on where it was stopped."""
        rng = np.random.default_rng([seed, step])
        starts = rng.integers(0, len(self.training) - length, rows)
        places = starts[:, None] + np.arange(length + 1)
        text = self.training[places]
        return text[:, :-1], text[:, 1:]

    def windows(self, rows: int, length: int) -> tuple[Any, Any]:
        """Pieces of what is held out, one after the other, at most so many."""
        count = min(rows, (len(self.held_out) - 1) // length)
        places = length * np.arange(count)[:, None] + np.arange(length + 1)
        text = self.held_out[places]
        return text[:, :-1], text[:, 1:]


def tokens(paths: list[Path], tokenizer: Any, length: int) -> Tokens:
    """The texts, each with its end held out, and the end of a text before each.

    Args:
        tokenizer: the wrapper of step 8.
        length: tokens of a piece. Both parts have to be longer.

    Raises:
        TextError: a file cannot be used, or there is too little text.
    """
    training: list[int] = []
    held_out: list[int] = []
    characters = 0
    for path in paths:
        text = read(path)
        cut = len(text) - int(len(text) * HELD_OUT)
        training += [tokenizer.eos_token_id, *_encoded(text[:cut], tokenizer)]
        held_out += [tokenizer.eos_token_id, *_encoded(text[cut:], tokenizer)]
        characters += len(text) - cut
    if min(len(training), len(held_out)) <= length:
        needed = int((length + 1) / HELD_OUT)
        raise TextError(
            f"The text has {len(training) + len(held_out)} tokens, of which "
            f"{len(held_out)} are held out; pieces of {length} need {needed}: take "
            "more text, or a smaller --tokens."
        )
    return Tokens(np.array(training), np.array(held_out), characters)


def _encoded(text: str, tokenizer: Any) -> list[int]:
    """Piece by piece: a tensor for each line would take long, and one for all much
    memory."""
    found: list[int] = []
    piece: list[str] = []
    size = 0
    for line in text.splitlines(keepends=True):
        if piece and size + len(line) > PIECE:
            found += _ids("".join(piece), tokenizer)
            piece, size = [], 0
        piece.append(line)
        size += len(line)
    return found + _ids("".join(piece), tokenizer)


def _ids(text: str, tokenizer: Any) -> list[int]:
    if not text:
        return []
    return [int(one) for one in np.from_dlpack(tokenizer.encode(text)).ravel()]
