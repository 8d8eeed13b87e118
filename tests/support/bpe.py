"""What GPT-2's tokenizer answers: byte-level BPE. The parent process alone imports it.

Sources: Sennrich et al. 2016, arXiv:1508.07909; Radford et al. 2019, section 2.2;
``GPT2Tokenizer`` in Hugging Face's tokenization_gpt2.py.
"""

import json
import re
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import pairwise

from tests.support.stand_ins import BUNDLED, HUB_MERGES, HUB_VOCABULARY, LETTERS

# Contractions, letters, digits, other signs: each with the space before it; spaces.
PIECES = re.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+"
)
BYTES = {letter: byte for byte, letter in LETTERS.items()}


@dataclass(frozen=True)
class Bpe:
    """A byte-level BPE vocabulary: token -> id, and pairs -> rank of their merge."""

    vocab: dict[str, int]
    ranks: dict[tuple[str, str], int]
    known: dict[str, list[int]] = field(default_factory=dict)

    def encode(self, text: str) -> list[int]:
        return [one for piece in PIECES.findall(text) for one in self._piece(piece)]

    def _piece(self, piece: str) -> list[int]:
        if piece not in self.known:
            tokens = self._merge([LETTERS[byte] for byte in piece.encode()])
            self.known[piece] = [self.vocab[token] for token in tokens]
        return self.known[piece]

    def _merge(self, parts: list[str]) -> list[str]:
        while len(parts) > 1:
            pairs = list(pairwise(parts))
            best = min(pairs, key=lambda pair: self.ranks.get(pair, 1 << 30))
            if best not in self.ranks:
                return parts
            at = pairs.index(best)
            parts = [*parts[:at], "".join(best), *parts[at + 2 :]]
        return parts

    @cached_property
    def token_of(self) -> dict[int, str]:
        return {number: token for token, number in self.vocab.items()}

    def tokens(self, ids: list[int]) -> list[str]:
        """As the vocabulary has them, with Ġ for a space."""
        return [self.token_of[number] for number in ids]

    def decode(self, ids: list[int], errors: str = "replace") -> str:
        letters = "".join(self.tokens(ids))
        return bytes(BYTES[letter] for letter in letters).decode("utf-8", errors)


@cache
def bundled() -> Bpe:
    vocab = json.loads((BUNDLED / "vocab.json").read_text(encoding="utf-8"))
    lines = (BUNDLED / "merges.txt").read_text(encoding="utf-8").splitlines()
    pairs = [tuple(line.split()) for line in lines if not line.startswith("#version")]
    return Bpe(vocab, {pair: rank for rank, pair in enumerate(pairs)})  # type: ignore[misc]


@cache
def other() -> Bpe:
    """The vocabulary on the stand-in hub."""
    return Bpe(HUB_VOCABULARY, {pair: rank for rank, pair in enumerate(HUB_MERGES)})
