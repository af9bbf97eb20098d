"""Writes ranking.json: the hinge loss of ranked pairs of rows of logits, written out in PyTorch.  Run: python3 ranking.py

Pairs of one margin are checked against torch.nn.MarginRankingLoss as they are made.
"""

import torch

from golden import case, save


def ranking(x, margins, size):
    levels = torch.linspace(0, 1, x.shape[1])
    better, worse = (x.softmax(-1) * levels).sum(-1).reshape(-1, 2).unbind(1)
    lacking = (margins[:, 0] - (better - worse)).clamp(min=0)
    if margins.shape[0] == 1:
        known = torch.nn.MarginRankingLoss(float(margins[0, 0]))(better, worse, torch.ones(1))
        assert torch.allclose(lacking[0], known)
    return (lacking.sum() / size).reshape(1)


cases = []
for seed, (pairs, m, scale) in enumerate([(1, 2, 1), (3, 5, 2), (7, 100, 3), (33, 20, 1), (2, 201, 40)]):
    logits = {"shape": [2 * pairs, m], "seed": seed, "scale": scale}
    for shift in (0.02, 0.3):
        margins = {"shape": [pairs, 1], "seed": seed + 20, "scale": 0.02, "shift": shift, "gradient": False}
        size = pairs + seed
        cases.append(case("rankingLoss", {"size": size}, [logits, margins], lambda x, t: ranking(x, t, size)))
save("ranking", cases)
