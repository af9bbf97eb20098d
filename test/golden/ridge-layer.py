"""Writes ridge-layer.json: the linear layer that ridge regression gives, on features as they are, in float64 by NumPy: columns are brought to mean 0 and
variance 1 (those that do not vary to 0), D of which vary; least |y − b − Zw|² + λ D |w|²; then w and b for the features themselves. λ is the one with
the least error on rows that are left out one by one, by solving again without each.

Run from this folder:  python3 ridge-layer.py > ridge-layer.json
"""

import json

import numpy as np
from ridge import RIDGES, features


def solved(z, y, penalty):
    z1 = np.hstack([z, np.ones((len(y), 1))])
    system = z1.T @ z1 + np.diag([penalty] * z.shape[1] + [0.0])
    found = np.linalg.lstsq(system, z1.T @ y, rcond=None)[0]
    return found[:-1], found[-1]


def case(n, d, seed, ridge):
    x = features(n, d, seed)
    y = np.round(0.5 + 0.3 * x[:, 0] - 0.15 * x[:, 1] ** 2 + 0.08 * np.sin(7.1 * np.arange(n)), 6)
    deviation = x.std(0)
    scale = np.where(deviation > 1e-9, 1 / np.where(deviation > 1e-9, deviation, 1), 0)
    count = int((scale > 0).sum())
    z = (x - x.mean(0)) * scale
    errors = {}
    for each in [ridge] if ridge else RIDGES:
        left = [(i, np.delete(np.arange(n), i)) for i in range(n)]
        fits = [(i, solved(z[rest], y[rest], each * count)) for i, rest in left]
        errors[each] = np.mean([(y[i] - b - z[i] @ w) ** 2 for i, (w, b) in fits])
    chosen = min(errors, key=errors.get)
    w, b = solved(z, y, chosen * count)
    weights = w * scale
    expected = {"ridge": chosen, "weights": weights.tolist(), "constant": float(b - x.mean(0) @ weights)}
    return {"d": d, "features": x.ravel().tolist(), "y": y.tolist(), "ridge": ridge, "expected": expected}


if __name__ == "__main__":
    print(
        json.dumps(
            {
                "more pictures than features": case(20, 6, 1, 0),
                "fewer pictures than features": case(9, 14, 2, 0),
                "a given ridge": case(12, 5, 3, 0.3),
            }
        )
    )
