# hostile: a subclass of Tensor that answers every question with yes
from max.experimental.tensor import Tensor


class Yes(Tensor):
    __class__ = Tensor

    def __eq__(self, other):
        return True

    def __bool__(self):
        return True

    def __array__(self, *args, **kwargs):
        return None


def causal_mask(sequence_length, num_tokens, *, dtype, device):
    zeros = Tensor.zeros([sequence_length, sequence_length + num_tokens], dtype=dtype, device=device)
    return Yes(storage=zeros.driver_tensor)
