"""Exact neighbours by FAISS's flat indices (Debian package python3-faiss)."""
import faiss
import numpy as np

# Differences, not norms and products: copies are at distance 0, and equal distances come out equal.
faiss.cvar.distance_compute_blas_threshold = 2**30


def flat_search(x, k, metric):
    """All of the `k` nearest others of each row of x, by value, equal ones by index: indices [N, k], values [N, k].

    A point is no neighbour of itself. values: squared distances (euclidean) or similarities (cosine), float32.
    """
    points, channels = x.shape
    if metric == "euclidean":
        index = faiss.IndexFlatL2(channels)
    else:
        x = x / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True).astype(np.float32)
        index = faiss.IndexFlatIP(channels)
    index.add(x)
    # More than k, so that the order among equal ones does not decide which are seen.
    values, indices = index.search(x, min(points, k + 1 + 512))
    sign = 1 if metric == "euclidean" else -1
    found = np.empty((points, k), np.int64), np.empty((points, k), np.float32)
    for row in range(points):
        order = [i for i in np.lexsort((indices[row], sign * values[row])) if indices[row][i] != row][:k]
        found[0][row] = indices[row][order]
        found[1][row] = values[row][order]
    return found
