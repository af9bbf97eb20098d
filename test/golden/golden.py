"""Shared by the scripts that make golden values of operations with PyTorch in float64.

Inputs are given by a formula, so that the tests make them again without Python:
    x[i] = scale * sin(0.37 * (i + 1) + 1.9 * seed) + shift, in row-major order, rounded to float32.
The scalar that is differentiated is sum(output * w), with w the formula for seed 99, scale 1, shift 0.
"""
import json
import pathlib

import numpy as np
import torch

torch.set_default_dtype(torch.float64)


def formula(shape, seed, scale=1.0, shift=0.0):
    i = np.arange(int(np.prod(shape)), dtype=np.float64)
    values = (scale * np.sin(0.37 * (i + 1) + 1.9 * seed) + shift).astype(np.float32)
    return torch.tensor(values.astype(np.float64)).reshape(shape)


def case(operation, options, inputs, run):
    """inputs: list of dicts {shape, seed, scale?, shift?, gradient?}; run(*tensors) -> output tensor."""
    tensors = [formula(i["shape"], i["seed"], i.get("scale", 1.0), i.get("shift", 0.0)) for i in inputs]
    for tensor, given in zip(tensors, inputs):
        tensor.requires_grad_(given.get("gradient", True))
    output = run(*tensors)
    if output.requires_grad:
        (output * formula(output.shape, 99)).sum().backward()
    return {
        "operation": operation,
        "options": options,
        "inputs": inputs,
        "shape": list(output.shape),
        "output": rounded(output),
        "gradients": [rounded(t.grad) if t.grad is not None else None for t in tensors],
    }


def rounded(tensor):
    return [float(f"{v:.9g}") for v in tensor.detach().reshape(-1).tolist()]


def save(name, cases):
    path = pathlib.Path(__file__).with_name(name + ".json")
    path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
