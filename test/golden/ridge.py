"""Writes ridge.json: kernel ridge regression with a free constant in float64 by NumPy, straight from its definition: one linear system for all,
and one more for each picture that is left out.

Run from this folder:  python3 ridge.py > ridge.json
"""

import json

import numpy as np

WIDTHS = [0.25, 0.5, 1, 2, 4]
RIDGES = [1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]


def features(rows, d, seed):
    i = np.arange(rows * d, dtype=np.float64)
    x = (np.sin(0.37 * (i + 1) + 1.9 * seed) + 0.5 * np.sin(0.011 * i * i)).astype(np.float32).astype(np.float64).reshape(rows, d)
    x[:, d - 1] = 0.25
    return x


def kernel(a, b, count, kind, width):
    if kind == "linear":
        return a @ b.T / count
    return np.exp(-((a[:, None] - b[None, :]) ** 2).sum(2) / (2 * width**2 * count))


def solved(k, y, ridge):
    """alpha and the constant: [[K + ridge, 1], [1, 0]] [alpha, b] = [y, 0]."""
    n = len(y)
    system = np.block([[k + ridge * np.eye(n), np.ones((n, 1))], [np.ones((1, n)), np.zeros((1, 1))]])
    found = np.linalg.solve(system, np.append(y, 0))
    return found[:n], found[n]


def left_out(k, y, ridge):
    out = []
    for i in range(len(y)):
        rest = np.delete(np.arange(len(y)), i)
        alpha, constant = solved(k[np.ix_(rest, rest)], y[rest], ridge)
        out.append(constant + k[i, rest] @ alpha)
    return np.array(out)


def case(n, u, d, seed, kind, width, ridge):
    x = features(n + u, d, seed)
    y = np.round(50 + 30 * x[:n, 0] - 15 * x[:n, 1] ** 2 + 8 * np.sin(7.1 * np.arange(n)), 6)
    deviation = x.std(0)
    varies = deviation > 1e-9
    z = (x - x.mean(0))[:, varies] / deviation[varies]
    count = int(varies.sum())
    tried = [
        (np.mean((left_out(kernel(z[:n], z[:n], count, kind, w), y, r) - y) ** 2), w, r)
        for w in ([None] if kind == "linear" else [width] if width else WIDTHS)
        for r in ([ridge] if ridge else RIDGES)
    ]
    _, chosen, lam = min(tried, key=lambda each: each[0])
    k = kernel(z[:n], z[:n], count, kind, chosen)
    cross = kernel(z[:n], z[n:], count, kind, chosen)
    alpha, constant = solved(k, y, lam)
    prior = (z[n:] ** 2).sum(1) / count if kind == "linear" else np.ones(u)
    taken = (cross * np.linalg.solve(k + lam * np.eye(n), cross)).sum(0)
    return {
        "n": n,
        "d": d,
        "options": {"kernel": kind, "width": width, "ridge": ridge},
        "features": x.ravel().tolist(),
        "y": y.tolist(),
        "expected": {
            "width": chosen,
            "ridge": lam,
            "leftOut": left_out(k, y, lam).tolist(),
            "predictions": (constant + cross.T @ alpha).tolist(),
            "explained": (taken / prior).tolist(),
        },
    }


if __name__ == "__main__":
    print(
        json.dumps(
            {
                "rbf, both chosen": case(24, 9, 5, 1, "rbf", 0, 0),
                "rbf, width given": case(12, 4, 8, 2, "rbf", 1.5, 0),
                "rbf, both given": case(15, 6, 4, 3, "rbf", 0.7, 0.02),
                "linear, ridge chosen": case(20, 5, 6, 4, "linear", 0, 0),
                "linear, fewer pictures than features": case(5, 3, 12, 5, "linear", 0, 0.5),
                "two labelled pictures": case(2, 3, 3, 6, "rbf", 1, 0.1),
            }
        )
    )
