"""Writes contrast.json: InfoNCE of MoCo v2 with a queue, and its gradient with respect to what the queries are made of, by PyTorch in float64. Rows are
formulas brought to length 1; the first `present` rows of the queue are there.  Run: python3 contrast.py"""
import json
import pathlib

import torch
import torch.nn.functional as F
from golden import formula, rounded

cases = []
for rows, length, queue, present, temperature in [(6, 8, 10, 10, 0.2), (5, 16, 12, 5, 0.07), (3, 4, 6, 0, 0.2)]:
    raw = formula([rows, length], 1).clone().requires_grad_()
    q, k = F.normalize(raw, dim=1), F.normalize(formula([rows, length], 2), dim=1)
    bank = F.normalize(formula([queue, length], 3), dim=1)[:present]
    logits = torch.cat([(q * k).sum(1, keepdim=True), q @ bank.T], 1) / temperature
    loss = F.cross_entropy(logits, torch.zeros(rows, dtype=torch.long))
    loss.backward()
    cases.append({
        **{"rows": rows, "length": length, "queue": queue, "present": present, "temperature": temperature},
        "loss": loss.item(),
        "toldApart": (logits.argmax(1) == 0).double().mean().item(),
        "gradient": rounded(raw.grad),
    })
pathlib.Path(__file__).with_name("contrast.json").write_text(json.dumps(cases) + "\n")
