"""Writes linear_fits.json: elastic nets and ridge regressions whose penalties five folds choose, by scikit-learn in float64.

Run: python3 linear_fits.py   (numpy, scikit-learn)
"""
import json
import pathlib

import numpy as np
from sklearn.linear_model import ElasticNet, Ridge

FOLDS = 5
RATIOS = [0.1, 0.5, 0.9]
RIDGES = [1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100]


def made(n, d, seed):
    rng = np.random.default_rng(seed)
    hidden = rng.standard_normal((n, 4))
    x = hidden @ rng.standard_normal((4, d)) + 0.7 * rng.standard_normal((n, d))
    x = (x * rng.uniform(0.1, 5, d) + rng.uniform(-3, 3, d)).astype(np.float32).round(3)
    x[:, 2] = 1.5
    y = 0.5 + 0.1 * hidden[:, 0] - 0.05 * hidden[:, 1] ** 2 + 0.05 * rng.standard_normal(n)
    return x.astype(np.float32), y.round(6)


def standardised(x):
    x = x.astype(np.float64)
    deviation = x.std(0)
    return (x - x.mean(0)) / np.where(deviation > 1e-6, deviation, np.inf), x.mean(0), np.where(deviation > 1e-6, deviation, np.inf)


def over_folds(z, y, make):
    left_out = np.empty(len(y))
    for fold in range(FOLDS):
        test = np.arange(len(y)) % FOLDS == fold
        left_out[test] = make().fit(z[~test], y[~test]).predict(z[test])
    return ((left_out - y) ** 2).sum(), left_out


def layer(fit, mean, deviation):
    weights = fit.coef_ / deviation
    return {"weights": weights.tolist(), "constant": float(fit.intercept_ - weights @ mean)}


def net(alpha, ratio):
    return lambda: ElasticNet(alpha=alpha, l1_ratio=ratio, tol=1e-13, max_iter=1_000_000)


cases = {}
for name, n, d, seed in [("more pictures than features", 60, 12, 1), ("more features than pictures", 30, 50, 2)]:
    x, y = made(n, d, seed)
    z, mean, deviation = standardised(x)
    centred = y - y.mean()
    tried = [
        (alpha, ratio)
        for ratio in RATIOS
        for alpha in np.abs(z.T @ centred).max() / n / ratio * 1e-3 ** (np.arange(30) / 29)
    ]
    alpha, ratio = min(tried, key=lambda pair: over_folds(z, y, net(*pair))[0])
    chosen = {"alpha": alpha, "l1Ratio": ratio, "leftOut": over_folds(z, y, net(alpha, ratio))[1].tolist()}
    given = {"alpha": 0.01, "l1Ratio": 0.3}
    varying = int(np.isfinite(deviation).sum())
    ridge = lambda value: lambda: Ridge(alpha=value * varying, solver="cholesky")
    best = min(RIDGES, key=lambda value: over_folds(z, y, ridge(value))[0])
    cases[name] = {
        "d": d, "features": x.ravel().tolist(), "y": y.tolist(),
        "net": {**chosen, **layer(net(alpha, ratio)().fit(z, y), mean, deviation)},
        "givenNet": {**given, **layer(net(0.01, 0.3)().fit(z, y), mean, deviation)},
        "ridge": {"ridge": best, "leftOut": over_folds(z, y, ridge(best))[1].tolist(), **layer(ridge(best)().fit(z, y), mean, deviation)},
        "givenRidge": {"ridge": 3e-3, **layer(ridge(3e-3)().fit(z, y), mean, deviation)},
    }
rounded = lambda value: (
    {k: rounded(v) for k, v in value.items()} if isinstance(value, dict)
    else [rounded(v) for v in value] if isinstance(value, list)
    else float(f"{value:.12g}") if isinstance(value, float) else value
)
path = pathlib.Path(__file__).with_name("linear_fits.json")
path.write_text(json.dumps(rounded(cases), separators=(",", ":")).replace(',"', ',\n"') + "\n")
print(f"{path.name}: {path.stat().st_size} bytes", {k: (v["net"]["alpha"], v["net"]["l1Ratio"], v["ridge"]["ridge"]) for k, v in cases.items()})
