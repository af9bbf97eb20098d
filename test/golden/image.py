"""Writes image.json: resizing, cropping and normalising of pictures [N, H, W, C] by PyTorch.  Run: python3 image.py"""

import torch
import torch.nn.functional as F

from golden import case, save


def resized(x, height, width, antialias):
    y = F.interpolate(x.permute(0, 3, 1, 2), size=(height, width), mode="bilinear", align_corners=False, antialias=antialias)
    return y.permute(0, 2, 3, 1)


def cropped(x, windows, height, width):
    parts = [x[n, w["top"] : w["top"] + height, w["left"] : w["left"] + width] for n, w in enumerate(windows)]
    return torch.stack([p.flip(1) if w["flip"] else p for p, w in zip(parts, windows)])


cases = []
sizes = [
    ([1, 7, 9, 3], 5, 4),
    ([2, 11, 6, 4], 3, 3),
    ([1, 5, 4, 5], 9, 7),
    ([2, 6, 5, 3], 6, 11),
    ([1, 13, 3, 8], 4, 3),
    ([3, 1, 4, 1], 3, 1),
    ([1, 16, 19, 3], 1, 2),
    ([1, 8, 8, 3], 8, 8),
]
for seed, (shape, height, width) in enumerate(sizes):
    for antialias in (True, False):
        options = {"height": height, "width": width, "antialias": antialias}
        given = [{"shape": shape, "seed": seed}]
        cases.append(case("resize", options, given, lambda x: resized(x, height, width, antialias)))
aligned = lambda x, height, width: F.interpolate(
    x.permute(0, 3, 1, 2), size=(height, width), mode="bilinear", align_corners=True
).permute(0, 2, 3, 1)
for seed, (shape, height, width) in enumerate(sizes):
    options = {"height": height, "width": width, "alignCorners": True}
    cases.append(case("resize", options, [{"shape": shape, "seed": seed}], lambda x: aligned(x, height, width)))
crops = [
    ([1, 5, 7, 3], 3, 4, [(2, 1, False)]),
    ([2, 6, 5, 4], 6, 5, [(0, 0, True), (0, 0, False)]),
    ([3, 7, 6, 5], 2, 3, [(0, 3, True), (5, 0, False), (1, 2, True)]),
    ([2, 4, 9, 8], 3, 5, [(1, 4, False), (0, 1, True)]),
]
for seed, (shape, height, width, windows) in enumerate(crops):
    windows = [{"top": top, "left": left, "flip": flip} for top, left, flip in windows]
    options = {"windows": windows, "height": height, "width": width}
    given = [{"shape": shape, "seed": seed}]
    cases.append(case("cropAndFlip", options, given, lambda x: cropped(x, windows, height, width)))
for seed, shape in enumerate([[2, 3, 3, 1], [1, 3, 5, 3], [2, 3, 2, 4], [3, 2, 3, 5], [5, 6], [2, 1, 3, 8]]):
    mean = [0.485 + 0.1 * c for c in range(shape[-1])]
    deviation = [0.229 + 0.05 * c for c in range(shape[-1])]
    options = {"mean": mean, "deviation": deviation}
    given = [{"shape": shape, "seed": seed}]
    cases.append(case("normalise", options, given, lambda x: (x - torch.tensor(mean)) / torch.tensor(deviation)))
for shape, count in (([1, 3, 5, 3], 3), ([1, 2, 2, 4], 2), ([1, 3, 3, 1], 1)):
    given = [{"shape": shape, "seed": n} for n in range(count)]
    cases.append(case("stack", {}, given, lambda *pictures: torch.cat(pictures)))
save("image", cases)
