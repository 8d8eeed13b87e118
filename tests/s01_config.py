"""Step 1, ``config.py``: the sizes of GPT-2, as Hugging Face's configuration has them.

The lines are the tutorial's, to the letter. Values: ``config.json`` of
openai-community/gpt2 (``n_inner`` is null there and means 4 × ``n_embd``).
"""

import dataclasses
import types
from collections.abc import Callable
from typing import Any

from checker.probe import Learner, Unusable
from checker.table import Check, Mistake, Step
from tests.common import SIZES as OTHER
from tests.common import name_missing

SIZES = {
    "vocab_size": 50257,
    "n_positions": 1024,
    "n_embd": 768,
    "n_layer": 12,
    "n_head": 12,
    "n_inner": 3072,
    "layer_norm_epsilon": 1e-05,
}


def imports_dataclass(config: Learner) -> bool:
    """Either the decorator or its module is among the file's names."""
    known = (dataclasses, dataclasses.dataclass)
    return any(value in known for value in config.names().values() if _hashable(value))


def _hashable(value: object) -> bool:
    return isinstance(value, types.ModuleType | types.FunctionType)


def is_dataclass(config: Learner) -> bool:
    """A dataclass that takes its sizes as arguments."""
    kind = config.GPT2Config
    if not dataclasses.is_dataclass(kind):
        return False
    made = kind(**OTHER)
    return all(getattr(made, name) == value for name, value in OTHER.items())


def kind_of(config: Learner) -> str:
    """What GPT2Config is, in a few words."""
    kind = config.GPT2Config
    if isinstance(kind, type) and issubclass(kind, tuple):
        return "named tuple"
    if not dataclasses.is_dataclass(kind):
        own = "__init__" in vars(kind)
        return "__init__ written by hand" if own else "plain class"
    loose = [n for n in SIZES if n in vars(kind) and n not in kind.__dataclass_fields__]
    return "names without annotation" if loose else "dataclass"


def takes_sizes(config: Learner) -> bool | str:
    """Whether a dataclass keeps the sizes it is given; what else GPT2Config is."""
    kind = kind_of(config)
    return is_dataclass(config) if kind == "dataclass" else kind


def default_of(field: str) -> Callable[[Learner], Any]:
    def probe(config: Learner) -> Any:
        kind = config.GPT2Config
        decorated = dataclasses.is_dataclass(kind)
        if (
            decorated
            and field not in kind.__dataclass_fields__
            and hasattr(kind, field)
        ):
            raise Unusable(
                f"`{field}` has no type annotation, so @dataclass does not see it: "
                f"write `{field}: {type(SIZES[field]).__name__} = …`"
            )
        made = kind()
        if not hasattr(made, field):
            own = [n for n in vars(kind) if n[:1] != "_"]
            raise Unusable(f"GPT2Config has no `{field}`; it has {', '.join(own)}")
        value = getattr(made, field)
        return value if isinstance(value, int | float | str | None) else repr(value)

    return probe


def next_to(field: str, other: str) -> Callable[[Learner], Any]:
    def probe(config: Learner) -> Any:
        return [default_of(name)(config) for name in (field, other)]

    return probe


KNOWN_WRONG: dict[str, dict[Any, tuple[str, str]]] = {
    "vocab_size": {
        50256: ("last-token", "50256 is the id of the last token; ids start at 0."),
        50000: (
            "merges",
            "50000 merges, 256 bytes and the end-of-text token make up GPT-2's tokens.",
        ),
        50304: (
            "padded",
            "50304 is 50257 rounded up to a multiple of 64, as some trainers do.",
        ),
        30522: ("bert", "This is BERT's vocabulary."),
    },
    "n_positions": {
        512: ("gpt-1", "GPT-1 and BERT have 512 positions."),
        1023: ("last-position", "1023 is the last position; positions start at 0."),
        2048: ("gpt-3", "GPT-3 has 2048 positions."),
    },
    "n_embd": {
        1024: (
            "medium",
            "This is gpt2-medium's; the course builds the smallest GPT-2.",
        ),
        1280: ("large", "This is gpt2-large's; the course builds the smallest GPT-2."),
        1600: ("xl", "This is gpt2-xl's; the course builds the smallest GPT-2."),
        512: ("original-transformer", "512 is the width of the original Transformer."),
        64: ("head-size", "64 is the size of one head, n_embd / n_head."),
    },
    "n_layer": {
        24: ("medium", "This is gpt2-medium's; the course builds the smallest GPT-2."),
        36: ("large", "This is gpt2-large's; the course builds the smallest GPT-2."),
        48: ("xl", "This is gpt2-xl's; the course builds the smallest GPT-2."),
        6: (
            "original-transformer",
            "6 is the depth of the original Transformer and of distilgpt2.",
        ),
    },
    "n_head": {
        16: ("medium", "This is gpt2-medium's; the course builds the smallest GPT-2."),
        20: ("large", "This is gpt2-large's; the course builds the smallest GPT-2."),
        25: ("xl", "This is gpt2-xl's; the course builds the smallest GPT-2."),
        8: ("original-transformer", "The original Transformer has 8 heads."),
        64: ("head-size", "64 is the size of one head, n_embd / n_head."),
    },
    "n_inner": {
        4096: (
            "medium",
            "This is gpt2-medium's; the course builds the smallest GPT-2.",
        ),
        2048: ("original-transformer", "2048 is the original Transformer's."),
        4: ("factor", "4 is the factor: the inner size is 4 × n_embd."),
    },
    "layer_norm_epsilon": {
        1e-12: ("bert", "1e-12 is BERT's."),
        1e-6: ("llama", "1e-6 is T5's and Llama's."),
        1e-8: ("adam", "1e-8 is the epsilon of the Adam optimizer."),
        0.0: ("zero", "Without an epsilon a constant row divides by zero."),
        1e5: ("sign", "The exponent is negative: 1e-05."),
    },
}


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def mistakes_of(field: str) -> tuple[Mistake, ...]:
    """What this field is mistaken for, from the particular to the general."""
    return (*values_for(field), *no_value_for(field))


def no_value_for(field: str) -> tuple[Mistake, ...]:
    """The ways in which there is no value at all."""
    unset = Mistake(
        f"{field}-none", "The field has no value.", gives=lambda: None, quiet=True
    )
    return (
        *([] if field == "n_inner" else [unset]),  # Hugging Face stores none there
        Mistake(
            f"{field}-not-annotated",
            "Without a type annotation @dataclass does not see the field.",
            raises="has no type annotation",
        ),
        Mistake(
            f"{field}-missing",
            "GPT2Config has no field of this name.",
            raises=f"GPT2Config has no `{field}`",
        ),
        Mistake(
            f"{field}-no-default",
            "The field has a type and no value: GPT2Config() does not work.",
            raises=f"missing .*'{field}'",
        ),
    )


def values_for(field: str) -> tuple[Mistake, ...]:
    want = SIZES[field]
    kind = type(want).__name__
    others = {name: v for name, v in SIZES.items() if v != want}
    general: list[tuple[str, str, Callable[[Any], bool]]] = [
        (
            "text",
            f"This is text: leave out the quotation marks to make it {kind}.",
            lambda got: isinstance(got, str) and got.strip("'\" ") == str(want),
        ),
        (
            "type",
            f"The number is right, but its type is not {kind}.",
            lambda got: is_number(got) and got == want and type(got) is not type(want),
        ),
        (
            "tuple",
            "A comma after the number makes it a tuple.",
            lambda got: got == repr((want,)),
        ),
        (
            "another-field",
            "This is the value of another field.",
            lambda got: is_number(got) and got in others.values(),
        ),
        (
            "off-by-one",
            "This is one off.",
            lambda got: is_number(got) and abs(got - want) == 1,
        ),
        (
            "digits",
            "These are the right digits in another order.",
            lambda got: (
                is_number(got) and got != want and sorted(str(got)) == sorted(str(want))
            ),
        ),
        (
            "power-of-two",
            "This is off by a power of two.",
            lambda got: is_number(got) and got > 0 and _power(got / want, 2),
        ),
        (
            "power-of-ten",
            "This is off by a power of ten.",
            lambda got: is_number(got) and got > 0 and _power(got / want, 10),
        ),
    ]
    if isinstance(want, int):
        general += [
            (
                "rounded",
                "This is the right number rounded.",
                lambda got: is_number(got) and got in _rounded(want),
            ),
            (
                "float",
                "This is a float; a size is an int.",
                lambda got: isinstance(got, float),
            ),
        ]
    if field == "n_inner":
        general.append(
            (
                "multiple",
                "The inner size is 4 × n_embd, not this multiple of it.",
                lambda got: (
                    is_number(got) and got != want and got % SIZES["n_embd"] == 0
                ),
            )
        )
    general.append(
        (
            "other-value",
            "GPT-2 small has another value: `pixi run huggingface` prints it.",
            lambda got: is_number(got) and got != want,
        )
    )
    particular = [
        Mistake(f"{field}-{name}", message, gives=lambda value=value: value)
        for value, (name, message) in KNOWN_WRONG[field].items()
    ]
    if field == "n_inner":
        particular.append(
            Mistake(
                "n_inner-none",
                "Hugging Face stores none for n_inner and means 4 × n_embd.",
                gives=lambda: [None, SIZES["n_embd"]],
                probe=next_to("n_inner", "n_embd"),
            )
        )
    return (
        *particular,
        *(Mistake(f"{field}-{i}", m, recognise=r) for i, m, r in general),
    )


def _rounded(number: int) -> list[int]:
    return [round(number, -digits) for digits in range(1, len(str(number)))]


def _power(ratio: float, base: int) -> bool:
    return any(abs(ratio / float(base) ** n - 1) < 1e-9 for n in range(-6, 7) if n)


STEP = Step(
    checks=(
        Check(
            "dataclass is imported from dataclasses",
            imports_dataclass,
            expect=lambda: True,
            passed="dataclass is correctly imported from dataclasses",
            failed="dataclass is not imported from dataclasses",
            mistakes=(
                Mistake(
                    "dataclass-from-elsewhere",
                    "The file has a `dataclass`, but not the one of dataclasses.",
                    gives=lambda: True,
                    probe=lambda config: config.has("dataclass"),
                ),
                Mistake(
                    "named-tuple",
                    "GPT2Config is a named tuple, which is not a dataclass.",
                    gives=lambda: "named tuple",
                    probe=kind_of,
                ),
                Mistake(
                    "nothing-imported",
                    "No name in the file is dataclasses' decorator or its module.",
                    gives=lambda: "plain class",
                    probe=kind_of,
                    quiet=True,
                ),
            ),
        ),
        Check(
            "GPT2Config has the @dataclass decorator",
            is_dataclass,
            expect=lambda: True,
            passed="GPT2Config has the @dataclass decorator",
            failed="GPT2Config does not have the @dataclass decorator",
            mistakes=(
                Mistake(
                    "imported-not-applied",
                    "dataclass is imported, and nothing is decorated with it.",
                    gives=lambda: [True, False],
                    probe=lambda config: [
                        imports_dataclass(config),
                        dataclasses.is_dataclass(config.GPT2Config),
                    ],
                ),
                name_missing("GPT2Config"),
                Mistake(
                    "named-tuple",
                    "GPT2Config is a named tuple, which is not a dataclass.",
                    gives=lambda: "named tuple",
                    probe=kind_of,
                ),
                Mistake(
                    "written-init",
                    "An __init__ written by hand sets the sizes; @dataclass writes it.",
                    gives=lambda: "__init__ written by hand",
                    probe=kind_of,
                ),
                Mistake(
                    "not-decorated",
                    "GPT2Config is a plain class: @dataclass decorates nothing.",
                    gives=lambda: "plain class",
                    probe=kind_of,
                    quiet=True,
                ),
                Mistake(
                    "no-annotations",
                    "Names without a type annotation are not fields: @dataclass makes "
                    "GPT2Config take none of them as an argument.",
                    gives=lambda: "names without annotation",
                    probe=kind_of,
                ),
                Mistake(
                    "arguments-overwritten",
                    "GPT2Config(…) takes sizes as arguments and then has others: "
                    "they are overwritten.",
                    gives=lambda: False,
                    probe=takes_sizes,
                ),
                Mistake(
                    "no-arguments",
                    "The dataclass makes no __init__ that takes the sizes.",
                    probe=takes_sizes,
                    raises="takes no arguments|takes 1 positional argument",
                ),
                Mistake(
                    "field-missing",
                    "A field is missing or has another name.",
                    probe=takes_sizes,
                    raises="unexpected keyword argument",
                ),
                Mistake(
                    "field-too-many",
                    "There is a field without a default besides the seven.",
                    probe=takes_sizes,
                    raises=r"missing \d+ required",
                ),
            ),
        ),
        *(
            Check(
                name,
                default_of(name),
                expect=lambda value=value: value,  # type: ignore[misc]
                tolerance=0.0,
                passed=f"{name} is correct: {{got}}",
                failed=f"{name} is incorrect: expected match with Hugging Face "
                "model configuration, got {got}",
                mistakes=mistakes_of(name),
            )
            for name, value in SIZES.items()
        ),
    )
)
