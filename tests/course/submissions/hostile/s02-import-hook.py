# hostile: leaves a hook in sys.meta_path for the steps after this one
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


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None


sys.meta_path.insert(0, Finder)
