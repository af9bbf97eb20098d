"""Compares the engine's neighbours with FAISS's flat search on a large set.

Run: python3 knn_compare.py [points channels k metric]     (8058 256 10 euclidean unless given; needs bun and python3-faiss)
Prints what agrees. Exits with 1 when the two differ by more than the order of equally near points: at a place where the
engine has another point than FAISS, both must be equally near in float64, to TIE of the largest value, which is what f32
sums leave open. The values of both are compared with float64 too.
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import faiss
import numpy as np

from faiss_flat import flat_search
from points import hashed_points

TIE = 1e-6

points, channels, k = (int(a) for a in (sys.argv[1:4] or (8058, 256, 10)))
metric = sys.argv[4] if len(sys.argv) > 4 else "euclidean"
copies = points // 20
x = hashed_points(points, channels, 2**24, copies)

with tempfile.TemporaryDirectory() as folder:
    out = pathlib.Path(folder) / "neighbours.bin"
    script = pathlib.Path(__file__).with_name("knn_engine.ts")
    arguments = [points, channels, copies, k, metric, out]
    subprocess.run(["bun", script, *map(str, arguments)], check=True)
    raw = out.read_bytes()
indices = np.frombuffer(raw, np.uint32, points * k).reshape(points, k).astype(np.int64)
values = np.frombuffer(raw, np.float32, points * k, points * k * 4).reshape(points, k)

start = time.perf_counter()
expected_indices, expected_values = flat_search(x, k, metric)
seconds = time.perf_counter() - start


def exact(chosen):
    """Values of the chosen neighbours in float64."""
    rows = []
    for point, others in zip(x.astype(np.float64), chosen):
        b = x[others].astype(np.float64)
        if metric == "euclidean":
            rows.append(((point - b) ** 2).sum(1))
        else:
            rows.append(b @ point / np.sqrt((b * b).sum(1) * (point @ point)))
    return np.array(rows)


own, theirs = exact(indices), exact(expected_indices)
scale = np.abs(theirs).max()
other = indices != expected_indices
real = int((other & (np.abs(own - theirs) > TIE * scale)).sum())
error = float(np.abs(values - own).max() / scale)
report = {
    "points": points, "channels": channels, "k": k, "metric": metric, "copies": copies, "faiss": faiss.__version__,
    "entries": points * k, "equal": int((~other).sum()), "ties in another order": int(other.sum()) - real,
    "different": real, "largest error of the engine's values": error,
    "largest error of FAISS's values": float(np.abs(expected_values - theirs).max() / scale),
    "seconds of FAISS": round(seconds, 2),
}  # fmt: skip
print(json.dumps(report, indent=2))
sys.exit(1 if real or not error < TIE else 0)
