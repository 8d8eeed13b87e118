# hostile: patches everything called checker in sys.modules
import sys

from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    return Tensor.zeros([sequence_length, n], dtype=dtype, device=device)


for name, module in list(sys.modules.items()):
    if name.split(".")[0] in ("checker", "tests", "__main__"):
        for attribute, value in list(vars(module).items()):
            if callable(value) and not attribute.startswith("__"):
                setattr(module, attribute, lambda *args, **kwargs: True)
