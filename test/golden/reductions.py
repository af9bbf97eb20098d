"""Writes reductions.json: sums, means, extremes, products and variances over one axis, several or all, by PyTorch.
Run: python3 reductions.py"""
import torch
from golden import case, save

cases = []


def product(x, axes, keep):
    for axis in sorted((a % x.dim() for a in axes), reverse=True):
        x = x.prod(axis, keepdim=True)
    return x if keep else x.reshape([n for i, n in enumerate(x.shape) if i not in [a % x.dim() for a in axes]])


operations = {
    "sum": lambda x, axes, keep: x.sum(axes, keep),
    "mean": lambda x, axes, keep: x.mean(axes, keep),
    "amax": lambda x, axes, keep: x.amax(axes, keep),
    "amin": lambda x, axes, keep: x.amin(axes, keep),
    "logSumExp": lambda x, axes, keep: x.logsumexp(axes, keep),
    "product": product,
    "variance": lambda x, axes, keep: x.var(axes, correction=1, keepdim=keep),
    "standardDeviation": lambda x, axes, keep: x.std(axes, correction=0, keepdim=keep),
}
for shape, axes, keep in [((3, 5), None, False), ((3, 5), None, True), ((3, 5), [0], True), ((2, 3, 4), [0, 2], False), ((2, 3, 4), [2, 1], True), ((2, 3, 4), [-1, 0], True),
                          ((2, 3, 4, 8), [1, 2], True), ((2, 3, 2, 2, 3), [0, 2, 4], False), ((2, 3, 2, 3, 2, 2), [1, 3, 5], False), ((4, 1, 3), [0, 1], False), ((2, 300), [1], False),
                          ((300, 3), [0], True), ((2, 520), [-1], True), ((20, 2, 9), [0, 2], False)]:
    every = list(range(len(shape))) if axes is None else axes
    for name, run in operations.items():
        given = {"shape": list(shape), "seed": 1} if name != "product" else {"shape": list(shape), "seed": 1, "scale": 0.2, "shift": 1.0}
        options = {"axes": axes, "options": {"keepDims": keep, **({"correction": 0} if name == "standardDeviation" else {})}}
        result = lambda x: run(x, every, keep).reshape([1] if not keep and len(every) == len(shape) else run(x.detach(), every, keep).shape)
        cases.append(case(name, options, [given], result))
save("reductions", cases)
