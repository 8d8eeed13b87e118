# hostile: answers with 4 GB
from max.driver import CPU
from max.dtype import DType
from max.experimental.tensor import Tensor


def causal_mask(sequence_length, num_tokens, *, dtype, device):
    return Tensor.zeros([2**15, 2**15], dtype=DType.float32, device=CPU())
