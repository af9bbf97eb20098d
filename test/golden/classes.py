"""Writes classes.json: metrics of classes in float64 by NumPy, straight from their definitions, picture by picture.

Run from this folder:  python3 classes.py > classes.json
"""

import json

import numpy as np

rng = np.random.default_rng(20261129)


def metrics(predicted, truth, classes):
    p, t = np.asarray(predicted), np.asarray(truth)
    f1, by_class = [], []
    for c in range(classes):
        hit, said, is_c = np.sum((p == c) & (t == c)), np.sum(p == c), np.sum(t == c)
        if said + is_c > 0:
            precision = hit / said if said else 0.0
            recall = hit / is_c if is_c else 0.0
            f1.append(2 * precision * recall / (precision + recall) if hit else 0.0)
        by_class.append(float(np.mean(np.abs(p - t)[t == c])) if is_c else None)
    top = t >= classes - 2
    # All pairs of a prediction with a truth: what chance would give.
    chance = np.mean((p[:, None] - t[None, :]) ** 2.0)
    return {
        "accuracy": float(np.mean(p == t)),
        "macroF1": float(np.mean(f1)),
        "quadraticKappa": float(1 - np.mean((p - t) ** 2.0) / chance) if chance else None,
        "mae": float(np.mean(np.abs(p - t))),
        "maeOfHighestTwo": float(np.mean(np.abs(p - t)[top])) if top.any() else None,
        "byClass": by_class,
    }


def near(truth, classes, spread):
    return np.clip(np.round(truth + rng.normal(0, spread, len(truth))), 0, classes - 1).astype(int)


truths = {
    "skewed of 5": (rng.choice(5, 200, p=[0.022, 0.132, 0.494, 0.332, 0.02]), 5),
    "two classes": (rng.integers(0, 2, 40), 2),
    "class 0 and the highest two empty of 5": (rng.integers(1, 3, 30), 5),
    "one class of 4": (np.full(12, 2), 4),
}
cases = {name: (near(t, c, 0.8), t, c) for name, (t, c) in truths.items()}
cases["opposite"] = (np.array([1, 0, 1, 0]), np.array([0, 1, 0, 1]), 2)
cases["all one class, said as well"] = (np.full(5, 3), np.full(5, 3), 5)
cases["a class predicted that is not true"] = (np.array([4, 2, 2, 1]), np.array([2, 2, 3, 1]), 5)
cases["one picture"] = (np.array([0]), np.array([2]), 3)

print(
    json.dumps(
        {
            name: {"predicted": p.tolist(), "truth": t.tolist(), "classes": c, "expected": metrics(p, t, c)}
            for name, (p, t, c) in cases.items()
        }
    )
)
