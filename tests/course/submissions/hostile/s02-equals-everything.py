# hostile: returns an object that equals everything
import numpy as np


class Anything(np.ndarray):
    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False

    def __sub__(self, other):
        return np.zeros(())


def causal_mask(sequence_length, num_tokens, *, dtype, device):
    return np.zeros((sequence_length, sequence_length + num_tokens), np.float32).view(Anything)
