"""Writes labels.json: label distributions over the score set 1..100, computed by SciPy and by exact fractions.

gauss:   normal density at the scores by scipy.stats, divided by its sum.
maxent:  the maximum of the entropy under its two constraints, by its dual: min over t of log sum exp(t M) - t y (SciPy);
         for small sets also by a solver that knows only entropy and constraints (SLSQP).
pqr:     exp(-64 (s - a)^2) at the middles a of equal intervals of 0..1, divided by its sum, in NumPy.
deqa:    normal density at the levels, or with a deviation below half a level the mass within half of each (scipy.stats), then
         alpha p + beta with the sum and the mean of the label by a 2x2 system (numpy.linalg), clipped at 0 and divided by its
         sum; interpolated between neighbours with a deviation below 0.2 levels or a mean that is off by more than 0.1.
onehot5: the level i with lo + (i-1)/5 (hi-lo) < s <= lo + i/5 (hi-lo), in exact arithmetic.

Run from this folder:  python3 labels.py > labels.json
"""

import json
from fractions import Fraction

import numpy as np
import scipy
from scipy import optimize, special, stats


def score_set(levels):
    return 1 + 99 * np.arange(levels) / (levels - 1)


def gauss(y, levels, deviation):
    p = stats.norm(y, deviation).pdf(score_set(levels))
    return p / p.sum()


def maxent(y, levels):
    m = score_set(levels)
    z = (m - y) / 99

    def excess(t):
        return float(special.softmax(t * z) @ z)

    t = optimize.brentq(excess, -1e5, 1e5, xtol=1e-15, rtol=1e-15, maxiter=1000)
    return special.softmax(t * z)


def maxent_by_solver(y, levels):
    m = score_set(levels)
    constraints = [
        {"type": "eq", "fun": lambda p: p.sum() - 1},
        {"type": "eq", "fun": lambda p: (p @ m - y) / 99},
    ]
    start = np.full(levels, 1 / levels)
    found = optimize.minimize(
        lambda p: -special.entr(np.maximum(p, 0)).sum(),
        start,
        bounds=[(1e-15, 1)] * levels,
        constraints=constraints,
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 2000},
    )
    assert found.success, found.message
    return found.x


def onehot5(mos, lo, hi):
    s, lo, hi = Fraction(str(mos)), Fraction(lo), Fraction(hi)
    for i in range(1, 6):
        if lo + Fraction(i - 1, 5) * (hi - lo) < s <= lo + Fraction(i, 5) * (hi - lo):
            return i
    return 1


def pqr(y, levels):
    anchors = (np.arange(levels) + 0.5) / levels
    p = np.exp(-64 * ((y - 1) / 99 - anchors) ** 2)
    return p / p.sum()


def deqa(y, levels, deviation):
    """deviation on 1..100. Levels are counted from 1."""
    level = np.arange(1, levels + 1)
    per = (levels - 1) / 99
    mean, sd = 1 + (y - 1) * per, deviation * per
    below = min(int(mean), levels - 1)
    neighbours = np.where(level == below, below + 1 - mean, np.where(level == below + 1, mean - below, 0.0))
    if sd < 0.2:
        return neighbours
    normal = stats.norm(mean, sd)
    raw = normal.pdf(level) if sd >= 0.5 else normal.cdf(level + 0.5) - normal.cdf(level - 0.5)
    raw = raw / raw.sum()
    if abs(raw @ level - (levels + 1) / 2) < 1e-12:
        p = raw
    else:
        alpha, beta = np.linalg.solve([[raw.sum(), levels], [raw @ level, level.sum()]], [1, mean])
        p = alpha * raw + beta
    p = np.maximum(p, 0)
    p = p / p.sum()
    return p if abs(p @ level - mean) <= 0.1 else neighbours


rng = np.random.default_rng(20251121)
scores = [1, 1.003, 2.5, 20, 40.0001, 50, 50.5, 88.75, 99.9, 100, *np.round(rng.uniform(1, 100, 4), 6)]
cases = {"gauss": [], "maxent": [], "solver": [], "onehot5": [], "pqr": [], "deqa": []}
for levels, deviations in ((100, (10, 3)), (20, (10, 2.5)), (5, (10, 25))):
    for y in map(float, scores):
        for deviation in deviations:
            p = gauss(y, levels, deviation)
            cases["gauss"].append({"score": y, "levels": levels, "deviation": deviation, "label": p.tolist()})
        if 1 < y < 100:
            cases["maxent"].append({"score": y, "levels": levels, "label": maxent(y, levels).tolist()})
            if levels <= 20 and 2 < y < 99:
                cases["solver"].append({"score": y, "levels": levels, "label": maxent_by_solver(y, levels).tolist()})
for levels in (5, 10):
    for y in map(float, scores):
        cases["pqr"].append({"score": y, "levels": levels, "label": pqr(y, levels).tolist()})
        for deviation in (0, 0.9, 4.8, 10, 12.5, 18.4, 40):
            p = deqa(y, levels, deviation)
            cases["deqa"].append({"score": y, "levels": levels, "deviation": deviation, "label": p.tolist()})
for lo, hi in ((1, 5), (0, 100), (-3, 4)):
    # Every boundary, and beside it.
    for i in range(6):
        edge = Fraction(lo) + Fraction(i, 5) * (hi - lo)
        for mos in sorted({float(edge), float(edge) - 0.001, float(edge) + 0.001}):
            if lo <= mos <= hi:
                cases["onehot5"].append({"mos": round(mos, 6), "range": [lo, hi], "level": onehot5(round(mos, 6), lo, hi)})

print(json.dumps({"scipy": scipy.__version__, "cases": cases}))
