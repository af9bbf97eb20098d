"""Writes metrics.json: agreement measures of made-up score lists, computed by SciPy.

Run from this folder:  python3 metrics.py > metrics.json
"""

import json

import numpy as np
import scipy
from scipy import optimize, stats


def logistic(x, b1, b2, b3, b4):
    return (b1 - b2) / (1 + np.exp(-(x - b3) / np.abs(b4))) + b2


def measures(x, y, fit):
    x, y = np.asarray(x, float), np.asarray(y, float)
    out = {
        "srcc": stats.spearmanr(x, y)[0],
        "krcc": stats.kendalltau(x, y, variant="b")[0],
        "plcc": stats.pearsonr(x, y)[0],
        "rmse": np.sqrt(np.mean((x - y) ** 2)),
        "mae": np.mean(np.abs(x - y)),
        "slope": stats.linregress(y, x).slope,
    }
    if fit:
        ends = (y.max(), y.min()) if out["plcc"] >= 0 else (y.min(), y.max())
        best = None
        for width in (x.std() / 4, x.std()):
            p, _ = optimize.curve_fit(logistic, x, y, p0=(*ends, x.mean(), width), maxfev=100000, xtol=1e-14, ftol=1e-14)
            mapped = logistic(x, *p)
            error = np.sqrt(np.mean((mapped - y) ** 2))
            if best is None or error < best[0]:
                best = (error, stats.pearsonr(mapped, y)[0], [*p[:3], abs(p[3])])
        out["rmseFitted"], out["plccFitted"], out["parameters"] = best
    return {k: (list(map(float, v)) if isinstance(v, list) else float(v)) for k, v in out.items()}


rng = np.random.default_rng(20250707)
cases = {}


def add(name, x, y, fit=True):
    x, y = [round(float(v), 6) for v in x], [round(float(v), 6) for v in y]
    cases[name] = {"predicted": x, "mos": y, "expected": measures(x, y, fit)}


mos = rng.uniform(5, 95, 60)
add("noisy", mos + rng.normal(0, 12, 60), mos)
add("shrunk", 50 + 0.3 * (mos - 50) + rng.normal(0, 4, 60), mos)
t = rng.normal(0, 1, 80)
add("logistic", t, 80 / (1 + np.exp(-(t - 0.2) / 0.5)) + 10 + rng.normal(0, 3, 80))
add("falling", -t, 4 / (1 + np.exp(-t / 0.4)) + 1 + rng.normal(0, 0.3, 80))
add("ties", np.round(mos / 10 + rng.normal(0, 1, 60)), np.round(mos / 20), fit=False)
add("other scale", 1e5 + 1e4 * t, 0.5 + 0.3 * np.tanh(t) + rng.normal(0, 0.05, 80))
add("five", [1, 2, 3, 4, 5], [1.1, 1.2, 3.1, 4.8, 4.9], fit=False)
add("two", [1, 2], [5, 3], fit=False)

print(json.dumps({"scipy": scipy.__version__, "cases": cases}, indent=1))
