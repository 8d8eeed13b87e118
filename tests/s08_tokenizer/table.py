"""Step 8, ``tokenizer.py``: text to MAX tensors of token ids, and back.

Oracle: the ids that byte-level BPE gives for the bundled vocabulary (2048 tokens,
``<|endoftext|>`` the last): ``tests/support/bpe.py``. Special tokens are asked for
nowhere in a text, so that showing them and leaving them out are both right.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from checker.table import Check, Mistake, Table, refusals
from tests.support.bpe import bundled, other
from tests.support.data import Array
from tests.support.rows import NOTHING_RETURNED, name_missing
from tests.support.stand_ins import DEFAULT, END, LETTERS

PLAIN = "Mr. Darcy isn't at Pemberley, is he?"
LOUD = (
    "  Two  spaces , isn't\r\n\n\n\tit ? Don\u2019t ! Nai\u0308ve caf\u00e9 \u2014 "
    "\u03a9 \ufb01 a\u00a0b \U0001f642 say   'tis 42 . &amp; \u200d \n"
)
LONG = " ".join(["It was so.", *[PLAIN] * 600])
PAGES = " ".join(["It was so so so.", *[PLAIN] * 65])
SHORT = "the end"
END_ID, SIZE = 2047, 2048

Ids = list[int]
BPE = bundled()
ids_of, text_of = BPE.encode, BPE.decode

HALF_OF_CAFE = [
    *ids_of("caf"),
    BPE.vocab[LETTERS["\N{LATIN SMALL LETTER E WITH ACUTE}".encode()[0]]],
]
"""The second byte of the last letter is missing."""


def as_tensor(ids: Ids) -> Array:
    return np.array([ids], np.int64)


# What can go wrong on the way to the ids: from the text, and from the right ids.

FROM_TEXT: tuple[tuple[str, str, Callable[[str], Ids]], ...] = (
    ("model-ignored", f"These are the ids of {DEFAULT}: model_name is not used.",
     other().encode),
    ("prefix-space", "A space was added before the text.", lambda t: ids_of(f" {t}")),
    ("lower-case", "The text was put in lower case first.",
     lambda t: ids_of(t.lower())),
    ("stripped", "The spaces around the text were removed first.",
     lambda t: ids_of(t.strip())),
    ("stripped-left", "The spaces before the text were removed first.",
     lambda t: ids_of(t.lstrip())),
    ("stripped-right", "The spaces after the text were removed first.",
     lambda t: ids_of(t.rstrip())),
    ("spaces-collapsed", "Runs of spaces and line breaks became single spaces first.",
     lambda t: ids_of(" ".join(t.split()))),
    ("word-by-word", "The words were encoded one by one, without the spaces before "
     "them.", lambda t: [one for word in t.split() for one in ids_of(word)]),
    ("character-by-character", "The characters were encoded one by one: nothing is "
     "merged.", lambda t: [one for char in t for one in ids_of(char)]),
    ("bytes", "These are bytes, not tokens.", lambda t: list(t.encode())),
    ("byte-tokens", "These are the tokens of single bytes: nothing is merged.",
     lambda t: [BPE.vocab[LETTERS[byte]] for byte in t.encode()]),
    ("character-codes", "These are the characters' Unicode numbers, not tokens.",
     lambda t: [ord(char) for char in t]),
    ("ascii-only", "Letters that are not ASCII were left out first.",
     lambda t: ids_of(t.encode("ascii", "ignore").decode())),
    ("characters-looked-up", "The characters were looked up in the vocabulary one by "
     "one: nothing is merged, and a space is written Ġ there.",
     lambda t: [BPE.vocab.get(char, END_ID) for char in t]),
    ("words-looked-up", "The words were looked up in the vocabulary; most are several "
     "tokens.", lambda t: [BPE.vocab.get(word, END_ID) for word in t.split()]),
)  # fmt: skip
FROM_IDS: tuple[tuple[str, str, Callable[[Ids], Ids]], ...] = (
    ("reversed", "The ids are in reverse order.", lambda ids: ids[::-1]),
    ("sorted", "The ids are sorted.", sorted),
    ("unique", "Each token appears once: a set loses order and repetition.",
     lambda ids: sorted(set(ids))),
    ("positions", "These are the positions 0, 1, 2, …, not the tokens.",
     lambda ids: list(range(len(ids)))),
    ("attention-mask", "These are ones: the tokenizer's attention_mask, not its "
     "input_ids.", lambda ids: [1] * len(ids)),
    ("zeros", "All ids are 0.", lambda ids: [0] * len(ids)),
    ("one-more", "Each id is one too large.", lambda ids: [one + 1 for one in ids]),
    ("one-less", "Each id is one too small.", lambda ids: [one - 1 for one in ids]),
    ("end-added", f"{END} is added at the end; encode adds no special tokens.",
     lambda ids: [*ids, END_ID]),
    ("start-added", f"{END} is added at the start; encode adds no special tokens.",
     lambda ids: [END_ID, *ids]),
    ("both-added", f"{END} is added at start and end; encode adds no special tokens.",
     lambda ids: [END_ID, *ids, END_ID]),
    ("first-token-lost", "The first token is lost.", lambda ids: ids[1:]),
    ("last-token-lost", "The last token is lost.", lambda ids: ids[:-1]),
    ("both-ends-lost", "The first and the last token are lost.", lambda ids: ids[1:-1]),
    ("first-token-only", "This is the first token only.", lambda ids: ids[:1]),
    ("last-token-only", "This is the last token only.", lambda ids: ids[-1:]),
)  # fmt: skip


def are(ids: Ids, got: Any) -> bool:
    """Whether these are the ids of an array, of whatever shape and dtype."""
    return (
        isinstance(got, np.ndarray)
        and got.size == len(ids)
        and bool((got.reshape(-1) == ids).all())
    )


def padded(ids: Ids, got: Array) -> bool:
    """The ids, and at one end the same number several times."""
    flat, n = got.reshape(-1), len(ids)
    ends = (flat[:n], flat[n:]), (flat[-n:], flat[:-n])
    return any(
        rest.size > 2 and (rest == rest[0]).all() and are(ids, kept)
        for kept, rest in ends
    )


def truncated(ids: Ids, got: Array) -> bool:
    flat = got.reshape(-1)
    return 2 < flat.size < len(ids) - 1 and are(ids[: flat.size], flat)


SHAPES: tuple[tuple[str, str, Callable[[Ids, Array], bool]], ...] = (
    ("no-batch-dimension", "The ids are [T]; a batch of one is [1, T].",
     lambda ids, got: got.ndim == 1 and are(ids, got)),
    ("extra-dimension", "The ids have one dimension too many: [1, T] is asked for.",
     lambda ids, got: got.ndim > 2 and are(ids, got)),
    ("transposed", "The ids are [T, 1], T texts of one token; one text of T is [1, T].",
     lambda ids, got: got.shape == (len(ids), 1) and are(ids, got)),
    ("dtype", "The ids are right, but their dtype is not int64: pass dtype explicitly.",
     lambda ids, got: got.dtype != np.int64 and are(ids, got)),
    ("padded", "The ids are padded to a length that nobody asked for.", padded),
    ("truncated", "The ids stop before the text does: it is truncated.", truncated),
)  # fmt: skip

NOT_A_TENSOR = refusals(
    ("list", "This is a Python list or tuple; the model reads a MAX Tensor.",
     r"encode\(text\) is a \w+ (list|tuple)\b"),
    ("numpy", "This is a NumPy array; the model reads a MAX Tensor.",
     r"encode\(text\) is a numpy "),
    ("driver-tensor", "This is a tensor of max.driver; the model reads one of "
     "max.experimental.tensor.", r"encode\(text\) is a max "),
    ("tokenizer-output", "This is all that the tokenizer returned; its input_ids are "
     "the ids.", r"encode\(text\) is a (transformers|tokenizers) "),
)  # fmt: skip


def unequal(
    rows: Iterable[tuple[str, str, Any]], right: Any
) -> list[tuple[str, str, Any]]:
    """Those that are wrong for this text, and each outcome once."""
    seen, kept = [right], []
    for name, message, gives in rows:
        if gives not in seen:
            seen.append(gives)
            kept.append((name, message, gives))
    return kept


def encoding(name: str, text: str, needs: tuple[str, ...] = ()) -> Check:
    return Check(
        name,
        "encodes",
        (text,),
        expect=lambda: as_tensor(ids_of(text)),
        needs=needs,
        where="GPT2TokenizerWrapper.encode",
        mistakes=partial(wrong_ids, text),
    )


def wrong_ids(text: str) -> tuple[Mistake, ...]:
    right = ids_of(text)
    rows = (
        *((name, told, make(text)) for name, told, make in FROM_TEXT),
        *((name, told, make(right)) for name, told, make in FROM_IDS),
    )
    return (
        *(
            Mistake(name, told, partial(as_tensor, ids), proves=partial(are, ids))
            for name, told, ids in unequal(rows, right)
        ),
        *(
            Mistake(name, told, proves=partial(test, right))
            for name, told, test in SHAPES
        ),
        *NOT_A_TENSOR,
        NOTHING_RETURNED,
        *name_missing("GPT2TokenizerWrapper"),
    )


# What can go wrong on the way back.


def cleaned(text: str) -> str:
    """What clean_up_tokenization_spaces=True makes of a text."""
    for sign in (".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"):
        text = text.replace(f" {sign}", sign)
    return text.replace(" ' ", "'")


def tokens(text: str) -> list[str]:
    """As the vocabulary writes them."""
    return BPE.tokens(ids_of(text))


def singly(text: str) -> list[str]:
    """The text of each token by itself."""
    return [text_of([one]) for one in ids_of(text)]


WRONG_TEXTS: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    ("cleaned-up", "Spaces before punctuation are gone: clean_up_tokenization_spaces "
     "is on.", cleaned),
    ("text-stripped", "The spaces around the text are gone.", str.strip),
    ("text-stripped-left", "The spaces before the text are gone.", str.lstrip),
    ("text-stripped-right", "The spaces after the text are gone.", str.rstrip),
    ("first-space-lost", "The first space is gone.", lambda t: t[1:]),
    ("cleaned-up-and-stripped", "Spaces before punctuation and around the text are "
     "gone.", lambda t: cleaned(t).strip()),
    ("spaces-joined", "Runs of spaces and line breaks became single spaces.",
     lambda t: " ".join(t.split())),
    ("spaces-lost", "All spaces are gone.", lambda t: t.replace(" ", "")),
    ("blanks-lost", "All spaces, tabs and line breaks are gone.",
     lambda t: "".join(t.split())),
    ("lines-joined", "Line breaks became spaces.", lambda t: t.replace("\n", " ")),
    ("lines-lost", "The line breaks are gone.", lambda t: t.replace("\n", "")),
    ("text-in-lower-case", "The text is in lower case.", str.lower),
    ("space-signs", "These are the vocabulary's tokens joined, with Ġ for a space: "
     "decode turns them back into text.", lambda t: "".join(tokens(t))),
    ("space-signs-apart", "These are the vocabulary's tokens with spaces between: "
     "decode turns them back into text.", lambda t: " ".join(tokens(t))),
    ("space-signs-replaced", "Only Ġ was replaced in the tokens; other letters stand "
     "for bytes too.", lambda t: "".join(tokens(t)).replace("Ġ", " ")),
    ("space-and-line-signs-replaced", "Only Ġ and Ċ were replaced in the tokens; other "
     "letters stand for bytes too.",
     lambda t: "".join(tokens(t)).replace("Ġ", " ").replace("Ċ", "\n")),
    ("token-by-token", "The tokens were decoded one by one: a letter made of two "
     "tokens breaks.", lambda t: "".join(singly(t))),
    ("spaces-between-tokens", "There is a space between all tokens: they have their "
     "own.", lambda t: " ".join(singly(t))),
    ("spaces-between-stripped-tokens", "There is one space between all tokens: they "
     "have their own.", lambda t: " ".join(token.strip() for token in singly(t))),
    ("ascii-letters-only", "Letters that are not ASCII are lost.",
     lambda t: t.encode("ascii", "ignore").decode()),
    ("ascii-letters-replaced", "Letters that are not ASCII became question marks.",
     lambda t: t.encode("ascii", "replace").decode()),
    ("bytes-as-letters", "The bytes were read as Latin-1; the text is UTF-8.",
     lambda t: t.encode().decode("latin-1")),
    ("tokens-reversed", "The tokens are decoded from last to first.",
     lambda t: text_of(ids_of(t)[::-1])),
    ("text-reversed", "The text is reversed.", lambda t: t[::-1]),
    ("first-token-decoded", "Only the first token is decoded.", lambda t: singly(t)[0]),
    ("last-token-decoded", "Only the last token is decoded.", lambda t: singly(t)[-1]),
    ("first-token-skipped", "The first token is left out: there is no special token to "
     "skip.", lambda t: text_of(ids_of(t)[1:])),
    ("last-token-skipped", "The last token is left out: there is no special token to "
     "skip.", lambda t: text_of(ids_of(t)[:-1])),
    ("both-ends-skipped", "First and last token are left out: there are no special "
     "tokens to skip.", lambda t: text_of(ids_of(t)[1:-1])),
    ("ids-shown", "These are the ids as text, not the text.",
     lambda t: " ".join(map(str, ids_of(t)))),
    ("list-shown", "This is a list of the ids as text.", lambda t: str(ids_of(t))),
    ("batch-shown", "This is a batch of ids as text.", lambda t: str([ids_of(t)])),
    ("texts-shown", "This is a list of texts, as text.", lambda t: str([t])),
    ("repr", "This is the text's repr, with quotation marks.", repr),
    ("line-added", "A line break is added at the end.", lambda t: t + "\n"),
    ("space-added", "A space is added before the text.", lambda t: " " + t),
    ("codes", "The ids were taken for Unicode numbers.",
     lambda t: "".join(map(chr, ids_of(t)))),
    ("nothing-left", "The text is empty.", lambda t: ""),
)  # fmt: skip

NOT_A_TEXT = refusals(
    ("texts-in-a-list", "This is a list; decode returns the text, a str.",
     r"decode\(tokens\) is a (list|tuple), not a str"),
    ("bytes-returned", "These are bytes; decode returns the text, a str.",
     r"decode\(tokens\) is a (bytes|bytearray), not a str"),
)  # fmt: skip


def only_the_other_shape(text: str, batch: bool) -> Mistake:
    this, that = ("[1, T]", "[T]") if batch else ("[T]", "[1, T]")
    return Mistake(
        f"only-{'flat' if batch else 'batch'}",
        f"It is right for {that} and not for {this}: both have to work.",
        gives=lambda: text,
        probe="decodes",
        given=(ids_of(text), not batch),
    )


def decoding(
    name: str,
    text: str,
    ids: Ids | None = None,
    *,
    batch: bool = True,
    needs: tuple[str, ...] = (),
) -> Check:
    """``ids`` are given where the text's own would be others."""
    return Check(
        name,
        "decodes",
        (ids or ids_of(text), batch),
        expect=lambda: text,
        needs=needs,
        where="GPT2TokenizerWrapper.decode",
        mistakes=partial(wrong_texts, text, batch, not needs),
    )


def wrong_texts(text: str, batch: bool, first: bool) -> tuple[Mistake, ...]:
    rows = ((name, message, make(text)) for name, message, make in WRONG_TEXTS)
    return (
        *(
            Mistake(name, message, gives=lambda gives=gives: gives)  # type: ignore[misc]
            for name, message, gives in unequal(rows, text)
        ),
        *([only_the_other_shape(text, batch)] if first else []),
        *NOT_A_TEXT,
        NOTHING_RETURNED,
    )


NO_PADDING = "GPT-2 has no padding token; the end-of-text token's id is used."
GPT2S = "GPT-2's own number, not this tokenizer's: ask the tokenizer for it."
NUMBERS: dict[str, tuple[str, int, dict[Any, str]]] = {
    "eos_token_id": ("is the end-of-text token's", END_ID, {
        0: "0 is the first token; the end-of-text token is the last.",
        SIZE: "This is the number of tokens; ids start at 0.",
        END_ID - 1: "This is the second-last token.",
        50256: f"50256 is {GPT2S}",
        50257: f"50257 is {GPT2S}",
        END: "This is the token; its id is asked for.",
    }),
    "pad_token_id": ("is the end-of-text token's too", END_ID, {
        None: "This is None: a `return` is missing, or it is the tokenizer's own. "
              f"{NO_PADDING}",
        0: f"0 is the token '!'. {NO_PADDING}",
        1: f"1 is the token '\"'. {NO_PADDING}",
        SIZE: f"This is one token too many: the model knows {SIZE}. {NO_PADDING}",
        END_ID - 1: f"This is the second-last token. {NO_PADDING}",
        50256: f"50256 is {GPT2S}",
        50257: f"50257 is one more than GPT-2's own last token. {NO_PADDING}",
        -1: f"-1 is no token's id. {NO_PADDING}",
        -100: f"-100 is what losses ignore, no token's id. {NO_PADDING}",
        END: "This is the token; its id is asked for.",
    }),
    "vocab_size": ("is the number of tokens", SIZE, {
        50257: f"50257 is {GPT2S}",
        50256: f"50256 is {GPT2S}",
        SIZE - 1: "This is the last id; ids start at 0, so there is one more token.",
        SIZE + 1: "This is one too many: was a token added, or counted twice?",
        SIZE - 257: "This is the number of merges; bytes and end of text count too.",
        0: "This is 0.",
    }),
}  # fmt: skip


def _id(name: str, got: object) -> str:
    return f"{name}-{'text' if got == END else got}".lower()


def counted(name: str) -> Check:
    says, want, wrong = NUMBERS[name]
    of_default = len(other().vocab) - (want == END_ID)
    told = f"This is the number of {DEFAULT}, here a small one: model_name is not used."
    return Check(
        f"{name} {says}",
        "number",
        (name,),
        expect=lambda: want,
        where=f"GPT2TokenizerWrapper.{name}",
        mistakes=(
            *(
                Mistake(_id(name, got), message, gives=lambda got=got: got)  # type: ignore[misc]
                for got, message in {of_default: told, **wrong}.items()
            ),
            *refusals(
                ("property-missing", "The three numbers are properties, read without "
                 "parentheses.", r"is a method: add @property"),
                ("not-an-int", "This is not a number.", r"`\w+` is a \w+, not an int"),
            ),
        ),
    )  # fmt: skip


ENCODES = "encodes a text as token ids: int64 [1, T]"
DECODES = "decodes [1, T] to the text, with every space as it was"
HUBS = Mistake(
    "default-bundled",
    f"Without a name the bundled tokenizer is loaded; {DEFAULT} is the default.",
    gives=lambda: {
        "ids": as_tensor(ids_of(SHORT)),
        "vocab_size": SIZE,
        "of the other": as_tensor(ids_of(SHORT)),
    },
)

TABLE = Table(
    checks=(
        encoding(ENCODES, PLAIN),
        encoding("encodes spaces, line breaks and letters of other alphabets", LOUD,
                 (ENCODES,)),
        encoding("encodes a long text to its end", LONG, (ENCODES,)),
        decoding(DECODES, LOUD),
        decoding("decodes [T] as well", LOUD, batch=False),
        decoding("decodes a single token", " the", needs=(DECODES,)),
        decoding("decodes a long text to its end", PAGES, needs=(DECODES,)),
        decoding("decodes half a letter to the sign for what cannot be read",
                 "caf\N{REPLACEMENT CHARACTER}", HALF_OF_CAFE, needs=(DECODES,)),
        *(counted(name) for name in NUMBERS),
        Check(
            f"loads {DEFAULT} where no model is named", "by_default", (SHORT,),
            expect=lambda: {
                "ids": as_tensor(other().encode(SHORT)),
                "vocab_size": len(other().vocab),
                "of the other": as_tensor(ids_of(SHORT)),
            },
            mistakes=(HUBS,),
            needs=(ENCODES,), where="GPT2TokenizerWrapper.__init__",
        ),
    ),
)  # fmt: skip
