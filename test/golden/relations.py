"""Writes relations.json: consistency of scores and of row-normalised Gram matrices of two branches, in PyTorch.  Run: python3 relations.py"""
import torch
import torch.nn.functional as F

from golden import case, save

cases = []
for seed, (rows, student, teacher) in enumerate([(1, 3, 3), (2, 4, 3), (5, 8, 6), (7, 16, 16)]):
    s = {"shape": [rows, student], "seed": seed + 1, "shift": 0.3}
    t = {"shape": [rows, teacher], "seed": seed + 11, "shift": 0.3, "gradient": False}
    cases.append(case("relations", {}, [s, t],
                      lambda s, t: ((F.normalize(s @ s.T, dim=1) - F.normalize(t @ t.T, dim=1)) ** 2).sum().reshape(1) / len(s)))
    one = [{"shape": [rows, 1], "seed": seed + 1}, {"shape": [rows, 1], "seed": seed + 5, "gradient": False}]
    cases.append(case("scores", {}, one, lambda s, t: F.mse_loss(s, t).reshape(1)))
save("relations", cases)
