"""Writes propagation.json: label propagation (CPL-IQA Eq. 4-8) in float64 by NumPy with dense matrices, on graphs where labels come far: chains,
stars, disconnected graphs, a bridge that hardly counts. mpmath checks with 80 digits that float64 is enough for the deepest.

Run from this folder:  python3 propagation.py > propagation.json
"""

import json

import mpmath
import numpy as np

M = 6


def chain(n, weight=lambda i: 1.0):
    """Lists of one neighbour: each point has an edge to the next, the last to itself, which is none."""
    return [[min(i + 1, n - 1)] for i in range(n)], [[weight(i)] for i in range(n)]


def star(leaves):
    return [[0] for _ in range(leaves + 1)], [[1.0] for _ in range(leaves + 1)]


def spokes(arms, length):
    near = [[0]] + [[0 if b == 0 else a * length + b] for a in range(arms) for b in range(length)]
    return near, [[1.0] for _ in near]


def beside(*graphs):
    """Graphs that have nothing to do with each other."""
    near, weights, first = [], [], 0
    for lists, given in graphs:
        near += [[j + first for j in row] for row in lists]
        weights += given
        first += len(lists)
    return near, weights


def bridged(weight):
    """Two chains of 20, and one edge between their ends."""
    near, weights = chain(40)
    weights[19] = [weight]
    return near, weights


def uneven(i):
    return float(np.float32(0.05 + 0.95 * abs(np.sin(1.7 * i + 0.3))))


GRAPHS = {
    "chain of 120, labels at one end": (chain(120), [0, 1, 2]),
    "chain of 120, labels here and there": (chain(120), [10, 60, 61]),
    "chain of 120, uneven weights": (chain(120, uneven), [0, 50, 119]),
    "star of 100": (star(100), [1, 2, 3]),
    "spokes of a wheel": (spokes(9, 11), [11, 22, 33]),
    "three graphs, one without a label": (beside(chain(30), star(20), chain(15), ([[0]], [[1.0]])), [0, 29, 35]),
    "a bridge of weight 1e-12": (bridged(1e-12), [0, 3, 7]),
    "a bridge of weight 0": (bridged(0.0), [0, 3, 7]),
}


def normalised(near, weights):
    n = len(near)
    a = np.zeros((n, n))
    for i, (row, given) in enumerate(zip(near, weights)):
        for j, weight in zip(row, given):
            if i != j:
                a[i, j] += weight
                a[j, i] += weight
    degree = a.sum(axis=1)
    degree[degree == 0] = 1
    return a / np.sqrt(np.outer(degree, degree))


def labels(rows):
    """Neighbour interpolation of scores that are far from each other."""
    targets = np.zeros((len(rows), M))
    for i, _ in enumerate(rows):
        score = (0.4 + 2.3 * i) % (M - 1)
        targets[i, int(score)] = 1 - score % 1
        targets[i, int(score) + 1] = score % 1
    return targets.astype(np.float32).astype(np.float64)


def spread(w, rows, targets, gamma):
    y = np.zeros((len(w), M))
    y[rows] = targets
    return np.linalg.solve(np.eye(len(w)) - gamma * w, y)


def pseudo(z):
    mass = z.sum(axis=1, keepdims=True)
    return np.where(mass > 0, z / np.where(mass > 0, mass, 1), 1 / M)


def confidence(p):
    return 1 + np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0).sum(axis=1) / np.log(M)


def check_deepest():
    mpmath.mp.dps = 80
    (near, weights), rows = GRAPHS["chain of 120, labels at one end"]
    w, targets = normalised(near, weights), labels(rows)
    z = spread(w, rows, targets, 0.5)
    y = mpmath.zeros(len(w), 1)
    for i, row in enumerate(rows):
        y[row] = targets[i, 2] + targets[i, 3]
    exact = mpmath.lu_solve(mpmath.eye(len(w)) - 0.5 * mpmath.matrix(w.tolist()), y)
    worst = max(abs(mpmath.mpf(z[i, 2] + z[i, 3]) / exact[i] - 1) for i in range(len(w)) if exact[i] != 0)
    assert exact[len(w) - 1] < 1e-60 and worst < 1e-12, worst


check_deepest()
cases = []
for name, ((near, weights), rows) in GRAPHS.items():
    targets = labels(rows)
    solutions = []
    for gamma in (0.5, 0.9, 0.99, 0.999):
        p = pseudo(spread(normalised(near, weights), rows, targets, gamma))
        isolated = int((spread(normalised(near, weights), rows, targets, gamma).sum(axis=1) <= 0).sum())
        scores = (p @ np.arange(M)).round(7).tolist()
        solutions.append({"gamma": gamma, "scores": scores, "confidence": confidence(p).round(7).tolist(), "unreachable": isolated})
    cases.append({"name": name, "near": near, "weights": weights, "rows": rows, "targets": targets.tolist(), "solutions": solutions})
print(json.dumps(cases))
