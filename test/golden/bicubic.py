"""Writes bicubic.json: bicubic resizing of maps [N, H, W, C] by PyTorch.  Run: python3 bicubic.py"""

import torch.nn.functional as F

from golden import case, save


def resized(x, height, width, antialias, corners=False):
    y = F.interpolate(x.permute(0, 3, 1, 2), size=(height, width), mode="bicubic", align_corners=corners, antialias=antialias)
    return y.permute(0, 2, 3, 1)


cases = []
sizes = [
    ([1, 7, 7, 8], 12, 12),
    ([2, 5, 4, 3], 9, 7),
    ([1, 14, 14, 4], 9, 11),
    ([2, 11, 6, 4], 3, 3),
    ([3, 1, 4, 1], 3, 1),
    ([1, 2, 3, 5], 7, 3),
    ([1, 16, 19, 3], 1, 2),
    ([1, 8, 8, 3], 8, 8),
]
for seed, (shape, height, width) in enumerate(sizes):
    for antialias in (False, True):
        options = {"height": height, "width": width, "antialias": antialias}
        given = [{"shape": shape, "seed": seed}]
        cases.append(case("resizeBicubic", options, given, lambda x: resized(x, height, width, antialias)))
for seed, (shape, height, width) in enumerate(sizes):
    options = {"height": height, "width": width, "alignCorners": True}
    given = [{"shape": shape, "seed": seed}]
    cases.append(case("resizeBicubic", options, given, lambda x: resized(x, height, width, False, True)))
save("bicubic", cases)
