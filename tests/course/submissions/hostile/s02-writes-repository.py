# hostile: writes into the repository by absolute paths, in every way
import os
import pathlib
import shutil
import sys

from max.driver import Device
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    mask = Tensor.full([sequence_length, n], float("-inf"), dtype=dtype, device=device)
    return F.band_part(mask, num_lower=-1, num_upper=num_tokens, exclude=True)


roots = {os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}
roots |= {path for path in sys.path if os.path.isdir(os.path.join(path, "checker"))}
for root in roots:
    target = os.path.join(root, "tests", "hacked.txt")
    ways = [
        lambda: open(target, "a").write("was here"),
        lambda: pathlib.Path(target).write_text("was here"),
        lambda: os.write(os.open(target, os.O_WRONLY | os.O_CREAT), b"was here"),
        lambda: shutil.copy(__file__, target),
        lambda: os.mkdir(target + ".d"),
        lambda: os.symlink("/etc/passwd", target + ".l"),
        lambda: os.rename(os.path.join(root, "README.md"), target),
    ]
    for way in ways:
        try:
            way()
        except Exception:
            pass
