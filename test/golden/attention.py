"""Writes attention.json: attention, batched matrix products and bicubic resizing by PyTorch.  Run: python3 attention.py"""

import math

from golden import case, save

cases = []


def attend(q, k, v, scale):
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return ((scale * q @ k.transpose(-2, -1)).softmax(-1) @ v).transpose(1, 2)


# batch, queries, keys, heads, dimensions, magnitude, scale
for seed, (b, t, s, h, d, size, scale) in enumerate(
    [
        (1, 1, 1, 1, 4, 1, None),
        (2, 5, 5, 2, 8, 1, None),
        (3, 5, 5, 1, 4, 4, 1.0),
        (2, 17, 17, 3, 8, 2, None),
        (1, 17, 17, 1, 20, 3, None),
        (1, 50, 50, 2, 20, 1, 0.3),
        (1, 17, 17, 2, 64, 1, None),
        (1, 5, 17, 2, 32, 2, None),
        (9, 8, 8, 2, 8, 1, None),
        (2, 9, 1, 1, 20, 1, None),
        (1, 3, 6, 1, 128, 1, None),
    ]
):
    inputs = [
        {"shape": [b, t, h, d], "seed": seed, "scale": size},
        {"shape": [b, s, h, d], "seed": seed + 20, "scale": size},
        {"shape": [b, s, h, d], "seed": seed + 40, "scale": size},
    ]
    factor = scale if scale is not None else 1 / math.sqrt(d)
    options = {} if scale is None else {"scale": scale}
    cases.append(case("attention", options, inputs, lambda q, k, v: attend(q, k, v, factor)))

for seed, (b, t, h, d) in enumerate([(1, 1, 1, 4), (3, 4, 2, 8), (2, 5, 3, 8), (1, 17, 2, 20), (1, 9, 2, 64), (3, 7, 1, 32)]):
    inputs = [{"shape": [b, t, 3, h, d], "seed": seed + 60, "scale": 2}]
    cases.append(case("selfAttention", {}, inputs, lambda x: attend(*x.unbind(2), 1 / math.sqrt(d))))

save("attention", cases)
