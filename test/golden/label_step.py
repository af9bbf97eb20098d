"""Writes label_step.json: the label step of CPL-IQA in float64 by NumPy, straight from Eq. 3-8, with dense matrices.

Run from this folder:  python3 label_step.py > label_step.json
"""

import itertools
import json

import numpy as np

LABELLED, UNLABELLED, D, M, K, GAMMA = 12, 28, 6, 5, 4, 0.9
N = LABELLED + UNLABELLED
random = np.random.default_rng(5)


def mean_square_distance(x):
    return np.mean(np.sum((x[:, None] - x[None]) ** 2, axis=-1))


def points(space, features, answers):
    cdf = np.cumsum(answers, axis=1)
    if space == "both":
        return np.concatenate([x * np.sqrt(2 / mean_square_distance(x)) for x in (features, cdf)], axis=1)
    return {"embedding": features, "cdf": cdf}[space]


def normalised_graph(x):
    distances = np.sum((x[:, None] - x[None]) ** 2, axis=-1)
    np.fill_diagonal(distances, np.inf)
    near = np.argsort(distances, axis=1)[:, :K]
    kept = np.take_along_axis(distances, near, axis=1)
    a = np.zeros((N, N))
    np.put_along_axis(a, near, np.exp(-kept / (2 * np.mean(kept))), axis=1)
    a = a + a.T
    degree = a.sum(axis=1)
    return a / np.sqrt(np.outer(degree, degree))


def confidence(p):
    terms = np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0)
    return 1 + terms.sum(axis=1) / np.log(p.shape[1])


def label_step(features, answers, labels, space, source, divide):
    w = normalised_graph(points(space, features, answers))
    y = np.concatenate([labels, np.zeros((UNLABELLED, M))])
    z = np.maximum(np.linalg.solve(np.eye(N) - GAMMA * w, y), 0)
    spread = z / z.sum(axis=1, keepdims=True)
    vectors = {"propagated": spread, "own": answers, "mean": (spread + answers) / 2}[source]
    omega = confidence(vectors)
    largest = {"off": 1.0, "all": omega.max(), "unlabelled": omega[LABELLED:].max()}[divide]
    return vectors[LABELLED:], omega[LABELLED:] / largest


features = random.normal(size=(N, D)).astype(np.float32)
features[:, 2] *= 4
answers = random.dirichlet(np.full(M, 0.6), size=N).astype(np.float32)
labels = random.dirichlet(np.full(M, 0.3), size=LABELLED).astype(np.float32)
wide = [x.astype(np.float64) for x in (features, answers, labels)]
spaces = ("embedding", "cdf", "both")
cases = []
for space, source, divide in itertools.product(spaces, ("propagated", "own", "mean"), ("off", "all", "unlabelled")):
    targets, weights = label_step(*wide, space, source, divide)
    options = {"graphSpace": space, "pseudoSource": source, "divideByMaximum": divide}
    cases.append({"options": options, "targets": targets.round(8).tolist(), "weights": weights.round(8).tolist()})
golden = {
    "options": {"levels": M, "neighbours": K, "gamma": GAMMA},
    "features": features.tolist(),
    "answers": answers.tolist(),
    "labels": labels.tolist(),
    "points": {space: points(space, *wide[:2]).round(8).tolist() for space in spaces},
    "cases": cases,
}
print(json.dumps(golden))
