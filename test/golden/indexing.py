"""Golden values for gathering and scattering by indices and for losses with labels by number.  Run: python3 indexing.py"""
import numpy as np
import torch
import torch.nn.functional as F
from golden import case, save

cases = []


def add(operation, options, inputs, run):
    cases.append(case(operation, options, inputs, run))


def numbers(shape, limit, factor):
    """Indices that repeat, from a formula."""
    size = int(torch.Size(shape).numel())
    return [(i * i * factor + 3 * i + 1) % limit for i in range(size)]


for shape, axis, indices in [((5,), 0, (3,)), ((4, 7), 1, (2, 3)), ((3, 5, 8), 0, (6,)), ((3, 5, 8), 1, (7,)), ((3, 5, 6), -1, (2, 2)), ((20, 9, 5), 1, (13,)), ((2, 3), 0, ())]:
    n = shape[axis]
    list_ = numbers(indices or (1,), n, 7)
    index = torch.tensor(list_).reshape(indices)
    add("gather", {"axis": axis, "indices": list_, "shape": list(indices) or [1]}, [{"shape": list(shape), "seed": 1}],
        lambda x: torch.index_select(x, axis, index.reshape(-1)).reshape(*x.shape[:axis % x.dim()], *(indices or (1,)), *x.shape[axis % x.dim() + 1:]))

elements = [((6,), 0, (9,)), ((4, 5), 0, (7, 5)), ((4, 5), 1, (4, 3)), ((3, 4, 8), 1, (3, 6, 8)), ((3, 4, 5), 2, (2, 3, 5)), ((2, 3, 2, 3), -2, (2, 3, 5, 3))]
for shape, axis, indices in elements:
    list_ = numbers(indices, shape[axis], 5)
    index = torch.tensor(list_).reshape(indices)
    options = {"axis": axis, "indices": list_, "shape": list(indices)}
    add("gatherElements", options, [{"shape": list(shape), "seed": 1}], lambda x: torch.gather(x, axis, index))
    both = [{"shape": list(shape), "seed": 1}, {"shape": list(indices), "seed": 2}]
    add("scatterElements", {**options, "reduce": "add"}, both, lambda x, u: x.scatter_add(axis, index, u))
    for reduce, name in (("multiply", "prod"), ("max", "amax"), ("min", "amin")):
        add("scatterElements", {**options, "reduce": reduce}, both, lambda x, u: x.scatter_reduce(axis, index, u, name))

# Without repeated indices every order gives the same; the tests look at which of several stays.
for shape, axis, indices in [((6,), 0, [4, 1, 5]), ((4, 5), 0, [2, 0, 3, 1, 0, 1, 3, 2, 0, 3]), ((3, 5), 1, [4, 0, 1, 2, 3, 0])]:
    rows = len(indices) if len(shape) == 1 else (2 if axis == 0 else 3)
    own = [rows] if len(shape) == 1 else [rows, len(indices) // rows]
    index = torch.tensor(indices).reshape(own)
    add("scatterElements", {"axis": axis, "indices": indices, "shape": own, "reduce": "none"}, [{"shape": list(shape), "seed": 1}, {"shape": own, "seed": 2}],
        lambda x, u: x.scatter(axis, index, u))

for shape, indices in [((5,), [[3], [0]]), ((4, 6), [[2, 5], [0, 0], [3, 1]]), ((4, 5, 3), [[2], [0], [3]]), ((4, 5, 4), [[1, 4], [0, 0]]), ((3, 2, 2, 3), [[2, 1, 0], [0, 0, 1]])]:
    depth = len(indices[0])
    index = tuple(torch.tensor(indices).T)
    options = {"indices": [i for row in indices for i in row], "shape": [len(indices), depth]}
    rest = list(shape[depth:])
    add("gatherNd", options, [{"shape": list(shape), "seed": 1}], lambda x: x[index])
    both = [{"shape": list(shape), "seed": 1}, {"shape": [len(indices), *rest], "seed": 2}]
    add("scatterNd", {**options, "reduce": "none"}, both, lambda x, u: x.index_put(index, u))
    add("scatterNd", {**options, "reduce": "add"}, both, lambda x, u: x.index_put(index, u, accumulate=True))
    sizes = np.array(shape[:depth])
    places = torch.tensor(np.ravel_multi_index(np.array(indices).T, sizes)).reshape(-1, 1).expand(-1, int(np.prod(rest)) if rest else 1)
    for reduce, name in (("multiply", "prod"), ("max", "amax")):
        add("scatterNd", {**options, "reduce": reduce}, both,
            lambda x, u: x.reshape(int(np.prod(sizes)), -1).scatter_reduce(0, places, u.reshape(len(indices), -1), name).reshape(shape))
index = torch.tensor([[2, 0], [1, 3]])
add("gatherNd", {"indices": [2, 0, 1, 3], "shape": [2, 2, 1], "batchAxes": 1}, [{"shape": [2, 4, 3], "seed": 1}],
    lambda x: torch.stack([x[b][index[b]] for b in range(2)]))

for shape in [[4, 5], [2, 3, 7], [9, 300]]:
    classes = shape[-1]
    labels = numbers(shape[:-1], classes, 3)
    target = torch.tensor(labels)
    x = {"shape": shape, "seed": 1, "scale": 3.0}
    w = {"shape": [classes], "seed": 2, "scale": 0.5, "shift": 1.0, "gradient": False}
    flat = lambda x: x.reshape(-1, classes)
    for reduction in ("mean", "sum", "none") if classes < 100 else ("none",):
        for smoothing in (0, 0.1) if classes < 100 else (0.1,):
            options = {"labels": labels, "shape": shape[:-1], "reduction": reduction, "labelSmoothing": smoothing}
            out = (lambda y: y.reshape(shape[:-1])) if reduction == "none" else (lambda y: y.reshape(1))
            add("sparseCrossEntropy", options, [x], lambda x: out(F.cross_entropy(flat(x), target, reduction=reduction, label_smoothing=smoothing)))
            add("sparseCrossEntropy", {**options, "weighted": True, "ignoreIndex": labels[0]}, [x, w],
                lambda x, w: out(F.cross_entropy(flat(x), target, w, reduction=reduction, label_smoothing=smoothing, ignore_index=labels[0])))

save("indexing", cases)
