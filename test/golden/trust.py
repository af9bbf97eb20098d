"""Writes trust.json: conformal and weighted quantiles, and distances of features, by numpy in float64.  Run: python3 trust.py"""

import json

import numpy as np

random = np.random.default_rng(7)


def conformal(n, level):
    values = random.gamma(2, 5, n)
    rank = min(1, np.ceil((n + 1) * level) / n)
    return {"values": values.tolist(), "level": level, "quantile": float(np.quantile(values, rank, method="inverted_cdf"))}


def typical(photographs, length, others):
    scale = random.uniform(0.1, 4, length)
    known = (random.normal(size=(photographs, length)) * scale + 3).astype(np.float32)
    pictures = (random.normal(size=(others, length)) * 1.3 * scale + 3).astype(np.float32)
    mean = known.astype(np.float64).mean(0)
    deviation = known.astype(np.float64).std(0)
    distances = (((pictures - mean) / deviation) ** 2).mean(1)
    return {
        "known": known.tolist(),
        "pictures": pictures.tolist(),
        "mean": mean.tolist(),
        "deviation": deviation.tolist(),
        "distances": distances.tolist(),
    }


golden = {
    "conformal": [conformal(n, level) for n, level in [(9, 0.9), (10, 0.9), (11, 0.5), (99, 0.9), (100, 0.9), (250, 0.95)]],
    "typicality": typical(60, 5, 8),
}
with open("trust.json", "w", encoding="utf8") as file:
    json.dump(golden, file)
