"""Step 8, ``tokenizer.py``: text to MAX tensors of token ids, and back.

Oracle: the ids that byte-level BPE gives for the bundled vocabulary (2048 tokens,
``<|endoftext|>`` the last), computed in ``tests/checkpoints.py``. Where no model is
named, ``openai-community/gpt2`` is loaded: a stand-in hub holds another vocabulary by
that name. Special tokens are asked for nowhere in a text, so that showing them and
leaving them out are both right.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from checker.probe import Learner, Unusable, array, attribute, tensor
from checker.table import Check, Mistake, Step
from tests.checkpoints import BUNDLED, DEFAULT, END, LETTERS, bundled, hub, other

PLAIN = "Mr. Darcy isn't at Pemberley, is he?"
LOUD = "  Two  spaces , isn't\n\n\tit ? Don't ! Naïve café — Ω 🙂 say 'tis 42 . "
LONG = " ".join([PLAIN] * 90)
SHORT = "the end"
END_ID, SIZE = 2047, 2048

Ids = list[int]


# Probes, on the learner's GPT2TokenizerWrapper.


def wrapper(learner: Learner) -> Any:
    """The learner's wrapper of the bundled tokenizer, made once for all probes."""
    made = vars(learner).get("made")
    if made is None:
        from max.driver import CPU

        made = learner.GPT2TokenizerWrapper(str(BUNDLED), device=CPU())
        vars(learner)["made"] = made
    return made


def encoding(text: str) -> Callable[[Learner], np.ndarray]:
    def probe(learner: Learner) -> np.ndarray:
        with hub():
            encode = attribute(wrapper(learner), "encode")
            return array(encode(text), "encode(text)")

    return probe


def decoding(text: str, batch: bool) -> Callable[[Learner], str]:
    def probe(learner: Learner) -> str:
        ids = np.array(bundled().encode(text), np.int64)
        with hub():
            decode = attribute(wrapper(learner), "decode")
            return _text(decode(tensor(ids[None] if batch else ids)))

    return probe


def _text(value: object) -> str:
    if value is None:
        raise Unusable("decode(tokens) is None: is a `return` missing?")
    if not isinstance(value, str):
        raise Unusable(f"decode(tokens) is a {type(value).__name__}, not a str")
    return value


def number(name: str) -> Callable[[Learner], Any]:
    def probe(learner: Learner) -> Any:
        with hub():
            value = attribute(wrapper(learner), name)
        if callable(value):
            raise Unusable(f"`{name}` is a method: above its def stands no @property")
        if isinstance(value, np.integer):
            return int(value)
        if isinstance(value, int | float | str | None):
            return value
        raise Unusable(f"`{name}` is a {type(value).__name__}, not an int")

    return probe


def by_default(learner: Learner) -> np.ndarray:
    """What a wrapper made without arguments encodes, and on the CPU by default."""
    with hub():
        made = learner.GPT2TokenizerWrapper()
        return array(attribute(made, "encode")(SHORT), "encode(text)")


def compiled(learner: Learner) -> np.ndarray:
    """A graph that adds 1 to the ids, given the learner's tensor as it is."""
    from max.driver import CPU
    from max.dtype import DType
    from max.graph import TensorType
    from max.nn.module_v3 import Module

    class AddsOne(Module):
        def __call__(self, ids: Any) -> Any:
            return ids + 1

    kind = TensorType(DType.int64, ("batch", "seqlen"), device=CPU())
    with hub():
        ids = attribute(wrapper(learner), "encode")(PLAIN)
        return array(AddsOne().compile(kind)(ids))


# Oracle, and the ways to be wrong.


def as_tensor(ids: Ids) -> np.ndarray:
    return np.array([ids], np.int64)


def cleaned(text: str) -> str:
    """What clean_up_tokenization_spaces=True makes of a text."""
    for sign in (".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"):
        text = text.replace(f" {sign}", sign)
    return text.replace(" ' ", "'")


def wrong_ids(text: str) -> dict[str, tuple[str, Callable[[], Ids]]]:
    bpe, right = bundled(), bundled().encode(text)
    return {
        "model-ignored": (
            f"These are the ids of {DEFAULT}: model_name is not used.",
            lambda: other().encode(text),
        ),
        "prefix-space": (
            "A space has been put before the text.",
            lambda: bpe.encode(f" {text}"),
        ),
        "lower-case": (
            "The text was put in lower case first.",
            lambda: bpe.encode(text.lower()),
        ),
        "stripped": (
            "The spaces around the text were taken away first.",
            lambda: bpe.encode(text.strip()),
        ),
        "stripped-left": (
            "The spaces before the text were taken away first.",
            lambda: bpe.encode(text.lstrip()),
        ),
        "stripped-right": (
            "The spaces after the text were taken away first.",
            lambda: bpe.encode(text.rstrip()),
        ),
        "spaces-collapsed": (
            "Runs of spaces and line breaks became single spaces first.",
            lambda: bpe.encode(" ".join(text.split())),
        ),
        "word-by-word": (
            "The words were encoded one by one, without the spaces before them.",
            lambda: [one for word in text.split() for one in bpe.encode(word)],
        ),
        "character-by-character": (
            "The characters were encoded one by one: nothing is merged.",
            lambda: [one for char in text for one in bpe.encode(char)],
        ),
        "bytes": (
            "These are bytes, not tokens.",
            lambda: list(text.encode()),
        ),
        "byte-tokens": (
            "These are the tokens of single bytes: nothing is merged.",
            lambda: [bpe.vocab[LETTERS[byte]] for byte in text.encode()],
        ),
        "character-codes": (
            "These are the characters' Unicode numbers, not tokens.",
            lambda: [ord(char) for char in text],
        ),
        "ascii-only": (
            "Letters that are not ASCII were left out first.",
            lambda: bpe.encode(text.encode("ascii", "ignore").decode()),
        ),
        "characters-looked-up": (
            "The characters were looked up in the vocabulary one by one: nothing is "
            "merged, and a space is written Ġ there.",
            lambda: [bpe.vocab.get(char, END_ID) for char in text],
        ),
        "words-looked-up": (
            "The words were looked up in the vocabulary; most are several tokens.",
            lambda: [bpe.vocab.get(word, END_ID) for word in text.split()],
        ),
        "reversed": ("The ids are in reverse order.", lambda: right[::-1]),
        "sorted": ("The ids are sorted.", lambda: sorted(right)),
        "unique": (
            "Each token appears once: a set loses order and repetition.",
            lambda: sorted(set(right)),
        ),
        "positions": (
            "These are the positions 0, 1, 2, …, not the tokens.",
            lambda: list(range(len(right))),
        ),
        "attention-mask": (
            "These are ones: the tokenizer's attention_mask, not its input_ids.",
            lambda: [1] * len(right),
        ),
        "zeros": ("These are zeros: the ids never arrived.", lambda: [0] * len(right)),
        "one-more": ("Each id is one too large.", lambda: [one + 1 for one in right]),
        "one-less": ("Each id is one too small.", lambda: [one - 1 for one in right]),
        "end-added": (
            f"{END} is added at the end; encode adds no special tokens.",
            lambda: [*right, END_ID],
        ),
        "start-added": (
            f"{END} is added at the start; encode adds no special tokens.",
            lambda: [END_ID, *right],
        ),
        "both-added": (
            f"{END} is added at start and end; encode adds no special tokens.",
            lambda: [END_ID, *right, END_ID],
        ),
        "first-token-lost": ("The first token is lost.", lambda: right[1:]),
        "last-token-lost": ("The last token is lost.", lambda: right[:-1]),
        "both-ends-lost": (
            "The first and the last token are lost.",
            lambda: right[1:-1],
        ),
        "first-token-only": ("This is the first token only.", lambda: right[:1]),
        "last-token-only": ("This is the last token only.", lambda: right[-1:]),
    }


def unequal(
    found: dict[str, tuple[str, Callable[[], Any]]], right: Any
) -> list[tuple[str, str, Any]]:
    """Those that are wrong for this text, and each outcome once."""
    seen: list[Any] = [right]
    kept = []
    for name, (message, make) in found.items():
        if (gives := make()) not in seen:
            seen.append(gives)
            kept.append((name, message, gives))
    return kept


UNREADY = (
    Mistake(
        "misspelt",
        "A name is not the one that the rest of the course uses.",
        raises=r"^Unusable: .* has no `",
    ),
    Mistake(
        "no-device",
        "`device` is a keyword argument of the wrapper.",
        raises=r"unexpected keyword argument 'device'",
    ),
    Mistake(
        "tokenizer-not-kept",
        "The tokenizer was not kept on self, or under another name.",
        raises=r"^AttributeError: '\w+' object has no attribute '\w*tok\w*'",
    ),
    Mistake(
        "tokenizer-not-loaded",
        "There is no tokenizer there: from_pretrained loads one.",
        raises=r"^\w+Error: ('(NoneType|str|type)' object|type object '\w+') .*|"
        r"(encode|__call__)\(\) missing \d required|keyword argument for encode\(\)",
    ),
)


def are(ids: Ids) -> Callable[[Any], bool]:
    """Whether these are the ids of a tensor, of whatever shape and dtype."""
    return lambda got: (
        isinstance(got, np.ndarray)
        and got.size == len(ids)
        and bool((got.reshape(-1) == ids).all())
    )


def encode_mistakes(text: str) -> tuple[Mistake, ...]:
    right = bundled().encode(text)

    def is_tensor(got: Any, test: Callable[[np.ndarray], bool]) -> bool:
        return isinstance(got, np.ndarray) and test(got)

    same_ids = are(right)

    def starts(got: np.ndarray) -> bool:
        flat = got.reshape(-1)
        return 0 < flat.size < len(right) and bool((flat == right[: flat.size]).all())

    def filled(flat: np.ndarray) -> bool:
        ends = flat[: len(right)], flat[len(right) :]
        starts = flat[-len(right) :], flat[: -len(right)]
        return any(
            rest.size > 0 and (rest == rest[0]).all() and (ids == right).all()
            for ids, rest in (ends, starts)
        )

    def padded(got: np.ndarray) -> bool:
        return got.size > len(right) and bool(filled(got.reshape(-1)))

    def added(got: np.ndarray) -> bool:
        flat = got.reshape(-1).tolist()
        at = range(len(flat) - len(right) + 1)
        return len(flat) > len(right) and any(
            flat[i : i + len(right)] == right for i in at
        )

    shapes: list[tuple[str, str, Callable[[np.ndarray], bool]]] = [
        (
            "no-batch-dimension",
            "The ids are [T]; a batch of one is [1, T].",
            lambda got: got.ndim == 1 and same_ids(got),
        ),
        (
            "extra-dimension",
            "The ids have a dimension too many: [1, T] is asked for.",
            lambda got: got.ndim > 2 and same_ids(got),
        ),
        (
            "transposed",
            "The ids are [T, 1], T texts of one token; one text of T is [1, T].",
            lambda got: got.shape == (len(right), 1) and same_ids(got),
        ),
        (
            "dtype",
            "The ids are right, the dtype is not int64: say dtype explicitly.",
            lambda got: got.dtype != np.int64 and same_ids(got),
        ),
        (
            "repeated",
            "The text is there more than once; a batch of one is [1, T].",
            lambda got: (
                got.ndim == 2 and got.shape[0] > 1 and all(same_ids(row) for row in got)
            ),
        ),
        (
            "special-tokens-added",
            "There are tokens around the text's own; encode adds no special tokens.",
            lambda got: 0 < got.size - len(right) <= 2 and added(got),
        ),
        ("padded", "The ids are padded to a length that nobody asked for.", padded),
        (
            "tokens-added",
            "There are tokens around the text's own; encode adds none.",
            added,
        ),
        ("truncated", "The ids stop before the text does: it is truncated.", starts),
        ("empty", "There are no ids.", lambda got: got.size == 0),
    ]
    return (
        *(
            Mistake(name, message, lambda ids=ids: as_tensor(ids), recognise=are(ids))  # type: ignore[misc]
            for name, message, ids in unequal(wrong_ids(text), right)
        ),
        *(
            Mistake(
                name,
                message,
                recognise=lambda got, test=test: is_tensor(got, test),  # type: ignore[misc]
            )
            for name, message, test in shapes
        ),
        Mistake(
            "list",
            "This is a Python list (or tuple); the model reads a MAX Tensor.",
            raises=r"^Unusable: .* is a \w+ (list|tuple|int)\b",
        ),
        Mistake(
            "numpy",
            "This is a NumPy array; the model reads a MAX Tensor.",
            raises=r"^Unusable: .* is a numpy ",
        ),
        Mistake(
            "driver-tensor",
            "This is a tensor of max.driver; the model reads one of "
            "max.experimental.tensor.",
            raises=r"^Unusable: .* is a max ",
        ),
        Mistake(
            "tokenizer-output",
            "This is what the tokenizer returned; the model reads a MAX Tensor.",
            raises=r"^Unusable: .* is a (transformers|tokenizers) ",
        ),
        Mistake("nothing", "encode returns nothing.", raises=r"^Unusable: .* is None"),
        Mistake(
            "tokens-not-ids",
            "Pieces of text cannot go into a tensor: take their ids.",
            raises=r"could not convert string|invalid literal for int|dtype\('?<U|"
            r"data type .*(str|<U)|str_? |^BufferError: DLPack only|^RecursionError: ",
        ),
        *UNREADY,
        Mistake(
            "loads-something-else",
            f"What is loaded is neither the folder that was given nor {DEFAULT}.",
            raises=r"^(OSError|LocalEntryNotFoundError|HFValidationError): |"
            r"not NoneType$|^FileNotFoundError: ",
        ),
    )


def wrong_texts(text: str) -> dict[str, tuple[str, Callable[[], str]]]:
    bpe, ids = bundled(), bundled().encode(text)
    tokens = bpe.tokens(ids)
    spaced = [bpe.decode([one]) for one in ids]
    return {
        "cleaned-up": (
            "Spaces before punctuation are gone: clean_up_tokenization_spaces is on.",
            lambda: cleaned(text),
        ),
        "stripped": ("The spaces around the text are gone.", lambda: text.strip()),
        "stripped-left": ("The spaces before the text are gone.", text.lstrip),
        "stripped-right": ("The spaces after the text are gone.", text.rstrip),
        "first-space-lost": ("The first space is gone.", lambda: text[1:]),
        "cleaned-up-and-stripped": (
            "Spaces before punctuation and around the text are gone.",
            lambda: cleaned(text).strip(),
        ),
        "spaces-collapsed": (
            "Runs of spaces and line breaks became single spaces.",
            lambda: " ".join(text.split()),
        ),
        "spaces-lost": (
            "All spaces are gone.",
            lambda: text.replace(" ", ""),
        ),
        "blanks-lost": (
            "All spaces, tabs and line breaks are gone.",
            lambda: "".join(text.split()),
        ),
        "lines-joined": (
            "Line breaks became spaces.",
            lambda: text.replace("\n", " "),
        ),
        "lines-lost": ("The line breaks are gone.", lambda: text.replace("\n", "")),
        "lower-case": ("The text is in lower case.", text.lower),
        "space-signs": (
            "These are the vocabulary's tokens joined, with Ġ for a space: decode "
            "turns them back into text.",
            lambda: "".join(tokens),
        ),
        "space-signs-apart": (
            "These are the vocabulary's tokens with spaces between: decode turns "
            "them back into text.",
            lambda: " ".join(tokens),
        ),
        "space-signs-replaced": (
            "Only Ġ of the tokens was replaced; other letters stand for bytes too.",
            lambda: "".join(tokens).replace("Ġ", " "),
        ),
        "space-and-line-signs-replaced": (
            "Only Ġ and Ċ of the tokens were replaced; other letters stand for bytes "
            "too.",
            lambda: "".join(tokens).replace("Ġ", " ").replace("Ċ", "\n"),
        ),
        "token-by-token": (
            "The tokens were decoded one by one: a letter made of two tokens breaks.",
            lambda: "".join(spaced),
        ),
        "spaces-between-tokens": (
            "There is a space between all tokens: they carry their own.",
            lambda: " ".join(spaced),
        ),
        "spaces-between-stripped-tokens": (
            "There is a space between all tokens: they carry their own.",
            lambda: " ".join(token.strip() for token in spaced),
        ),
        "ascii-only": (
            "Letters that are not ASCII are lost.",
            lambda: text.encode("ascii", "ignore").decode(),
        ),
        "ascii-only-replaced": (
            "Letters that are not ASCII became question marks.",
            lambda: text.encode("ascii", "replace").decode(),
        ),
        "bytes-as-letters": (
            "The bytes were read as Latin-1; the text is UTF-8.",
            lambda: text.encode().decode("latin-1"),
        ),
        "reversed": (
            "The tokens are decoded from last to first.",
            lambda: bpe.decode(ids[::-1]),
        ),
        "text-reversed": ("The text is reversed.", lambda: text[::-1]),
        "first-token-only": ("This is the first token only.", lambda: spaced[0]),
        "last-token-only": ("This is the last token only.", lambda: spaced[-1]),
        "first-token-lost": (
            "The first token is left out: there is no special token to skip.",
            lambda: bpe.decode(ids[1:]),
        ),
        "last-token-lost": (
            "The last token is left out: there is no special token to skip.",
            lambda: bpe.decode(ids[:-1]),
        ),
        "both-ends-lost": (
            "First and last token are left out: there are no special tokens to skip.",
            lambda: bpe.decode(ids[1:-1]),
        ),
        "ids-shown": (
            "These are the ids as text, not the text.",
            lambda: " ".join(map(str, ids)),
        ),
        "list-shown": ("This is a list of the ids as text.", lambda: str(ids)),
        "batch-shown": ("This is a list of the ids as text.", lambda: str([ids])),
        "texts-shown": ("This is a list of texts, as text.", lambda: str([text])),
        "repr": ("This is the text's repr, with quotation marks.", lambda: repr(text)),
        "line-added": ("A line break is added at the end.", lambda: text + "\n"),
        "space-added": ("A space is added before the text.", lambda: " " + text),
        "codes": (
            "The ids were taken for Unicode numbers.",
            lambda: "".join(map(chr, ids)),
        ),
        "nothing-left": ("The text is empty.", lambda: ""),
    }


def decode_mistakes(text: str, *, batch: bool) -> tuple[Mistake, ...]:
    other_way = "[T]" if batch else "[1, T]"
    this_way = "[1, T]" if batch else "[T]"

    return (
        *(
            Mistake(name, message, gives=lambda gives=gives: gives)  # type: ignore[misc]
            for name, message, gives in unequal(wrong_texts(text), text)
        ),
        Mistake(
            "special-tokens-added",
            f"{END} stands around the text.",
            recognise=lambda got: (
                isinstance(got, str) and END in got and got.replace(END, "") == text
            ),
        ),
        Mistake(
            "spaces-changed",
            "The letters are right, the spaces are not.",
            recognise=lambda got: (
                isinstance(got, str)
                and got != text
                and "".join(got.split()) == "".join(text.split())
            ),
        ),
        Mistake(
            "model-ignored",
            f"The vocabulary is that of {DEFAULT}: model_name is not used.",
            probe=encoding(PLAIN),
            recognise=lambda got: (
                isinstance(got, np.ndarray)
                and got.reshape(-1).tolist() == other().encode(PLAIN)
            ),
        ),
        Mistake(
            "one-shape-only",
            f"It is right for {other_way} and not for {this_way}: both have to work.",
            probe=decoding(text, not batch),
            gives=lambda: text,
        ),
        Mistake("nothing", "decode returns nothing.", raises=r"^Unusable: .* is None"),
        Mistake(
            "list",
            "This is a list; decode returns the text, a str.",
            raises=r"^Unusable: .* is a (list|tuple|dict|set), ",
        ),
        Mistake(
            "bytes-returned",
            "These are bytes; decode returns the text, a str.",
            raises=r"^Unusable: .* is a (bytes|bytearray), ",
        ),
        Mistake(
            "not-a-text",
            "decode returns the text, a str.",
            raises=r"^Unusable: .* is a ",
        ),
        *UNREADY,
        Mistake(
            "tensor-to-tokenizer",
            "The tokenizer was given a MAX Tensor: it reads lists of ids, which a "
            "tensor becomes by way of NumPy.",
            raises=r"\bTensor\b|__int__|cannot be interpreted as an integer|"
            r"must be a string, a bytes-like object or a (real )?number|"
            r"^TypeError: $|slice start index \d+ out of range",
        ),
    )


def number_mistakes(name: str, wrong: dict[Any, str]) -> tuple[Mistake, ...]:
    return (
        *(
            Mistake(f"{name}-{got}".lower(), message, gives=lambda got=got: got)  # type: ignore[misc]
            for got, message in wrong.items()
        ),
        Mistake(
            f"{name}-float",
            "The number is right, but it is not an int.",
            recognise=lambda got: isinstance(got, float) and got in (END_ID, SIZE),
        ),
        Mistake(
            f"{name}-method",
            f"`{name}` is a property: read without parentheses.",
            raises=r"^Unusable: .* is a method",
        ),
        Mistake(
            f"{name}-text",
            "This is a token, not its id.",
            recognise=lambda got: isinstance(got, str),
        ),
        Mistake(
            f"{name}-not-int",
            "This is not an int.",
            raises=r"^Unusable: .*, not an int",
        ),
        Mistake(
            f"{name}-default",
            f"This is the number of {DEFAULT}'s tokenizer: model_name is not used.",
            recognise=lambda got: got in (len(other().vocab), len(other().vocab) - 1),
        ),
        *UNREADY,
        Mistake(
            f"{name}-other",
            "This is not the tokenizer's number: ask the tokenizer for it.",
            recognise=lambda got: (
                isinstance(got, int)
                and not isinstance(got, bool)
                and got not in (END_ID if name != "vocab_size" else SIZE,)
            ),
        ),
    )


NO_PADDING = "GPT-2 has no padding token; the end-of-text token's id stands in."

EOS = {
    None: "This is None: is a `return` missing?",
    0: "0 is the first token; the end-of-text token is the last.",
    SIZE: "This is the number of tokens; ids start at 0.",
    END_ID - 1: "This is the token before the last.",
    50256: "50256 is GPT-2's own end of text, written in: ask the tokenizer.",
    50257: "50257 is the size of GPT-2's own vocabulary, written in.",
    -1: "-1 is no token's id.",
    END: "This is the token; its id is asked for.",
}
PAD = {
    None: f"The tokenizer has no padding token: this is None. {NO_PADDING}",
    0: f"0 is the token '!'. {NO_PADDING}",
    1: f"1 is the token '\"'. {NO_PADDING}",
    SIZE: f"This is a token too many: the model knows {SIZE}. {NO_PADDING}",
    END_ID - 1: f"This is the token before the last. {NO_PADDING}",
    50256: "50256 is GPT-2's own end of text, written in: ask the tokenizer.",
    50257: f"50257 is one more than GPT-2's own last token, written in. {NO_PADDING}",
    -1: f"-1 is no token's id. {NO_PADDING}",
    -100: f"-100 is what losses ignore, no token's id. {NO_PADDING}",
    END: "This is the token; its id is asked for.",
}
VOCABULARY = {
    None: "This is None: is a `return` missing?",
    50257: "50257 is the size of GPT-2's own vocabulary, written in.",
    50256: "50256 is the last id of GPT-2's own vocabulary, written in.",
    SIZE - 1: "This is the last id; with 0 there is one token more.",
    SIZE + 1: "This is one too many: was a token added, or counted twice?",
    SIZE - 257: "This is the number of merges; bytes and the end of text count too.",
    0: "This is 0.",
}


@cache
def round_trip() -> str:
    return bundled().decode(bundled().encode(LOUD))


ENCODES = "encodes a text as token ids: int64 [1, T]"
DECODES = "decodes [1, T] to the text, with every space as it was"

STEP = Step(
    checks=(
        Check(
            ENCODES,
            encoding(PLAIN),
            expect=lambda: as_tensor(bundled().encode(PLAIN)),
            mistakes=encode_mistakes(PLAIN),
            where="GPT2TokenizerWrapper.encode",
        ),
        Check(
            "encodes spaces, line breaks and letters of other alphabets",
            encoding(LOUD),
            expect=lambda: as_tensor(bundled().encode(LOUD)),
            mistakes=encode_mistakes(LOUD),
            needs=(ENCODES,),
            where="GPT2TokenizerWrapper.encode",
        ),
        Check(
            "encodes a long text to its end",
            encoding(LONG),
            expect=lambda: as_tensor(bundled().encode(LONG)),
            mistakes=encode_mistakes(LONG),
            needs=(ENCODES,),
            where="GPT2TokenizerWrapper.encode",
        ),
        Check(
            DECODES,
            decoding(LOUD, batch=True),
            expect=round_trip,
            mistakes=decode_mistakes(LOUD, batch=True),
            where="GPT2TokenizerWrapper.decode",
        ),
        Check(
            "decodes [T] as well",
            decoding(LOUD, batch=False),
            expect=round_trip,
            mistakes=decode_mistakes(LOUD, batch=False),
            where="GPT2TokenizerWrapper.decode",
        ),
        Check(
            "decodes a single token",
            decoding("the", batch=True),
            expect=lambda: "the",
            mistakes=decode_mistakes("the", batch=True),
            needs=(DECODES,),
            where="GPT2TokenizerWrapper.decode",
        ),
        *(
            Check(
                name,
                number(name.split()[0]),
                expect=lambda want=want: want,  # type: ignore[misc]
                mistakes=number_mistakes(name.split()[0], wrong),
                where=f"GPT2TokenizerWrapper.{name.split()[0]}",
            )
            for name, want, wrong in (
                ("eos_token_id is the end-of-text token's", END_ID, EOS),
                ("pad_token_id is the end-of-text token's too", END_ID, PAD),
                ("vocab_size is the number of tokens", SIZE, VOCABULARY),
            )
        ),
        Check(
            f"loads {DEFAULT} where no model is named",
            by_default,
            expect=lambda: as_tensor(other().encode(SHORT)),
            needs=(ENCODES,),
            where="GPT2TokenizerWrapper.__init__",
            mistakes=(
                Mistake(
                    "default-bundled",
                    f"Without a name the bundled tokenizer is loaded; {DEFAULT} is "
                    "the default.",
                    gives=lambda: as_tensor(bundled().encode(SHORT)),
                ),
                Mistake(
                    "no-default",
                    f'model_name has no default; it is "{DEFAULT}".',
                    raises=r"missing \d required positional argument",
                ),
                Mistake(
                    "default-none",
                    f'The default of model_name is None; it is "{DEFAULT}".',
                    raises=r"NoneType: None|'NoneType' object|repo_id.*None",
                ),
                Mistake(
                    "other-default",
                    f"Without a name something else than {DEFAULT} is loaded.",
                    raises=r"^(OSError|TypeError|ValueError|HFValidationError|"
                    r"LocalEntryNotFoundError|FileNotFoundError|KeyError): ",
                ),
            ),
        ),
    ),
    compiled=Check(
        "compiled and run by MAX: a graph takes the ids as they are",
        compiled,
        expect=lambda: as_tensor(bundled().encode(PLAIN)) + 1,
    ),
)
