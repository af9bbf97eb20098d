"""Compares the engine's neighbours with FAISS's flat search on a large set.

Run: python3 knn_compare.py [points channels k metric]     (8058 256 10 euclidean unless given; needs bun and python3-faiss)
Prints what agrees. Exits with 1 when a row differs by more than the order of equally near points: such a point may be
another one only where both are as near as the other to TIE of the largest value, the rounding of f32 sums.
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
scale = np.abs(expected_values).max()
error = np.abs(values - expected_values).max() / scale
other = indices != expected_indices
# The value of the engine's own choice, in float64, against that of FAISS at this place.
rows, places = np.nonzero(other)
a, b = (x[n].astype(np.float64) for n in (rows, indices[rows, places]))
own = ((a - b) ** 2).sum(1) if metric == "euclidean" else (a * b).sum(1) / np.sqrt((a * a).sum(1) * (b * b).sum(1))
real = int((np.abs(own - expected_values[rows, places]) > TIE * scale).sum())
report = {
    "points": points, "channels": channels, "k": k, "metric": metric, "copies": copies, "faiss": faiss.__version__,
    "entries": points * k, "equal": int((~other).sum()), "ties in another order": int(other.sum()) - real,
    "different": real, "largest error of a value": float(error), "seconds of FAISS": round(seconds, 2),
}  # fmt: skip
print(json.dumps(report, indent=2))
sys.exit(1 if real or not error < TIE else 0)
