"""Weights and pictures by the formula that backbones.py explains, for networks whose weights are not stored."""
import math
import re

import numpy as np
import torch

# The last norm of a branch with a shortcut.
ENDS = re.compile(r"(bn3|conv\.[23])\.weight$")


def noise(name, size):
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = (seed ^ byte) * 0x01000193 % 2**32
    x = np.arange(size, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return 2 * x.astype(np.float64) / 2**32 - 1


def filled(model, small_ends=False):
    """The model with weights by their names; `small_ends` is for cases that train."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("num_batches_tracked"):
                continue
            values = noise(name, tensor.numel())
            if tensor.dim() > 1:
                values = values * math.sqrt(4.5 / (tensor.numel() / tensor.shape[0]))
            elif name.endswith("running_var"):
                values = 1 + values / 2
            elif name.endswith(("running_mean", "bias")):
                values = values / 10
            else:
                values = 1 + values / 5
                if small_ends and ENDS.search(name):
                    values = 0.3 * values
            tensor.copy_(torch.tensor(values.astype(np.float32).astype(np.float64)).reshape(tensor.shape))
    return model


def summary(gradient):
    """Length of a gradient, and its product with the noise called "direction"."""
    flat = gradient.reshape(-1)
    along = flat @ torch.tensor(noise("direction", flat.numel()))
    return {"norm": float(f"{flat.norm().item():.9g}"), "along": float(f"{along.item():.9g}")}
