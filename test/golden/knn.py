"""Golden neighbours by FAISS's flat search (Debian: apt-get install python3-faiss).   Run: python3 knn.py"""
import json
import pathlib

import numpy as np

from faiss_flat import flat_search
from points import hashed_points

CASES = [
    {"points": 300, "channels": 17, "levels": 2**24, "copies": 40, "k": 10, "metric": "euclidean"},
    {"points": 300, "channels": 17, "levels": 2**24, "copies": 0, "k": 10, "metric": "cosine"},
    # Few distinct distances: nearly all of the order is by index.
    {"points": 200, "channels": 4, "levels": 4, "copies": 20, "k": 10, "metric": "euclidean"},
]

golden = []
for case in CASES:
    x = hashed_points(case["points"], case["channels"], case["levels"], case["copies"])
    indices, values = flat_search(x, case["k"], case["metric"])
    # Neighbours are equally near or clearly not, so that the order does not hang on rounding.
    gaps = np.abs(np.diff(values.astype(np.float64), axis=1))
    assert np.all((gaps == 0) | (gaps > 4e-7 * np.abs(values).max())), gaps[gaps > 0].min()
    golden.append({**case, "indices": indices.ravel().tolist(), "values": [float(f"{v:.9g}") for v in values.ravel()]})

target = pathlib.Path(__file__).with_suffix(".json")
target.write_text(json.dumps(golden) + "\n")
