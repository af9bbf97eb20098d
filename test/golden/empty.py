"""Golden values for tensors without elements, and for what is made of them.  Run: python3 empty.py"""
import numpy as np
import torch
import torch.nn.functional as F
from golden import case, save

cases = []


def add(operation, options, shapes, run):
    inputs = [{"shape": list(shape), "seed": 1 + i} for i, shape in enumerate(shapes)]
    cases.append(case(operation, options, inputs, run))


for name, run in [("relu", F.relu), ("exp", torch.exp), ("erf", torch.erf), ("sin", torch.sin), ("atan", torch.atan), ("sinh", torch.sinh)]:
    add(name, {}, [(0, 3)], run)
add("clamp", {}, [(2, 0)], lambda x: torch.clamp(x, 0, 1))
for name, run in [("add", torch.add), ("subtract", torch.subtract), ("multiply", torch.multiply), ("divide", torch.divide), ("maximum", torch.maximum), ("minimum", torch.minimum)]:
    for a, b in [((0, 3), (0, 3)), ((0, 3), (3,)), ((1, 3), (0, 1)), ((2, 0, 5), (2, 1, 5)), ((0,), (1,)), ((2, 1, 4), (3, 0, 1, 4))]:
        if b != (3, 0, 1, 4):
            add(name, {}, [a, b], run)
    add(name, {}, [(2, 0), ()], run)
add("pow", {}, [(0, 2)], lambda x: x**3)
add("where", {}, [(0, 3), (1, 3)], lambda a, b: torch.where(a > 0, a, b))
add("broadcastTo", {"shape": [0, 3]}, [(1, 3)], lambda x: x.broadcast_to(0, 3))
add("broadcastTo", {"shape": [4, 2, 0]}, [(2, 0)], lambda x: x.broadcast_to(4, 2, 0))
add("reshape", {"shape": [2, 0, 5]}, [(0, 6)], lambda x: x.reshape(2, 0, 5))
for shape, axes in [((2, 0, 3), [2, 0, 1]), ((0, 3), [1, 0]), ((0, 2, 3), [0, 2, 1])]:
    add("permute", {"axes": axes}, [shape], lambda x: x.permute(axes))
add("transpose", {}, [(0, 3, 4)], lambda x: x.transpose(-1, -2))
add("transpose", {}, [(5, 0)], lambda x: x.transpose(-1, -2))
for shape, starts, ends in [((5, 4), [2, 0], [2, 4]), ((5, 4), [5, 1], [5, 3]), ((0, 4), [0, 1], [0, 3])]:
    add("slice", {"starts": starts, "ends": ends}, [shape], lambda x: x[starts[0]:ends[0], starts[1]:ends[1]])
add("slice", {"starts": [1, 3], "ends": [1, 0], "steps": [2, -2]}, [(3, 4)], lambda x: x[1:1:2, :].flip(1)[:, 0:3:2])
for shape, before, after in [((0, 3), [1, 0], [2, 1]), ((2, 0), [0, 2], [0, 3]), ((2, 0), [1, 0], [0, 0]), ((0, 4), [3, 0], [2, 0])]:
    add("pad", {"before": before, "after": after, "value": 1.5}, [shape],
        lambda x: F.pad(x, [before[1], after[1], before[0], after[0]], value=1.5))
for shapes, axis in [(((2, 0, 3), (2, 4, 3)), 1), (((0,), (3,), (0,)), 0), (((0, 4), (0, 4)), 0), (((0, 4), (0, 2)), 1), (((2, 3), (0, 3), (1, 3)), 0)]:
    add("concat", {"axis": axis}, shapes, lambda *x: torch.cat(x, axis))
add("flip", {}, [(2, 0, 3)], lambda x: x.flip(0, 1, 2))
add("tile", {"times": [2, 3]}, [(0, 2)], lambda x: x.tile(2, 3))
add("repeat", {"times": 3, "axis": 1}, [(2, 0)], lambda x: x.repeat_interleave(3, 1))

for shape, axis, indices in [((4, 5), 0, (0,)), ((4, 5), 1, (2, 0)), ((2, 3, 4), -1, (0,)), ((3, 0), 0, (2,)), ((0, 3), 1, (2,)), ((0, 3), 0, (0,))]:
    index = torch.zeros(indices, dtype=torch.int64)
    add("gather", {"axis": axis, "shape": list(indices)}, [shape],
        lambda x: torch.index_select(x, axis, index.reshape(-1)).reshape(*x.shape[:axis % x.dim()], *indices, *x.shape[axis % x.dim() + 1:]))
add("gatherRows", {"shape": [0]}, [(4, 5)], lambda x: x[torch.zeros(0, dtype=torch.int64)])
add("gatherRows", {"shape": [2]}, [(4, 0)], lambda x: x[torch.zeros(2, dtype=torch.int64)])
for shape, axis, indices in [((4, 5), 0, (0, 5)), ((4, 5), 1, (4, 0)), ((0, 5), 0, (0, 5))]:
    index = torch.zeros(indices, dtype=torch.int64)
    add("gatherElements", {"axis": axis, "shape": list(indices)}, [shape], lambda x: torch.gather(x, axis, index))
    for reduce, name in (("add", "sum"), ("multiply", "prod"), ("max", "amax")):
        add("scatterElements", {"axis": axis, "shape": list(indices), "reduce": reduce}, [shape, indices], lambda x, u: x.scatter_reduce(axis, index, u, name))
    add("scatterElements", {"axis": axis, "shape": list(indices), "reduce": "none"}, [shape, indices], lambda x, u: x.scatter(axis, index, u))
for shape, leading, depth in [((4, 5), (0,), 1), ((4, 5), (2, 0), 2), ((4, 5, 3), (0, 3), 2)]:
    index = tuple(torch.zeros((depth, *leading), dtype=torch.int64))
    rest = shape[depth:]
    add("gatherNd", {"shape": [*leading, depth]}, [shape], lambda x: x[index])
    add("scatterNd", {"shape": [*leading, depth], "reduce": "none"}, [shape, (*leading, *rest)], lambda x, u: x.index_put(index, u))
    add("scatterNd", {"shape": [*leading, depth], "reduce": "add"}, [shape, (*leading, *rest)], lambda x, u: x.index_put(index, u, accumulate=True))
add("oneHot", {"shape": [0]}, [(0, 3)], lambda x: x)

for m, k, n in [(0, 4, 3), (2, 0, 3), (2, 4, 0), (0, 0, 0), (5, 0, 8), (0, 7, 5), (70, 0, 9)]:
    add("matmul", {}, [(m, k), (k, n)], torch.matmul)
    add("linear", {}, [(m, k), (k, n), (n,)], lambda x, w, b: x @ w + b)
    add("einsum", {"equation": "ij,jk->ik"}, [(m, k), (k, n)], lambda a, b: torch.einsum("ij,jk->ik", a, b))
    for batch in (0, 3) if m < 70 else ():
        add("batchedMatmul", {}, [(batch, m, k), (batch, k, n)], torch.matmul)
add("einsum", {"equation": "ij->i"}, [(3, 0)], lambda a: torch.einsum("ij->i", a))
add("einsum", {"equation": "ii->i"}, [(0, 0)], lambda a: torch.einsum("ii->i", a))
add("einsum", {"equation": "bi,bj->ij"}, [(0, 3), (0, 4)], lambda a, b: torch.einsum("bi,bj->ij", a, b))
add("einsum", {"equation": "i,j->ij"}, [(0,), (3,)], lambda a, b: torch.einsum("i,j->ij", a, b))

empties = [((3, 0), [1]), ((3, 0), [0]), ((0, 3), None), ((2, 0, 5), [0, 2]), ((2, 0, 5), [1]), ((4, 0, 3, 0), [1, 3]), ((0, 300), [1]), ((0, 4), []), ((2, 3, 0), [0, 2])]
for shape, axes in empties:
    for keep in (False, True):
        all_ = list(range(len(shape))) if axes is None else axes
        options = {"axes": axes, "keepDims": keep}
        none = tuple(all_)
        one = lambda y: y.reshape(1) if y.dim() == 0 else y
        add("sum", options, [shape], lambda x: one(x.sum(none, keepdim=keep)) if none else x * 1)
        if not any(shape[axis] == 0 for axis in all_):
            add("amax", options, [shape], lambda x: one(x.amax(none, keepdim=keep)) if none else x * 1)
            add("mean", options, [shape], lambda x: one(x.mean(none, keepdim=keep)) if none else x * 1)
        def product(x):
            for axis in sorted(all_, reverse=True):
                x = x.prod(axis, keepdim=keep)
            return one(x)
        add("product", options, [shape], lambda x: product(x) if none else x * 1)
for shape, axis in [((0, 4), 1), ((3, 0), 1), ((3, 0), 0), ((2, 0, 300), 2), ((0, 5), 0)]:
    add("softmax", {"axis": axis}, [shape], lambda x: torch.softmax(x, axis))
    add("logSoftmax", {"axis": axis}, [shape], lambda x: torch.log_softmax(x, axis))
    add("cumulativeSum", {"axis": axis}, [shape], lambda x: torch.cumsum(x, axis))
add("topK", {"k": 2}, [(0, 5)], lambda x: torch.topk(x, 2).values)
add("topK", {"k": 1, "axis": 0}, [(3, 0)], lambda x: torch.topk(x, 1, dim=0).values)
add("softCrossEntropy", {}, [(0, 5)], lambda x: F.cross_entropy(x, torch.zeros(0, 5), reduction="none"))
for reduction in ("none", "sum"):
    add("sparseCrossEntropy", {"reduction": reduction}, [(0, 5)],
        lambda x: F.cross_entropy(x, torch.zeros(0, dtype=torch.int64), reduction=reduction).reshape(-1))
save("empty", cases)
