"""Golden values for depthwise convolutions. Run: python3 depthwise.py"""
import torch.nn.functional as F
from golden import case, save

cases = []
for n, h, w, c, kernel, stride, padding in [
    (2, 5, 6, 8, (3, 3), (1, 1), (1, 1)),
    (2, 8, 7, 4, (3, 3), (2, 2), (1, 1)),
    (1, 6, 5, 5, (3, 3), (1, 2), (1, 1)),
    (2, 7, 6, 4, (5, 5), (2, 2), (2, 2)),
    (1, 6, 8, 3, (7, 7), (1, 1), (3, 3)),
    (1, 7, 8, 4, (2, 3), (3, 2), (0, 1)),
    (3, 4, 5, 4, (1, 1), (2, 2), (0, 0)),
    (1, 3, 3, 4, (3, 3), (1, 1), (0, 0)),
    (1, 6, 9, 4, (3, 4), (4, 5), (2, 3)),
    (1, 5, 8, 2, (3, 8), (1, 1), (1, 0)),
]:
    cases.append(case(
        "conv2d", {"stride": stride, "padding": padding, "groups": c},
        [{"shape": [n, h, w, c], "seed": 1}, {"shape": [*kernel, 1, c], "seed": 2}, {"shape": [c], "seed": 3}],
        lambda x, k, b: F.conv2d(x.permute(0, 3, 1, 2), k.permute(3, 2, 0, 1), b, stride, padding, 1, c).permute(0, 2, 3, 1)))
save("depthwise", cases)
