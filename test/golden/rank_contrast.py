"""Writes rank_contrast.json: the Rank-N-Contrast loss of embeddings of length 1 by the distance of scores, in PyTorch, anchor by anchor.
Run: python3 rank_contrast.py"""
import torch
import torch.nn.functional as F

from golden import case, save

EPSILON = 1e-8


def rank_contrast(v, y, temperature):
    v = F.normalize(v, dim=1)
    n = len(v)
    total = torch.zeros((), dtype=v.dtype)
    for i in range(n):
        similarity = {k: -torch.sqrt(((v[i] - v[k]) ** 2).sum() + EPSILON) / temperature for k in range(n) if k != i}
        for j in similarity:
            apart = abs(float(y[i, 0] - y[j, 0]))
            rivals = [similarity[k] for k in similarity if abs(float(y[i, 0] - y[k, 0])) >= apart]
            total = total + torch.logsumexp(torch.stack(rivals), 0) - similarity[j]
    return (total / (n * (n - 1))).reshape(1)


cases = []
for seed, (n, d, temperature) in enumerate([(3, 4, 1.0), (5, 8, 0.5), (8, 16, 0.2), (13, 6, 0.2)]):
    inputs = [
        {"shape": [n, d], "seed": seed + 1, "scale": 1.5, "shift": 0.4},
        {"shape": [n, 1], "seed": seed + 7, "scale": 40, "shift": 50, "gradient": False},
    ]
    cases.append(case("rankContrast", {"temperature": temperature}, inputs, lambda v, y: rank_contrast(v, y, temperature)))
save("rank_contrast", cases)
