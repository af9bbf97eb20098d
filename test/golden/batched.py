"""Writes batched.json: products of batches of matrices by PyTorch.  Run: python3 batched.py"""

from golden import case, save

cases = []
for seed, (b, m, k, n) in enumerate([(1, 1, 1, 1), (2, 3, 5, 4), (5, 4, 8, 16), (3, 7, 6, 5), (9, 8, 8, 8), (2, 33, 17, 12)]):
    inputs = [{"shape": [b, m, k], "seed": seed}, {"shape": [b, k, n], "seed": seed + 20}]
    cases.append(case("batchedMatmul", {}, inputs, lambda x, y: x @ y))
save("batched", cases)
