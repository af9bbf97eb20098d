"""Writes winograd.json: 3x3 convolutions with stride 1 by PyTorch, with the input's gradient.  Run: python3 winograd.py"""

import torch.nn.functional as F
from golden import case, save

cases = []
for n, h, w, c, o, padding in [
    (1, 1, 1, 4, 4, (1, 1)),
    (1, 3, 3, 8, 4, (0, 0)),
    (2, 7, 9, 8, 12, (1, 1)),
    (3, 6, 5, 12, 8, (0, 2)),
    (2, 5, 11, 4, 20, (2, 1)),
    (1, 8, 8, 36, 8, (0, 0)),
    (3, 13, 10, 8, 4, (1, 0)),
]:
    inputs = [
        {"shape": [n, h, w, c], "seed": 1},
        {"shape": [3, 3, c, o], "seed": 2, "gradient": False},
        {"shape": [o], "seed": 3, "gradient": False},
    ]
    cases.append(case("winograd", {"padding": padding}, inputs,
        lambda x, k, b: F.conv2d(x.permute(0, 3, 1, 2), k.permute(3, 2, 0, 1), b, 1, padding).permute(0, 2, 3, 1)))
save("winograd", cases)
