"""Golden values for operations of quality heads: bilinear pooling, weights of each sample's own, adaptive pooling, signed
square root, absolute value, clamp. Run: python3 heads.py"""
import torch
import torch.nn.functional as F
from golden import case, save

cases = []


def add(operation, options, inputs, run):
    cases.append(case(operation, options, inputs, run))


def signed_sqrt(x):
    return torch.sign(x) * torch.sqrt(torch.abs(x) + 1e-8)


for shape in [(1,), (3, 5), (2, 3, 3, 4)]:
    x = {"shape": list(shape), "seed": 1, "scale": 2.0}
    add("signedSqrt", {}, [x], signed_sqrt)
    add("abs", {}, [x], torch.abs)
    add("clamp", {"low": -0.4, "high": 1.1}, [x], lambda x: torch.clamp(x, -0.4, 1.1))

for n, h, w, c1, c2 in [(1, 1, 1, 2, 3), (2, 2, 3, 4, 8), (3, 4, 3, 5, 3)]:
    for root in (False, True):
        for unit in (False, True):
            def run(x, y):
                pooled = torch.einsum("nhwc,nhwd->ncd", x, y).reshape(n, -1) / (h * w)
                pooled = signed_sqrt(pooled) if root else pooled
                return F.normalize(pooled) if unit else pooled

            # Away from 0: the slope of the root there is no finite number to compare.
            inputs = [{"shape": [n, h, w, c1], "seed": 1, "shift": 1.5}, {"shape": [n, h, w, c2], "seed": 2, "shift": -1.3}]
            add("bilinearPool", {"signedSqrt": root, "l2Normalise": unit}, inputs, run)

for n, i, o in [(1, 1, 1), (3, 5, 7), (2, 8, 4)]:
    inputs = [{"shape": [n, i], "seed": 1}, {"shape": [n, i, o], "seed": 2}, {"shape": [n, o], "seed": 3}]
    add("linearPerSample", {}, inputs, lambda x, w, b: torch.einsum("ni,nio->no", x, w) + b)
    add("linearPerSample", {}, inputs[:2], lambda x, w: torch.einsum("ni,nio->no", x, w))
    add("pointwisePerSample", {}, [{"shape": [n, 3, 2, i], "seed": 1}, *inputs[1:]], lambda x, w, b: torch.einsum("nhwi,nio->nhwo", x, w) + b[:, None, None])

for (n, h, w, c), size in [((2, 7, 5, 3), (3, 2)), ((1, 2, 3, 4), (7, 7)), ((2, 14, 10, 4), (7, 5)), ((1, 9, 7, 2), (7, 7)), ((2, 4, 4, 5), (1, 4))]:
    add("adaptiveAveragePool2d", {"height": size[0], "width": size[1]}, [{"shape": [n, h, w, c], "seed": 1}],
        lambda x: F.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), size).permute(0, 2, 3, 1))

save("heads", cases)
