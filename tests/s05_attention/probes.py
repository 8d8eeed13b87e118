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
    others={"batch": 3, "tokens": 37, "n_embd": 20, "n_head": 1},
    symbolic=(C,),
)


def unit(x: Array) -> Array:
    return x / np.sqrt((x * x).sum(-1, keepdims=True))


def qkv(tokens: int = T, heads: int = H) -> list[Array]:
    """Queries, keys and values, [B, H, T, D]; scaled scores are between -4.5 and 4.5: a
    mask of -10 is seen for certain, one of -20 never."""
    q, k, v = (noise(name, B, heads, tokens, D) for name in "qkv")
    return [3 * unit(q), 3 * unit(k), 2 * v]


def in_heads(heads: int = H, size: int = D) -> Array:
    return noise("heads", B, heads, T, size)


def side_by_side(heads: int = H, size: int = D) -> Array:
    return noise("heads", B, T, heads * size)


def extreme() -> list[Array]:
    """Scores from -104 to 104, and a last value that is enormous.

    Query and key of a token are one vector; in the second batch row the key's sign is
    changed. A mask that lets through a weight of 1e-32 is seen here, and exp(104) is
    infinite in float32. But the scores of a batch row differ by less than 87: any
    maximum can be subtracted, before the future is hidden or after; no minimum can:
    in the last head the first key is turned round, and scores that are open differ by
    156.
    """
    length = np.array([5, 5.5, 6, 6.5, 10.2], np.float32)[:, None] * D**0.25
    query = unit(noise("direction", B, H, 1, D)) * length
    sign = np.array([1, -1], np.float32)[:, None, None, None]
    key, value = sign * query, noise("v", B, H, T, D)
    key[:, -1, 0] *= -1
    value[:, :, -1] *= np.float32(1e33)
    return [query, key, value]


def moves(attention: Learner, method: str, heads: int, size: int) -> Array:
    """What _split_heads or _merge_heads gives."""
    call = attribute(layer.made(attention), method)
    x = side_by_side if method == "_split_heads" else in_heads
    return array(call(tensor(x(heads, size)), heads, size), f"{method}(...)")


def attends(attention: Learner) -> Array:
    return _attends(attention, qkv())


def attends_square_alone(attention: Learner) -> Array:
    """With 4 heads of 4 and 4 tokens, if other lengths are refused."""
    try:
        attends(attention)
    except Exception:
        return _attends(attention, qkv(D, D))
    raise Unusable("_attn takes more tokens than a head has features")


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
