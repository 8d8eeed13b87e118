"""Step 8 with GPT-2's own vocabulary: the bundled model has a smaller one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from checker.course import ROOT, puzzle
from tests.course.submission_files import submissions
from tests.support.bpe import Bpe

GPT2 = Path(__file__).parent / "data" / "gpt2"
IDS = {  # as OpenAI's own encoder.py writes them
    "Hello, world!": [15496, 11, 995, 0],
    "Hello world": [15496, 995],
    " world": [995],
    "It is a truth universally acknowledged": [1026, 318, 257, 3872, 26208, 10810],
    "<|endoftext|>": [50256],
}
TEXTS = [
    "The rain in Spain's plain — naïve café, 3.14 and 42 🙂",
    "two  spaces\n\n\tand a tab ",
    "don't you'll we've I'm they'd",
    "Ω 汉字 \u200d ½",
]


def gpt2() -> Bpe:
    """The oracle of step 8, with this vocabulary."""
    vocab = json.loads((GPT2 / "vocab.json").read_text(encoding="utf-8"))
    lines = (GPT2 / "merges.txt").read_text(encoding="utf-8").splitlines()
    pairs = [tuple(line.split(" ")) for line in lines if not line.startswith("#versi")]
    return Bpe(vocab, {pair: rank for rank, pair in enumerate(pairs)})  # type: ignore[misc]


@pytest.mark.parametrize("text", [each for each in IDS if "|" not in each])
def test_oracle(text: str) -> None:
    """The oracle that step 8 is checked with knows GPT-2's own ids, and back."""
    assert gpt2().encode(text) == IDS[text]
    assert gpt2().decode(IDS[text]) == text


ANSWERS = """
import json, sys
sys.path.insert(0, "")
from checker.interpreter import install
install()
import numpy as np
from max.experimental.tensor import Tensor
sources, folder, texts = json.load(sys.stdin)
found = {}
for name, source in sources.items():
    names = {"__name__": name}
    exec(source, names)
    made = names["GPT2TokenizerWrapper"](folder)
    ids = [made.encode(text) for text in texts]
    found[name] = {
        "numbers": [made.eos_token_id, made.pad_token_id, made.vocab_size],
        "ids": [np.from_dlpack(each).tolist() for each in ids],
        "texts": [made.decode(each) for each in ids],
    }
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What the solution and each accepted file answer."""
    file = puzzle("s08").file
    sources = {"solution": (ROOT / "solutions" / file).read_text(encoding="utf-8")}
    for each in submissions("right"):
        if each.step == "s08":
            sources[each.id] = each.source.decode()
    done = subprocess.run(
        [sys.executable, "-c", ANSWERS],
        cwd=ROOT,
        input=json.dumps([sources, str(GPT2), [*IDS, *TEXTS]]),
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.max
def test_files_of_step_8(answers: dict[str, Any]) -> None:
    """GPT-2's known ids, those of the oracle, its three numbers; texts come back."""
    oracle = gpt2()
    want = [*IDS.values(), *(oracle.encode(text) for text in TEXTS)]
    assert len(answers) > 5
    for name, found in answers.items():
        assert found["ids"] == [[ids] for ids in want], name
        # some leave the end of the text out of a text
        both = zip([*IDS, *TEXTS], found["texts"], strict=True)
        assert all(text == again for text, again in both if "|" not in text), name
        assert found["numbers"] == [50256, 50256, 50257], name
