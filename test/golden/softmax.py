"""Writes softmax.json: softmax and log-softmax over the last axis by PyTorch.  Run: python3 softmax.py"""

from golden import case, save

cases = []
for seed, (shape, scale) in enumerate(
    [([1, 2], 1), ([3, 3], 5), ([2, 3, 4], 3), ([5, 5], 1), ([4, 8], 20), ([2, 2, 3, 7], 2), ([70, 4], 3), ([2, 100], 4), ([1, 1], 1), ([2, 300], 4), ([3, 261], 9)]
):
    given = [{"shape": shape, "seed": seed, "scale": scale}]
    cases.append(case("softmax", {}, given, lambda x: x.softmax(-1)))
    cases.append(case("logSoftmax", {}, given, lambda x: x.log_softmax(-1)))
for seed, (shape, axis) in enumerate([([3, 5], 0), ([2, 3, 4], 1), ([2, 4, 3, 1], -2), ([2, 3, 2, 2, 2, 1, 3], 2), ([300, 3], 0)]):
    given = [{"shape": shape, "seed": seed, "scale": 3}]
    cases.append(case("softmax", {"axis": axis}, given, lambda x: x.softmax(axis)))
    cases.append(case("logSoftmax", {"axis": axis}, given, lambda x: x.log_softmax(axis)))
save("softmax", cases)
