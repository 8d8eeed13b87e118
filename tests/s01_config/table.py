"""Step 1, ``config.py``: the sizes of GPT-2, as Hugging Face's configuration has them.

The lines are the tutorial's, to the letter. Values: ``config.json`` of
openai-community/gpt2 (``n_inner`` is null there and means 4 × ``n_embd``).
"""

from collections.abc import Iterable

from checker.table import Check, Mistake, Table, refusals
from tests.support.data import Sizes
from tests.support.rows import name_missing

SIZES: Sizes = {
    "vocab_size": 50257,
    "n_positions": 1024,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "n_inner": 3072,
    "layer_norm_epsilon": 1e-05,
}

FAMILY = {
    "n_embd": {"medium": 1024, "large": 1280, "xl": 1600},
    "n_layer": {"medium": 24, "large": 36, "xl": 48},
    "n_head": {"medium": 16, "large": 20, "xl": 25},
    "n_inner": {"medium": 4096, "large": 5120, "xl": 6400},
}
KNOWN = (
    ("vocab_size", 50256, "last-token", "This is the last token's id; ids start at 0."),
    ("vocab_size", 50000, "merges", "50000 is the number of merges; 256 bytes and the "
     "end-of-text token are tokens as well."),
    ("vocab_size", 50304, "padded", "50304 is 50257 rounded up to a multiple of 64."),
    ("n_positions", 1023, "last-position", "Positions start at 0: 1023 is the last."),
    ("n_positions", 2048, "gpt-3", "GPT-3 has 2048 positions."),
    ("n_embd", 64, "head-size", "64 is the size of one head, n_embd / n_head."),
    ("n_layer", 6, "original-transformer", "The original Transformer has 6 layers."),
    ("n_head", 64, "head-size", "64 is the size of one head, n_embd / n_head."),
    ("n_head", 8, "original-transformer", "The original Transformer has 8 heads."),
    ("n_inner", 4, "factor", "4 is the factor: the inner size is 4 × n_embd."),
    ("layer_norm_epsilon", 1e-6, "llama", "1e-6 is T5's and Llama's."),
    ("layer_norm_epsilon", 0.0, "zero", "With 0 a constant row divides by zero."),
    ("layer_norm_epsilon", 1e5, "sign", "The exponent is negative: 1e-05."),
)  # fmt: skip
"""What a size is mistaken for: the value, an id and a sentence."""

TEXT = "This is text: leave out the quotation marks."
MULTIPLE = "The inner size is 4 × n_embd, not this multiple of it."
FLOAT = "The number is right, but it is a float, not an int."


def near(name: str) -> Iterable[tuple[str, str, list[object]]]:
    """What any size is mistaken for: an id, a sentence, values."""
    want, digits = SIZES[name], str(SIZES[name])
    yield "tuple", "A comma after the number makes it a tuple.", [repr((want,))]
    yield "another-field", "This is the value of another field.", [*SIZES.values()]
    if isinstance(want, float):
        powers = [float(f"1e-{power}") for power in range(1, 12)]
        yield "text", TEXT, ["1e-05", "1e-5", "0.00001"]
        yield "power-of-ten", "This is off by a power of ten.", powers
        return
    rounded = [round(want, -place) for place in range(1, len(digits))]
    yield "text", TEXT, [digits]
    yield "type", FLOAT, [float(want)]
    yield "off-by-one", "This is one off.", [want - 1, want + 1]
    yield "rounded", "This is the right number, rounded.", rounded
    if name == "n_inner":
        yield "multiple", MULTIPLE, [factor * SIZES["n_embd"] for factor in (2, 3, 5)]


def values(name: str) -> tuple[Mistake, ...]:
    """Every wrong value that is known, under the first of its ids."""
    want = SIZES[name]
    known = {value: told for field, value, *told in KNOWN if field == name}
    for model, value in FAMILY.get(name, {}).items():
        known[value] = [model, f"This is gpt2-{model}'s; the course builds gpt2."]
    for mistake, message, wrong in near(name):
        for value in wrong:
            if (type(value), value) != (type(want), want):
                known.setdefault(value, [mistake, message])
    return tuple(
        Mistake(f"{name}-{mistake}", message, gives=lambda value=value: value)  # type: ignore[misc]
        for value, (mistake, message) in known.items()
    )


NO_VALUE = {
    name: Mistake(
        f"{name}-none", "The field has no value.", gives=lambda: None, quiet=True
    )
    for name in SIZES
} | {
    "n_inner": Mistake(
        "n_inner-none",
        "Hugging Face stores None for n_inner, which means 4 × n_embd.",
        gives=lambda: [None, SIZES["n_embd"]],
        probe="default_and_width",
        given=("n_inner",),
    )
}
UNUSABLE = refusals(
    ("no-annotations", "@dataclass makes fields of names with a type annotation only.",
     r"has no type annotation"),
    ("no-default", "A type alone is no value: write one after `=`.",
     r"^`\w+` has no value"),
    ("field-missing", "A field is missing or has another name.",
     r"^GPT2Config has no `"),
    ("no-arguments", "Only fields are arguments: names with a type annotation that is "
     "no ClassVar, without `init=False`.", r"^GPT2Config\(…\) does not take"),
    ("arguments-overwritten", "What is passed to GPT2Config(…) is not kept.",
     r"^GPT2Config\(\w+=.*\) has \w+ = "),
)  # fmt: skip
NAMED_TUPLE, ELSEWHERE, NOT_DECORATED = (
    Mistake(mistake, message, gives=lambda what=what: what, probe="what_it_is")
    for what, mistake, message in (
        ("a named tuple", "named-tuple", "A named tuple is not a dataclass."),
        ("from elsewhere", "dataclass-from-elsewhere",
         "The file's `dataclass` is not the one of the module dataclasses."),
        ("not decorated", "imported-not-applied",
         "dataclass is imported, but GPT2Config is not decorated with it."),
    )
)  # fmt: skip

TABLE = Table(
    checks=(
        Check(
            "dataclass is imported from dataclasses",
            "imports_dataclass",
            expect=lambda: True,
            passed="dataclass is correctly imported from dataclasses",
            failed="dataclass is not imported from dataclasses",
            mistakes=(ELSEWHERE, NAMED_TUPLE),
        ),
        Check(
            "GPT2Config has the @dataclass decorator",
            "is_dataclass",
            expect=lambda: True,
            failed="GPT2Config does not have the @dataclass decorator",
            mistakes=(*name_missing("GPT2Config"), NAMED_TUPLE, NOT_DECORATED),
        ),
        *(
            Check(
                f"{name} matches Hugging Face's configuration",
                "default",
                given=(name,),
                expect=lambda value=value: value,  # type: ignore[misc]
                tolerance=0.0,
                passed=f"{name} is correct: {{got}}",
                failed=f"{name} is incorrect: expected match with Hugging Face "
                "model configuration, got {got}",
                mistakes=(*values(name), NO_VALUE[name], *UNUSABLE),
            )
            for name, value in SIZES.items()
        ),
    )
)
