"""Parameters after each of five updates by PyTorch's optimisers in float64. Run: python3 optim.py"""
import json
import pathlib

import torch
from golden import formula, rounded

cases = []
for name, make in {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01, nesterov=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
}.items():
    parameter = formula([7], 1).clone().requires_grad_()
    optimiser = make([parameter])
    after = []
    for step in range(5):
        parameter.grad = formula([7], step + 2)
        optimiser.step()
        after.append(rounded(parameter))
    cases.append({"name": name, "after": after})
path = pathlib.Path(__file__).with_name("optim.json")
path.write_text(json.dumps(cases) + "\n")
