# right: the products written out with the layers' weights
from max.experimental.functional import gelu, matmul
from max.nn.module_v3 import Linear, Module


def affine(x, layer):
    return matmul(x, layer.weight.transpose(0, 1)) + layer.bias


class GPT2MLP(Module):
    def __init__(self, intermediate_size, config):
        self.c_fc = Linear(in_dim=config.n_embd, out_dim=intermediate_size)
        self.c_proj = Linear(in_dim=intermediate_size, out_dim=config.n_embd)

    def __call__(self, hidden_states):
        return affine(gelu(affine(hidden_states, self.c_fc), "tanh"), self.c_proj)
