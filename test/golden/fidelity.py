"""Writes fidelity.json: fidelity loss of an ensemble and its heads on pairs of known preference, and the disagreement of the heads on
pairs, by Thurstone's model with unit variances, in PyTorch.  Run: python3 fidelity.py"""
import itertools

import torch

from golden import case, save

EPSILON = 1e-8


def fidelity(p, g):
    return 1 - torch.sqrt(p * g + EPSILON) - torch.sqrt((1 - p) * (1 - g) + EPSILON)


def preference(q, i, j):
    return torch.distributions.Normal(0.0, 1.0).cdf((q[i] - q[j]) / 2**0.5)


def loss(scores, known, weights):
    total = 0
    pairs = list(itertools.combinations(range(len(scores)), 2))
    for (i, j), g, w in zip(pairs, known[:, 0], weights[:, 0]):
        heads = [fidelity(preference(scores[:, k], i, j), g) for k in range(scores.shape[1])]
        total = total + w * (fidelity(preference(scores.mean(1), i, j), g) + sum(heads) / len(heads))
    return total.reshape(1)


def diversity(scores):
    distances = []
    for i, j in itertools.combinations(range(len(scores)), 2):
        p = [preference(scores[:, k], i, j) for k in range(scores.shape[1])]
        distances += [fidelity(a, b) for a, b in itertools.combinations(p, 2)]
    return torch.stack(distances).mean().reshape(1)


cases = []
for seed, (rows, heads, scale) in enumerate([(2, 2, 1), (3, 3, 1), (4, 8, 0.3), (6, 5, 2)]):
    scores = {"shape": [rows, heads], "seed": seed + 1, "scale": scale}
    pairs = rows * (rows - 1) // 2
    known = {"shape": [pairs, 1], "seed": 7, "scale": 0.45, "shift": 0.5, "gradient": False}
    weights = {"shape": [pairs, 1], "seed": 8, "scale": 0.1, "shift": 0.3, "gradient": False}
    cases.append(case("preferenceLoss", {}, [scores, known, weights], loss))
    cases.append(case("diversity", {}, [scores], diversity))
save("fidelity", cases)
