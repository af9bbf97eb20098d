"""Writes losses.json: losses of rows of logits, written out in PyTorch.  Run: python3 losses.py

Targets are distributions made from the formula's numbers by softmax; the tests do the same. With "sparse" the smaller
half of their entries is set to 0 first.
"""

import torch

from golden import case, save


def distribution(t, sparse):
    p = t.detach().softmax(-1)
    if sparse:
        p = torch.where(p < p.median(dim=-1, keepdim=True).values, torch.zeros_like(p), p)
    return p / p.sum(-1, keepdim=True)


def soft_cross_entropy(x, t):
    return -(t * x.log_softmax(-1)).sum(-1)


def kl_divergence(x, t):
    return torch.nn.functional.kl_div(x.log_softmax(-1), t, reduction="none").sum(-1)


def earth_movers(x, t):
    difference = x.softmax(-1).cumsum(-1) - t.cumsum(-1)
    return difference.square().mean(-1).sqrt()


def expectation(x, y, levels):
    return ((x.softmax(-1) * levels).sum(-1) - y).abs()


cases = []
for seed, (rows, m, scale) in enumerate([(1, 2, 1), (3, 3, 2), (2, 4, 8), (5, 5, 1), (3, 8, 2), (2, 100, 3), (1, 999, 40), (9, 70, 1), (3, 300, 5)]):
    logits = {"shape": [rows, m], "seed": seed, "scale": scale}
    target = {"shape": [rows, m], "seed": seed + 20, "scale": 2.0, "gradient": False}
    for sparse in (False, True):
        for name, loss in (("softCrossEntropy", soft_cross_entropy), ("klDivergence", kl_divergence), ("earthMoversDistance", earth_movers)):
            cases.append(case(name, {"sparse": sparse}, [logits, target], lambda x, t: loss(x, distribution(t, sparse))))
    scores = {"shape": [rows], "seed": seed + 40, "scale": 40.0, "shift": 50.0, "gradient": False}
    levels = torch.linspace(1, 100, m)
    cases.append(case("expectationL1", {}, [logits, scores], lambda x, y: expectation(x, y, levels)))
for divisor in (None, 2.5):
    rows = {"shape": [7], "seed": 3}
    weights = {"shape": [7], "seed": 5, "scale": 0.5, "shift": 0.5, "gradient": False}
    cases.append(case("weightedMean", {"divisor": divisor}, [rows, weights], lambda x, w: ((x * w).sum() / (divisor or 7)).reshape(1)))
save("losses", cases)
