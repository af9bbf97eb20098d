"""Writes pool.json: pooling of feature maps [N, H, W, C] by PyTorch.  Run: python3 pool.py"""

import torch
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


def margined(run, padding, value):
    """Sides of their own: the picture is surrounded first; `value` never wins, or counts as nothing."""
    (top, bottom), (left, right) = padding
    return nhwc(lambda x: run(F.pad(x, (left, right, top, bottom), value=value)))


# Windows that end behind the padding, taps apart, sides that differ.
for shape, kernel, stride, padding, dilation in [([1, 7, 5, 3], (3, 3), (2, 2), (1, 1), (1, 1)), ([2, 6, 8, 4], (3, 2), (3, 3), (0, 1), (1, 1)),
                                                 ([1, 9, 8, 4], (3, 2), (2, 1), (1, 1), (2, 3)), ([2, 8, 9, 5], (2, 3), (3, 2), (1, 1), (3, 2)), ([1, 4, 4, 4], (2, 2), (3, 3), (1, 1), (1, 1))]:
    given = [{"shape": shape, "seed": 8, "scale": 2.0}]
    options = {"kernel": kernel, "stride": stride, "padding": padding, "ceilMode": True}
    pool = nhwc(lambda x: F.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode=True))
    cases.append(case("maxPool2d", {**options, "dilation": dilation}, given, pool))
    for count in (True, False):
        pool = nhwc(lambda x: F.avg_pool2d(x, kernel, stride, padding, ceil_mode=True, count_include_pad=count))
        cases.append(case("averagePool2d", {**options, "countPadding": count}, given, pool))


def dilated_mean(x, kernel, stride, dilation):
    """The mean over taps apart, as a depthwise convolution with equal weights."""
    c = x.shape[1]
    return F.conv2d(x, torch.full((c, 1, *kernel), 1 / (kernel[0] * kernel[1])), None, stride, 0, dilation, c)


for shape, kernel, stride, padding, dilation in [([1, 6, 7, 4], (3, 3), (1, 2), ((2, 1), (0, 2)), (1, 1)), ([2, 5, 4, 3], (2, 3), (2, 1), ((0, 1), (2, 2)), (2, 1)), ([1, 7, 7, 8], (2, 2), (1, 3), ((1, 0), (2, 1)), (3, 2))]:
    given = [{"shape": shape, "seed": 9, "scale": 2.0}]
    options = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    cases.append(case("maxPool2d", options, given, margined(lambda x: F.max_pool2d(x, kernel, stride, 0, dilation), padding, -1e300)))
    total = margined(lambda x: dilated_mean(x, kernel, stride, dilation), padding, 0.0)
    cases.append(case("averagePool2d", options, given, total))
    inside = total(torch.ones(shape))
    cases.append(case("averagePool2d", {**options, "countPadding": False}, given, lambda x: total(x) / inside))
save("pool", cases)
