"""Weights of 4 bits: what they stand for, what MAX makes of them, what they cost."""

from pathlib import Path

import numpy as np
import pytest

from checker.course import ROOT
from models import quantized
from models.checkpoint import open_checkpoint

pytestmark = pytest.mark.max

AUSTEN = ROOT / "models" / "austen"


def loud(rows: int, columns: int) -> np.ndarray:
    rng = np.random.default_rng(rows * columns)
    return rng.normal(size=(rows, columns)).astype(np.float32)


def test_error_is_half_a_step() -> None:
    """A weight is off by half a step at most, a step being a 16th of the range: but for
    the far end of it, which is one step short."""
    weights = loud(64, 96)
    unpacked = quantized.unpack_q4_0(quantized.pack_q4_0(weights), 64)
    blocks = weights.reshape(-1, 32)
    steps = np.repeat(np.abs(blocks).max(-1) / 8, 32).reshape(weights.shape)
    error = np.abs(unpacked - weights)
    assert (error <= 1.001 * steps).all()
    assert np.mean(error <= 0.502 * steps) > 0.97


def test_values_of_a_block() -> None:
    """The largest is -8 times the scale, nothing stays nothing; a row is padded."""
    weights = np.zeros((1, 32), np.float32)
    weights[0, :4] = 8, -8, 4, 1
    packed = quantized.pack_q4_0(weights)
    assert packed.shape == (32, 18) and packed.dtype == np.uint8
    assert quantized.unpack_q4_0(packed, 1)[0, :5].tolist() == [8, -7, 4, 1, 0]
    assert not quantized.unpack_q4_0(packed, 32)[1:].any()


def test_rows_have_to_be_whole_blocks() -> None:
    with pytest.raises(ValueError, match="rows of 33 are no multiple of 32"):
        quantized.pack_q4_0(loud(2, 33))


def test_packed_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made once, is about a seventh as large, and another when the checkpoint is
    another."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    checkpoint = open_checkpoint(str(AUSTEN))
    path = quantized.packed_file(checkpoint)
    assert path.is_relative_to(tmp_path)
    written = path.stat().st_mtime_ns
    assert quantized.packed_file(checkpoint).stat().st_mtime_ns == written
    linear = sum(
        each.size
        for name, each in checkpoint.state_dict().items()
        if name.endswith((*quantized.CONV1D, "lm_head.weight"))
    )
    rest = sum(each.nbytes for each in checkpoint.state_dict().values()) - 4 * linear
    assert path.stat().st_size < 1.02 * (linear * 18 / 32 + rest) + 20_000


def test_product_is_that_of_the_unpacked_weights() -> None:
    """MAX multiplies with packed weights as with what they stand for, and adds the
    bias; rows that were padded are cut off."""
    from max.driver import CPU
    from max.dtype import DType
    from max.graph import TensorType

    weights, bias, x = loud(40, 64), loud(1, 40)[0], loud(6, 64).reshape(2, 3, 64)
    packed = quantized.pack_q4_0(weights)
    layer = quantized.QuantizedLinear(packed, 40, bias)
    kind = TensorType(DType.float32, ("batch", "seqlen", 64), device=CPU())
    got = np.from_dlpack(layer.compile(kind)(x))
    want = x @ quantized.unpack_q4_0(packed, 40).T + bias
    assert got.shape == (2, 3, 40)
    # MAX rounds x to 8 bits for the product
    assert np.abs(got - want).max() < 0.02 * np.abs(want).max()
