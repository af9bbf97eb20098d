"""Writes attention.json: attention, batched matrix products and bicubic resizing by PyTorch.  Run: python3 attention.py"""

import math

import torch
from golden import case, formula, save

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



def biased(q, k, v, options, bias=None):
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    share = q.shape[1] // k.shape[1]
    k, v = (x.repeat_interleave(share, 1) for x in (k, v))
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if bias is not None:
        scores = scores + bias
    seen = torch.ones(scores.shape[-2:], dtype=torch.bool)
    if options.get("causal"):
        seen = seen.tril()
    if "mask" in options:
        seen = seen & (formula(options["mask"], 77) > -0.5)
    scores = scores.masked_fill(~seen, -1e300)
    weights = scores.softmax(-1) * seen
    return (weights @ v).transpose(1, 2)


# batch, queries, keys, heads, key heads, dimensions, options, shape of the bias
for seed, (b, t, s, h, shared, d, options, bias) in enumerate(
    [
        (2, 9, 9, 2, 2, 8, {"causal": True}, None),
        (1, 37, 37, 2, 1, 4, {"causal": True}, None),
        (1, 5, 7, 2, 2, 8, {"causal": True}, None),
        (1, 7, 5, 4, 2, 8, {"causal": True}, None),
        (2, 6, 11, 4, 2, 8, {}, None),
        (1, 5, 6, 6, 2, 6, {}, None),
        (2, 5, 7, 2, 2, 8, {"mask": [5, 7]}, None),
        (2, 5, 7, 2, 1, 8, {"mask": [2, 1, 1, 7]}, None),
        (2, 5, 7, 2, 2, 8, {"mask": [2, 2, 5, 7]}, [2, 1, 5, 7]),
        (2, 5, 7, 2, 2, 8, {}, [2, 5, 7]),
        (1, 9, 9, 2, 2, 5, {"causal": True}, [1, 9]),
        (1, 6, 6, 2, 2, 10, {"mask": [6, 1]}, None),
        (1, 3, 5, 1, 1, 1, {}, None),
        (1, 3, 4, 2, 2, 33, {}, None),
        (1, 3, 4, 1, 1, 256, {"causal": True}, None),
        (1, 4, 3, 1, 1, 130, {}, [4, 3]),
    ]
):
    inputs = [{"shape": [b, n, m, d], "seed": seed + i, "scale": 1.5 if d < 100 else 0.5} for i, n, m in ((0, t, h), (20, s, shared), (40, s, shared))]
    if bias:
        inputs.append({"shape": bias, "seed": seed + 60, "gradient": False})
    cases.append(case("attention", options, inputs, lambda q, k, v, *bias: biased(q, k, v, options, *bias)))
    if bias:
        learned = [*inputs[:3], {**inputs[3], "gradient": True}]
        cases.append(case("attention", options, learned, lambda q, k, v, bias: biased(q, k, v, options, bias)))
for seed, (b, t, h, d, options) in enumerate([(2, 9, 2, 8, {"causal": True}), (1, 6, 2, 7, {}), (2, 5, 2, 6, {"mask": [5, 5]})]):
    inputs = [{"shape": [b, t, 3, h, d], "seed": seed + 80, "scale": 1.5}]
    cases.append(case("selfAttention", options, inputs, lambda x: biased(*x.unbind(2), options)))

# Values of other sizes than keys: the same, with the size of the values behind the dimensions
for seed, (b, t, s, h, shared, d, e, options, bias) in enumerate(
    [
        (2, 5, 7, 2, 2, 8, 4, {}, None),
        (1, 5, 7, 2, 1, 4, 12, {"causal": True}, None),
        (2, 6, 5, 2, 2, 5, 9, {"mask": [6, 5]}, None),
        (1, 4, 3, 1, 1, 32, 1, {}, [4, 3]),
        (1, 19, 18, 2, 2, 16, 64, {}, None),
    ]
):
    inputs = [{"shape": [b, n, m, size], "seed": seed + i, "scale": 1.5} for i, n, m, size in ((0, t, h, d), (20, s, shared, d), (40, s, shared, e))]
    if bias:
        inputs.append({"shape": bias, "seed": seed + 60})
    cases.append(case("attention", options, inputs, lambda q, k, v, *bias: biased(q, k, v, options, *bias)))

save("attention", cases)
