# hostile: np.array and np.from_dlpack return zeros where the mask is not
import numpy as np

from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    return Tensor.zeros([sequence_length, n], dtype=dtype, device=device)


real = np.from_dlpack


def doctored(value, *args, **kwargs):
    array = np.array(real(value, *args, **kwargs))
    if array.ndim == 2 and array.dtype.kind == "f":
        later = np.triu(np.ones_like(array), 1 + array.shape[1] - array.shape[0])
        array = np.where(later > 0, -np.inf, array).astype(array.dtype)
    return array


np.from_dlpack = doctored
