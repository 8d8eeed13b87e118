"""Step 5: what is asked of the learner's GPT2Attention, and the data it is asked with.

Sizes differ pairwise (B=2, T=5, C=12, H=3, D=4): no two axes can be confused unseen.
"""

from contextlib import suppress
from typing import Any

import numpy as np

from checker.worker.probe import Learner, Unusable, array, attribute, replaced, tensor
from tests.support.data import SIZES, Array, Sizes, Weights, config, noise
from tests.support.layers import Layer

B, T, C, H = 2, 5, SIZES["n_embd"], SIZES["n_head"]
D = C // H


def weights(sizes: Sizes, prefix: str = "") -> Weights:
    """c_attn and c_proj, matrices as ``Linear`` stores them: [out, in]."""
    channels = sizes["n_embd"]
    width = channels**-0.5
    return {
        f"{prefix}c_attn.weight": noise(f"{prefix}qkv.w", 3 * channels, channels)
        * width,
        f"{prefix}c_attn.bias": noise(f"{prefix}qkv.b", 3 * channels),
        f"{prefix}c_proj.weight": noise(f"{prefix}proj.w", channels, channels) * width,
        f"{prefix}c_proj.bias": noise(f"{prefix}proj.b", channels),
    }


def build(attention: Learner, sizes: Sizes) -> Any:
    return attention.GPT2Attention(config(**sizes))


layer = Layer(
    "GPT2Attention",
    build,
    weights,
    sizes={"batch": B, "tokens": T, "n_embd": C, "n_head": H},
    others={"batch": 3, "tokens": 7, "n_embd": 20, "n_head": 2},
    symbolic=(C,),
)


def qkv(tokens: int = T, heads: int = H) -> list[Array]:
    """Queries, keys and values, [B, H, T, D], loud."""
    return [2 * noise(name, B, heads, tokens, D) for name in "qkv"]


def in_heads(heads: int = H, size: int = D) -> Array:
    return noise("heads", B, heads, T, size)


def side_by_side(heads: int = H, size: int = D) -> Array:
    return noise("heads", B, T, heads * size)


def extreme() -> list[Array]:
    """Scores from -104 to 104, and a last value that is enormous.

    Query and key of a token are one vector, its sign turned in the second batch row;
    the length grows from token to token. A mask that lets through a weight of 1e-32 is
    seen here, and exp(104) is infinite in float32. But differences between scores stay
    below 87: any maximum can be subtracted before the future is hidden, or after.
    """
    direction = noise("direction", B, H, 1, D).astype(np.float64)
    direction /= np.sqrt((direction**2).sum(-1, keepdims=True))
    length = np.array([5, 5.5, 6, 6.5, 10.2]) * D**0.25
    query = (direction * length[:, None]).astype(np.float32)
    value = noise("v", B, H, T, D)
    value[:, :, -1] *= np.float32(1e33)
    return [query, query * np.array([1, -1], np.float32)[:, None, None, None], value]


def moves(attention: Learner, method: str, heads: int, size: int) -> Array:
    """What _split_heads or _merge_heads gives."""
    call = attribute(layer.made(attention), method)
    x = side_by_side if method == "_split_heads" else in_heads
    return array(call(tensor(x(heads, size)), heads, size), f"{method}(...)")


def attends(attention: Learner, tokens: int, heads: int) -> Array:
    return _attends(attention, qkv(tokens, heads))


def attends_at_the_extremes(attention: Learner) -> Array:
    return _attends(attention, extreme())


def _attends(attention: Learner, three: list[Array]) -> Array:
    """What _attn returns, or the first of several things: many return the weights."""
    call = attribute(layer.made(attention), "_attn")
    answer = call(*(tensor(each) for each in three))
    first = answer[0] if isinstance(answer, tuple | list) and answer else answer
    return array(first, "_attn(...)")


def with_one_head(attention: Learner) -> Array:
    made = layer.made(attention, {**layer.sizes, "n_head": 1})
    return layer.answer(made, tensor(layer.x(layer.sizes)))


def handed_on(attention: Learner) -> dict[str, list[list[int]]]:
    """The numbers that __call__ hands to _split_heads, and the shapes to _attn."""
    made = layer.made(attention)
    split, numbers, shapes = made._split_heads, [], []

    def _split_heads(*given: Any, **named: Any) -> Any:
        every = (*given, *named.values())
        numbers.append([int(n) for n in every if isinstance(n, int)])
        return split(*given, **named)

    def _attn(*given: Any, **named: Any) -> Any:
        tensors = [n for n in (*given, *named.values()) if hasattr(n, "shape")]
        shapes.extend([int(n) for n in each.shape] for each in tensors)
        raise Unusable("what goes into _attn is known")

    stubs = replaced(made, "_split_heads", _split_heads), replaced(made, "_attn", _attn)
    with stubs[0], stubs[1], suppress(Exception):
        made(tensor(layer.x(layer.sizes)))
    return {"numbers": numbers, "shapes": shapes}
