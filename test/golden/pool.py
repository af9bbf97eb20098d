"""Writes pool.json: pooling of feature maps [N, H, W, C] by PyTorch.  Run: python3 pool.py"""

import torch.nn.functional as F

from golden import case, save


def nhwc(run):
    return lambda x: run(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


cases = []
shapes = [([1, 7, 5, 3], 1), ([2, 6, 5, 4], 2), ([3, 5, 4, 5], 3), ([2, 5, 6, 8], 4), ([1, 3, 3, 12], 5)]
windows = [((3, 3), (2, 2), (1, 1)), ((2, 2), (2, 2), (0, 0)), ((3, 2), (1, 1), (1, 0)), ((2, 3), (3, 1), (0, 1)), ((1, 1), (2, 2), (0, 0))]
for shape, seed in shapes:
    for kernel, stride, padding in windows:
        options = {"kernel": kernel, "stride": stride, "padding": padding}
        given = [{"shape": shape, "seed": seed, "scale": 2.0}]
        cases.append(case("maxPool2d", options, given, nhwc(lambda x: F.max_pool2d(x, kernel, stride, padding))))
        for count in (True, False):
            options = {**options, "countPadding": count}
            pool = nhwc(lambda x: F.avg_pool2d(x, kernel, stride, padding, count_include_pad=count))
            cases.append(case("averagePool2d", options, given, pool))
    cases.append(case("globalAveragePool", {}, given, lambda x: x.mean(dim=(1, 2))))
# Every value below zero: padding must not win.
negative = [{"shape": [1, 5, 5, 4], "seed": 7, "scale": 0.5, "shift": -3.0}]
cases.append(case("maxPool2d", {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1)}, negative, nhwc(lambda x: F.max_pool2d(x, 3, 2, 1))))
save("pool", cases)
