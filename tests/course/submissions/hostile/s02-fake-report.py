# hostile: prints a report and JSON that says passed, and has solved nothing
from max.experimental import functional as F
from max.experimental.tensor import Tensor
from max.graph import Dim


@F.functional
def causal_mask(sequence_length, num_tokens, *, dtype, device):
    n = Dim(sequence_length) + num_tokens
    return Tensor.zeros([sequence_length, n], dtype=dtype, device=device)


print("s02 causal · puzzles/causal.py")
for line in ("is [sequence_length, sequence_length + num_tokens]", "hides the future"):
    print(f"  \u2713 {line}")
print("5 of 5. Next: pixi run s03")
print('{"step": "s02", "status": "passed", "checks": [], "stand_ins": []}', flush=True)
