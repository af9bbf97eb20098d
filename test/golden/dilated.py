"""Golden values for convolutions with dilation and margins of their own, in one dimension, and transposed.  Run: python3 dilated.py"""
import torch.nn.functional as F
from golden import case, save

cases = []


def margins(padding):
    if isinstance(padding, int):
        padding = [padding, padding]
    top, left = padding
    (top, bottom) = top if isinstance(top, list) else (top, top)
    (left, right) = left if isinstance(left, list) else (left, left)
    return left, right, top, bottom


def convolved(x, k, b, stride, padding, dilation, groups):
    y = F.conv2d(F.pad(x.permute(0, 3, 1, 2), margins(padding)), k.permute(3, 2, 0, 1), b, stride, 0, dilation, groups)
    return y.permute(0, 2, 3, 1)


# picture, kernel, columns, stride, padding, dilation, groups
for seed, (shape, kernel, columns, stride, padding, dilation, groups) in enumerate([
    ([1, 7, 8, 3], [3, 3], 5, 1, 2, 2, 1),
    ([2, 9, 7, 4], [3, 2], 4, [2, 1], [1, 3], [3, 2], 1),
    ([1, 9, 10, 12], [3, 3], 8, 2, 2, 2, 1),
    ([1, 11, 9, 8], [3, 3], 4, 2, 3, 3, 1),
    ([1, 8, 9, 4], [2, 3], 4, [3, 2], 2, [2, 4], 1),
    ([1, 6, 7, 6], [3, 3], 6, 1, 2, 2, 3),
    ([2, 7, 6, 4], [3, 3], 4, 2, 2, [2, 1], 4),
    ([1, 6, 5, 3], [3, 3], 4, 1, [[0, 2], [1, 0]], 1, 1),
    ([1, 6, 5, 12], [3, 3], 8, 2, [[0, 1], [0, 1]], 1, 1),
    ([1, 6, 8, 16], [3, 3], 16, 1, [[2, 0], [0, 1]], 1, 1),
    ([1, 5, 6, 4], [3, 3], 4, 1, [[0, 2], [2, 0]], 1, 4),
    ([2, 6, 5, 6], [2, 3], 4, 1, [[1, 0], [2, 1]], [1, 2], 2),
]):
    inputs = [{"shape": shape, "seed": seed}, {"shape": [*kernel, shape[3] // groups, columns], "seed": seed + 20}, {"shape": [columns], "seed": seed + 40}]
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    cases.append(case("conv2d", options, inputs, lambda x, k, b: convolved(x, k, b, stride, padding, dilation, groups)))

for seed, (shape, kernel, columns, stride, padding, dilation, groups) in enumerate([
    ([2, 9, 3], 3, 5, 1, 1, 1, 1), ([1, 11, 4], 4, 4, 2, [0, 3], 2, 1), ([2, 8, 6], 3, 6, 1, 2, 2, 3), ([1, 5, 4], 1, 3, 1, 0, 1, 1),
]):
    before, after = padding if isinstance(padding, list) else (padding, padding)
    inputs = [{"shape": shape, "seed": seed}, {"shape": [kernel, shape[2] // groups, columns], "seed": seed + 20}, {"shape": [columns], "seed": seed + 40}]
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    cases.append(case("conv1d", options, inputs, lambda x, k, b: F.conv1d(
        F.pad(x.permute(0, 2, 1), (before, after)), k.permute(2, 1, 0), b, stride, 0, dilation, groups).permute(0, 2, 1)))

for seed, (shape, kernel, columns, stride, padding, more, dilation, groups) in enumerate([
    ([1, 3, 4, 3], [3, 3], 5, 1, 0, 0, 1, 1),
    ([2, 4, 3, 4], [3, 3], 4, 2, 1, 1, 1, 1),
    ([1, 4, 5, 8], [2, 2], 12, 2, 0, 0, 1, 1),
    ([1, 3, 4, 4], [4, 3], 3, [2, 3], [1, 0], [0, 1], 1, 1),
    ([1, 4, 3, 6], [3, 3], 4, 2, 2, 1, 2, 2),
    ([1, 4, 4, 4], [3, 3], 4, 2, 1, 0, 1, 4),
    ([1, 5, 4, 4], [3, 2], 4, 1, [2, 1], 0, [2, 3], 1),
    ([1, 3, 3, 16], [3, 3], 16, 1, 1, 0, 1, 1),
    ([1, 2, 3, 4], [1, 1], 4, 3, 0, 2, 1, 1),
]):
    inputs = [{"shape": shape, "seed": seed}, {"shape": [*kernel, columns // groups, shape[3]], "seed": seed + 20}, {"shape": [columns], "seed": seed + 40}]
    options = {"stride": stride, "padding": padding, "outputPadding": more, "dilation": dilation, "groups": groups}
    cases.append(case("convTranspose2d", options, inputs, lambda x, k, b: F.conv_transpose2d(
        x.permute(0, 3, 1, 2), k.permute(3, 2, 0, 1), b, stride, padding, more, groups, dilation).permute(0, 2, 3, 1)))

save("dilated", cases)
