"""Writes distributions.json: distances of distributions by SciPy, distributions on a score set and their cumulative shares by NumPy.

Run from this folder:  python3 distributions.py > distributions.json
"""

import json

import numpy as np
import scipy
from scipy import stats
from scipy.spatial.distance import jensenshannon

rng = np.random.default_rng(20261121)


def peak(m, mean, sd):
    return stats.norm.pdf(np.linspace(0, 1, m), mean, sd)


pairs = {
    "random of 5": (rng.random(5), rng.random(5)),
    "sums other than 1": (rng.random(10) * 7, rng.random(10) * 0.3),
    "two peaks of 100": (peak(100, 0.4, 0.08), peak(100, 0.55, 0.15)),
    "sparse of 20": (rng.random(20) * (rng.random(20) < 0.3), rng.random(20) * (rng.random(20) < 0.3)),
    "one-hot and uniform of 50": (np.eye(50)[7], np.ones(50)),
    "opposite ends": (np.eye(8)[0], np.eye(8)[7]),
    "equal": (np.arange(1.0, 7.0), 2 * np.arange(1.0, 7.0)),
}


def distances(p, q):
    scores = np.linspace(0, 1, len(p))
    differences = np.cumsum(p / p.sum()) - np.cumsum(q / q.sum())
    return {
        "jensenShannonDistance": jensenshannon(p, q),
        "wasserstein": stats.wasserstein_distance(scores, scores, p, q),
        "emd": np.sqrt(np.mean(differences**2)),
    }


def edges(m):
    """Ends of the positions that are nearest to each of m scores."""
    scores = np.linspace(0, 1, m)
    return np.concatenate(([0], (scores[1:] + scores[:-1]) / 2, [1]))


def share(p, at):
    return np.interp(at, edges(len(p)), np.concatenate(([0], np.cumsum(p) / p.sum())))


def on_scores(grades, m, window=(0, 1)):
    at = window[0] + (window[1] - window[0]) * edges(m)
    below = share(grades, at)
    below[0], below[-1] = 0, 1
    return np.diff(below)


counts = np.array([0, 3, 25, 61, 16.0])
positions = [-0.2, 0, 0.03, 0.125, 0.3, 0.5, 0.777, 0.99, 1, 1.4]
numbers = lambda values: [float(v) for v in values]

json.dump(
    {
        "scipy": scipy.__version__,
        "pairs": {
            name: {"p": numbers(p), "q": numbers(q), "expected": {k: float(v) for k, v in distances(p, q).items()}}
            for name, (p, q) in pairs.items()
        },
        "grades": [
            {"grades": numbers(grades), "levels": m, "window": window, "expected": numbers(on_scores(grades, m, window))}
            for grades, m, window in [
                (counts, 100, [0, 1]),
                (counts, 20, [0, 1]),
                (counts, 5, [0, 1]),
                (counts, 3, [0, 1]),
                (rng.random(10), 7, [0.1, 0.85]),
                (rng.random(5), 50, [-0.2, 1.1]),
            ]
        ],
        "normals": [
            {"mean": mean, "sd": sd, "levels": m, "expected": numbers(peak(m, mean, sd) / peak(m, mean, sd).sum())}
            for mean, sd, m in [(0.5, 0.1, 5), (0.31, 0.13, 100), (0.97, 0.3, 20), (-0.1, 0.2, 10)]
        ],
        "shares": [
            {"p": numbers(p), "at": positions, "expected": numbers(share(p, np.array(positions)))}
            for p in [counts, rng.random(2), rng.random(17)]
        ],
    },
    __import__("sys").stdout,
    indent=1,
)
