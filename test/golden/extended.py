"""Golden values for activations, broadcasting, joining, layer normalisation, gathering, scans and cosine similarity.
Run: python3 extended.py"""
import torch
import torch.nn.functional as F
from golden import case, formula, save

cases = []


def add(operation, options, inputs, run):
    cases.append(case(operation, options, inputs, run))


for shape in [(1,), (7,), (3, 5), (2, 3, 4, 5), (601,)]:
    x = {"shape": list(shape), "seed": 1, "scale": 4.5}
    small = {"shape": list(shape), "seed": 1, "scale": 0.2}
    positive = {"shape": list(shape), "seed": 1, "shift": 1.5}
    for given in (x, small):
        add("gelu", {"approximate": "none"}, [given], F.gelu)
        add("gelu", {"approximate": "tanh"}, [given],
            lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x ** 3))))
        add("silu", {}, [given], F.silu)
        add("sigmoid", {}, [given], torch.sigmoid)
        add("tanh", {}, [given], torch.tanh)
        add("hardswish", {}, [given], F.hardswish)
    add("relu6", {}, [{**x, "scale": 9.0}], F.relu6)
    for exponent in (3, 2.0, 0, -2, 0.5, -1.7):
        given = {**x, "scale": 1.4} if exponent in (3, 2.0, 0) else positive
        add("pow", {"exponent": exponent}, [given], lambda x: x ** exponent)

save("extended", cases)
