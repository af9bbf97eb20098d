"""Writes special.json: what NaN, infinities, −0, the largest and a denormal number become, by PyTorch in float32.

Every case is an operation on the formula's numbers (golden.py) in which one tensor, an input or the output's gradient
"dy", holds a special value at some places. Its results are the output and the gradient of each input, numbers with 6
digits, NaN as n, ∞ as +, −∞ as -, and . for what it is without the special value. Where WGSL leaves open what comes out,
further results bound it (`others`): for −0 those of 0, whose sign it may ignore, for a denormal number those of 0 and of
the smallest normal one, for the largest number those in float64, and for the border of a convolution those with zeros
around the picture and its gradient, by which a kernel may multiply or not.

Where PyTorch gives NaN only because it multiplies ∞ by 0 on its way, and the function has a limit, that limit is meant:
gelu, silu, hardswish and mish at ±∞ (`limit` below), softsign (`Softsign`). Run: python3 special.py
"""

import json
import pathlib

import torch
import torch.nn.functional as F
from golden import formula

torch.set_default_dtype(torch.float32)

specials = {"NaN": float("nan"), "∞": float("inf"), "−∞": float("-inf"), "−0": -0.0, "largest": 3.4028234663852886e38, "denormal": 1e-40}
groups = []


def number(v):
    return "n" if v != v else "+" if v == float("inf") else "-" if v == float("-inf") else f"{v:.6g}"


def numbers(tensor):
    return None if tensor is None else [number(v) for v in tensor.detach().reshape(-1).tolist()]


def evaluate(inputs, run, target=None, at=(), value=0.0, dtype=torch.float32):
    tensors = [formula(i["shape"], i["seed"], i.get("scale", 1.0), i.get("shift", 0.0)).float().to(dtype) for i in inputs]

    def put(tensor):
        for place in at:
            tensor.reshape(-1)[place] = value

    if target not in ("dy", None):
        put(tensors[target])
    for tensor, given in zip(tensors, inputs):
        tensor.requires_grad_(given.get("gradient", True))
    output = run(*tensors)
    dy = formula(output.shape, 99).float().to(dtype)
    if target == "dy":
        put(dy)
    if output.requires_grad:
        output.backward(dy)
    return [numbers(output.float())] + [numbers(t.grad if t.grad is None else t.grad.float()) for t in tensors]


def changes(found, ordinary):
    return [f and " ".join("." if a == b else a for a, b in zip(f, o)) for f, o in zip(found, ordinary)]


def add(operation, options, inputs, run, each=False, also=()):
    """each: elements do not meet, so that all places are taken at once. also: other forms of the operation."""
    ordinary = evaluate(inputs, run)
    group = {"operation": operation, "options": options, "inputs": inputs, "ordinary": [o and " ".join(o) for o in ordinary], "cases": []}
    targets = list(range(len(inputs))) + (["dy"] if any(i.get("gradient", True) for i in inputs) else [])
    for name, value in specials.items():
        for target in targets:
            last = len(ordinary[0]) - 1 if target == "dy" else int(torch.Size(inputs[target]["shape"]).numel()) - 1
            places = {"NaN": [0, last // 2, last], "∞": [0, last], "−∞": [0, last]}.get(name, [last // 2])
            for at in [[0, last // 2, last]] if each else [[p] for p in sorted(set(places))]:
                found = evaluate(inputs, run, target, at, value)
                case = {"special": name, "target": target, "at": sorted(set(at)), "results": changes(found, ordinary)}
                others = []
                if name == "denormal":
                    others = [evaluate(inputs, run, target, at, bound) for bound in (0.0, 1.17549435e-38)]
                if name == "−0":
                    others = [evaluate(inputs, run, target, at, 0.0)]
                if name == "largest":
                    torch.set_default_dtype(torch.float64)
                    others = [evaluate(inputs, run, target, at, value, torch.float64)]
                    torch.set_default_dtype(torch.float32)
                others += [evaluate(inputs, form, target, at, value) for form in also]
                others = [changes(other, ordinary) for other in others]
                if any(other != case["results"] for other in others):
                    case["others"] = others
                group["cases"].append(case)
    groups.append(group)


class Limit(torch.autograd.Function):
    """f with its limits at ±∞: 0 and slope 0 below, x and slope 1 above."""

    @staticmethod
    def forward(context, x, f):
        context.save_for_backward(x)
        context.f = f
        y = f(x)
        return torch.where(x == float("-inf"), torch.zeros_like(y), torch.where(x == float("inf"), x, y))

    @staticmethod
    def backward(context, dy):
        (x,) = context.saved_tensors
        with torch.enable_grad():
            held = torch.where(x.isinf(), torch.zeros_like(x), x).requires_grad_()
            (slope,) = torch.autograd.grad(context.f(held).sum(), held)
        slope = torch.where(x == float("-inf"), torch.zeros_like(x), torch.where(x == float("inf"), torch.ones_like(x), slope))
        return dy * slope, None


def limit(f):
    return lambda x: Limit.apply(x, f)


class Softsign(torch.autograd.Function):
    """x / (1 + |x|) with its limits ±1 at ±∞, and the slope 1 / (1 + |x|)² in one step."""

    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return torch.where(x.isinf(), x.sign(), F.softsign(x))

    @staticmethod
    def backward(context, dy):
        (x,) = context.saved_tensors
        return dy / (1 + x.abs()) ** 2


def nhwc(run):
    return lambda x, *rest: run(x.permute(0, 3, 1, 2), *rest).permute(0, 2, 3, 1)


x = [{"shape": [3, 5], "seed": 1, "scale": 2.0}]
positive = [{"shape": [3, 5], "seed": 1, "shift": 1.5}]
pair = [{"shape": [3, 5], "seed": 1}, {"shape": [3, 5], "seed": 2, "shift": 2.0}]
row = [{"shape": [3, 5], "seed": 1}, {"shape": [5], "seed": 2, "shift": 2.0}]
for name, f in {"relu": torch.relu, "relu6": F.relu6, "sigmoid": torch.sigmoid, "tanh": torch.tanh, "normalCdf": torch.special.ndtr, "exp": torch.exp, "square": torch.square,
                "abs": torch.abs, "silu": limit(F.silu), "hardswish": limit(lambda x: x * torch.clamp(x + 3, 0, 6) / 6),
                "signedSqrt": lambda x: torch.sign(x) * torch.sqrt(torch.abs(x) + 1e-8) + torch.where(x.isnan(), x, torch.zeros_like(x))}.items():
    add(name, {}, x, f, each=True)
inside = [{"shape": [3, 5], "seed": 1, "scale": 0.9}]
for name, f in {"erf": torch.erf, "expm1": torch.expm1, "sin": torch.sin, "cos": torch.cos, "atan": torch.atan, "sinh": torch.sinh,
                "cosh": torch.cosh, "asinh": torch.asinh, "negate": torch.neg, "leakyRelu": F.leaky_relu, "hardSigmoid": F.hardsigmoid, "elu": F.elu, "celu": F.celu,
                "selu": F.selu, "softplus": F.softplus, "softsign": Softsign.apply, "mish": limit(F.mish)}.items():
    add(name, {}, x, f, each=True)
for name, f in {"tan": torch.tan, "asin": torch.asin, "acos": torch.acos, "atanh": torch.atanh, "log1p": torch.log1p}.items():
    add(name, {}, inside, f, each=True)
for name, f in {"acosh": torch.acosh, "reciprocal": torch.reciprocal}.items():
    add(name, {}, positive, f, each=True)
for name, f in {"floor": torch.floor, "ceil": torch.ceil, "round": torch.round, "sign": torch.sign, "isNan": lambda x: x.isnan().float(),
                "isInfinite": lambda x: x.isinf().float(), "logicalNot": lambda x: (x == 0).float()}.items():
    add(name, {}, [{**x[0], "gradient": False}], f, each=True)
add("gelu", {"approximate": "none"}, x, limit(F.gelu), each=True)
add("gelu", {"approximate": "tanh"}, x, limit(lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x**3)))), each=True)
add("log", {}, positive, torch.log, each=True)
add("sqrt", {}, positive, torch.sqrt, each=True)
add("scale", {"factor": -0.7}, x, lambda x: -0.7 * x, each=True)
for exponent in (0, 1, 2, 3, -1, -2, 0.5, -1.7):
    add("pow", {"exponent": exponent}, x if float(exponent).is_integer() else positive, lambda x: x**exponent, each=True)
infinity = 1e400
for low, high in ((-0.4, 1.1), (-infinity, infinity), (0, infinity), (-infinity, 0)):
    add("clamp", {"low": number(low), "high": number(high)}, x, lambda x: torch.clamp(x, low, high), each=True)
for name, f in {"add": torch.add, "subtract": torch.subtract, "multiply": torch.multiply, "divide": torch.divide}.items():
    add(name, {}, pair, f, each=True)
    add(name, {}, row, f)
add("atLeast", {}, [{**p, "gradient": False} for p in pair], lambda x, y: (x >= y).float(), each=True)
add("atLeast", {}, [{**p, "gradient": False} for p in row], lambda x, y: (x >= y).float())
for name, f in {"equal": torch.eq, "notEqual": torch.ne, "less": torch.lt, "lessOrEqual": torch.le, "greater": torch.gt, "greaterOrEqual": torch.ge,
                "logicalAnd": torch.logical_and, "logicalOr": torch.logical_or, "logicalXor": torch.logical_xor}.items():
    add(name, {}, [{**p, "gradient": False} for p in pair], lambda x, y: f(x, y).float(), each=True)
for name, f in {"fmod": torch.fmod, "remainder": torch.remainder, "maximum": torch.maximum, "minimum": torch.minimum}.items():
    add(name, {}, pair, f, each=True)
    add(name, {}, row, f)
add("powerOf", {}, [{"shape": [3, 5], "seed": 1, "shift": 1.5}, {"shape": [3, 5], "seed": 2, "shift": 0.5}], torch.pow, each=True)
add("where", {}, [{"shape": [3, 5], "seed": 6, "gradient": False}, {"shape": [3, 5], "seed": 1}, {"shape": [3, 5], "seed": 2}],
    lambda c, a, b: torch.where(c != 0, a, b), each=True)
add("cast", {}, x, lambda x: x * 1, each=True)
for axis in (None, 0, 1):
    add("sum", {"axis": axis}, x, lambda x: x.sum().reshape(1) if axis is None else x.sum(axis))
    add("mean", {"axis": axis}, x, lambda x: x.mean().reshape(1) if axis is None else x.mean(axis))
add("sum", {"axis": [0, 1], "options": {"keepDims": True}}, x, lambda x: x.sum((0, 1), True))


class Others(torch.autograd.Function):
    """The product with each slope as the product of all others, whatever they are."""

    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return x.prod(1)

    @staticmethod
    def backward(context, dy):
        (x,) = context.saved_tensors
        columns = range(x.shape[1])
        return torch.stack([x[:, [j for j in columns if j != i]].prod(1) * dy for i in columns], 1)


for name, f in {"amax": torch.amax, "amin": torch.amin}.items():
    for axis in (0, [0, 1]):
        add(name, {"axis": axis}, x, lambda x: f(x, axis).reshape([1] if axis != 0 else [5]))
add("logSumExp", {"axis": 1}, x, lambda x: x.logsumexp(1))
add("product", {"axis": 1}, x, lambda x: x.prod(1), also=[Others.apply])
add("variance", {"axis": 1}, x, lambda x: x.var(1))
add("standardDeviation", {"axis": 0}, x, lambda x: x.std(0))

# Moved elements.
add("reshape", {"shape": [5, 3]}, x, lambda x: x.reshape(5, 3), each=True)
add("transpose", {}, x, lambda x: x.transpose(-1, -2), each=True)
add("permute", {"axes": [1, 0]}, x, lambda x: x.permute(1, 0), each=True)
add("slice", {"starts": [0, 0], "ends": [2, 4]}, x, lambda x: x[0:2, 0:4], each=True)
add("pad", {"before": [1, 0], "after": [0, 2], "value": 0.5}, x, lambda x: F.pad(x, (0, 2, 1, 0), value=0.5), each=True)
add("concat", {"axis": 1}, [x[0], {"shape": [3, 4], "seed": 2}], lambda *x: torch.cat(x, 1), each=True)
add("gatherRows", {"indices": [2, 0, 0]}, x, lambda t: t[torch.tensor([2, 0, 0])])
add("flip", {"axes": [1]}, x, lambda x: x.flip(1), each=True)
add("tile", {"times": [2, 1]}, x, lambda x: x.tile(2, 1))
add("repeat", {"times": 2, "axis": 1}, x, lambda x: x.repeat_interleave(2, 1))
add("broadcastTo", {"shape": [2, 3, 5]}, x, lambda x: x.expand(2, 3, 5))
add("depthToSpace", {"block": 2}, [{"shape": [1, 1, 2, 8], "seed": 1}],
    lambda x: x.reshape(1, 1, 2, 2, 2, 2).permute(0, 1, 3, 2, 4, 5).reshape(1, 2, 4, 2), each=True)
add("spaceToDepth", {"block": 2}, [{"shape": [1, 2, 4, 2], "seed": 1}],
    lambda x: x.reshape(1, 1, 2, 2, 2, 2).permute(0, 1, 3, 2, 4, 5).reshape(1, 1, 2, 8), each=True)
places = torch.tensor([2, 0, 2])
add("gather", {"axis": 1, "indices": [2, 0, 2], "shape": [3]}, x, lambda x: x[:, places])
add("gatherElements", {"axis": 1, "indices": [2, 0, 2, 1, 4, 4], "shape": [3, 2]}, x, lambda x: torch.gather(x, 1, torch.tensor([[2, 0], [2, 1], [4, 4]])))
add("gatherNd", {"indices": [2, 0, 2], "shape": [3, 1]}, x, lambda x: x[places])
given = [x[0], {"shape": [3, 2], "seed": 2}]
for reduce in ("none", "add"):
    apart = torch.tensor([[2, 0], [4, 1], [3, 4]])
    options = {"indices": [2, 0, 4, 1, 3, 4], "shape": [3, 2], "axis": 1, "reduce": reduce}
    add("scatterElements", options, given, lambda x, u: x.scatter(1, apart, u) if reduce == "none" else x.scatter_add(1, apart, u))
    add("scatterNd", {"indices": [2, 0], "shape": [2, 1], "reduce": reduce}, [x[0], {"shape": [2, 5], "seed": 2}],
        lambda x, u: x.index_put((torch.tensor([2, 0]),), u, accumulate=reduce == "add"))
labels = torch.tensor([2, 0, 4])
add("sparseCrossEntropy", {"indices": [2, 0, 4], "shape": [3]}, x, lambda x: F.cross_entropy(x, labels).reshape(1))
add("cumulativeSum", {}, x, lambda x: torch.cumsum(x, -1))
for k in (1, 3, 5):
    add("topK", {"k": k}, x, lambda x: torch.topk(x, k).values)
add("topK", {"k": 2, "order": {"axis": 0, "largest": False}}, x, lambda x: torch.topk(x, 2, 0, False).values)
for name, f in {"argmax": torch.argmax, "argmin": torch.argmin}.items():
    add(name, {}, [{**x[0], "gradient": False}], lambda x: f(x, -1).float())
for name, f in {"softmax": torch.softmax, "logSoftmax": torch.log_softmax, "cumulativeSum": torch.cumsum}.items():
    add(name, {"axis": 0}, x, lambda x: f(x, 0))

# Rows.
for columns in (5, 8):
    rows = [{"shape": [3, columns], "seed": 1, "scale": 2.0}]
    add("softmax", {}, rows, lambda x: x.softmax(-1))
    add("logSoftmax", {}, rows, lambda x: x.log_softmax(-1))
    add("l2Normalise", {}, rows, lambda x: F.normalize(x, dim=-1))
    add("layerNorm", {}, rows + [{"shape": [columns], "seed": 2, "shift": 1.5}, {"shape": [columns], "seed": 3}],
        lambda x, scale, shift: F.layer_norm(x, (columns,), scale, shift, 1e-5))
    add("rmsNorm", {}, rows + [{"shape": [columns], "seed": 2, "shift": 1.5}], lambda x, scale: scale * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-5)))
for channels, parts in ((6, 3), (8, 2)):
    maps = [{"shape": [2, 2, 2, channels], "seed": 1, "scale": 2.0}, {"shape": [channels], "seed": 2, "shift": 1.5}, {"shape": [channels], "seed": 3}]
    add("groupNorm", {"groups": parts}, maps, nhwc(lambda x, scale, shift: F.group_norm(x, parts, scale, shift, 1e-5)))
add("instanceNorm", {}, maps, nhwc(lambda x, scale, shift: F.instance_norm(x, None, None, scale, shift, eps=1e-5)))
add("cosineSimilarity", {}, [{"shape": [3, 5], "seed": 1}, {"shape": [3, 5], "seed": 4}],
    lambda a, b: (F.normalize(a, dim=-1, eps=1e-8) * F.normalize(b, dim=-1, eps=1e-8)).sum(-1))


def distribution(t):
    return torch.where(t > 0, t, torch.where(t.isnan(), t, torch.zeros_like(t)))


target = {"shape": [3, 5], "seed": 21, "scale": 0.5, "shift": 0.2, "gradient": False}
# The targets are the formula's numbers with those below 0 taken as 0: a factor of 0 stands beside every special logit.
for name, f in {
    "softCrossEntropy": lambda x, t: -(t * x.log_softmax(-1)).sum(-1),
    "klDivergence": lambda x, t: (torch.where(t > 0, t * t.log(), t * 0) - t * x.log_softmax(-1)).sum(-1),
    "earthMoversDistance": lambda x, t: (x.softmax(-1).cumsum(-1) - t.cumsum(-1)).square().mean(-1).sqrt(),
}.items():
    add(name, {}, [x[0], target], lambda x, t: f(x, distribution(t)))
add("expectationL1", {"levels": [1, 2, 3, 4, 5]}, [x[0], {"shape": [3], "seed": 4, "shift": 3.0, "gradient": False}],
    lambda x, y: ((x.softmax(-1) * torch.tensor([1.0, 2, 3, 4, 5])).sum(-1) - y).abs())
add("weightedMean", {}, [{"shape": [5], "seed": 3}, {"shape": [5], "seed": 5, "scale": 0.5, "shift": 0.6, "gradient": False}],
    lambda x, w: ((x * w).sum() / 5).reshape(1))

# Products.
matrices = [{"shape": [3, 5], "seed": 1}, {"shape": [5, 4], "seed": 2}]
add("matmul", {}, matrices, torch.matmul)
add("einsum", {"equation": "ij,jk->ki"}, matrices, lambda x, y: torch.einsum("ij,jk->ki", x, y))
add("linear", {}, [{"shape": [3, 5], "seed": 1}, {"shape": [5, 6], "seed": 2}, {"shape": [6], "seed": 3}], lambda x, w, b: x @ w + b)
add("batchedMatmul", {}, [{"shape": [2, 3, 4], "seed": 1}, {"shape": [2, 4, 5], "seed": 2}], torch.matmul)
add("linearPerSample", {}, [{"shape": [2, 3], "seed": 1}, {"shape": [2, 3, 4], "seed": 2}, {"shape": [2, 4], "seed": 3}],
    lambda x, w, b: torch.einsum("ni,nio->no", x, w) + b)
add("pointwisePerSample", {}, [{"shape": [2, 1, 2, 3], "seed": 1}, {"shape": [2, 3, 4], "seed": 2}, {"shape": [2, 4], "seed": 3}],
    lambda x, w, b: torch.einsum("nhwi,nio->nhwo", x, w) + b[:, None, None])


def convolved(x, k, b, stride, padding, groups):
    """By the formula, tap by tap; what lies outside the picture is left out."""
    n, h, w, _ = x.shape
    taps_h, taps_w, inner, columns = k.shape
    out_h, out_w = (h + 2 * padding - taps_h) // stride + 1, (w + 2 * padding - taps_w) // stride + 1
    lines = []
    for i in range(out_h):
        for j in range(out_w):
            total = b.expand(n, columns)
            for th in range(taps_h):
                for tw in range(taps_w):
                    a, c = i * stride + th - padding, j * stride + tw - padding
                    if 0 <= a < h and 0 <= c < w:
                        parts = [x[:, a, c, g * inner : (g + 1) * inner] @ k[th, tw, :, g * columns // groups : (g + 1) * columns // groups] for g in range(groups)]
                        total = total + torch.cat(parts, -1)
            lines.append(total)
    return torch.stack(lines, 1).reshape(n, out_h, out_w, columns)


def surrounded(x, k, b, stride, padding, groups, more):
    """The same with zeros around the picture; `more` further outputs on each side are made and left out."""
    edge = padding + more * stride
    y = convolved(F.pad(x, (0, 0, edge, edge, edge, edge)), k, b, stride, 0, groups)
    return y[:, more : y.shape[1] - more, more : y.shape[2] - more]


for channels, columns, kernel, stride, padding, parts in [(4, 4, 3, 1, 1, 1), (3, 5, 3, 2, 1, 1), (4, 4, 1, 1, 0, 1), (4, 4, 3, 1, 1, 4), (4, 6, 3, 1, 1, 2)]:
    add("conv2d", {"stride": stride, "padding": padding, "groups": parts},
        [{"shape": [1, 4, 5, channels], "seed": 1}, {"shape": [kernel, kernel, channels // parts, columns], "seed": 2}, {"shape": [columns], "seed": 3}],
        lambda x, k, b: convolved(x, k, b, stride, padding, parts),
        also=[lambda x, k, b: surrounded(x, k, b, stride, padding, parts, 0), lambda x, k, b: surrounded(x, k, b, stride, padding, parts, 2)])

# Normalisation over rows. running statistics get no gradient.
for training in (True, False):
    for relu, residual in ((False, False), (True, False), (True, True)):
        for c in (3, 4):

            def normalised(x, scale, shift, mean, variance, extra=None):
                flat = x.reshape(-1, c)
                mean, variance = (flat.mean(0), flat.var(0, unbiased=False)) if training else (mean, variance)
                y = ((flat - mean) / torch.sqrt(variance + 1e-5) * scale + shift).reshape(x.shape)
                y = y + extra if extra is not None else y
                return torch.relu(y) if relu else y

            inputs = [{"shape": [6, c], "seed": 1}, {"shape": [c], "seed": 2, "shift": 1.5}, {"shape": [c], "seed": 3},
                      {"shape": [c], "seed": 4, "gradient": False}, {"shape": [c], "seed": 5, "scale": 0.5, "shift": 1.0, "gradient": False}]
            inputs += [{"shape": [6, c], "seed": 6}] if residual else []
            add("batchNorm", {"training": training, "relu": relu, "residual": residual}, inputs, normalised)
for activation in ("relu", "relu6"):

    def conv_norm(x, k, scale, shift, mean, variance, border=0):
        y = (convolved(x, k, torch.zeros(k.shape[-1]), 1, 1 - border, 1) - mean) / torch.sqrt(variance + 1e-5) * scale + shift
        return F.relu(y) if activation == "relu" else F.relu6(y)

    add("convNorm", {"activation": activation},
        [{"shape": [1, 3, 3, 4], "seed": 1, "gradient": False}, {"shape": [3, 3, 4, 4], "seed": 2, "gradient": False}, {"shape": [4], "seed": 3, "shift": 1.5, "gradient": False},
         {"shape": [4], "seed": 4, "gradient": False}, {"shape": [4], "seed": 5, "gradient": False}, {"shape": [4], "seed": 6, "scale": 0.5, "shift": 1.0, "gradient": False}],
        conv_norm, also=[lambda x, *rest: conv_norm(F.pad(x, (0, 0, 1, 1, 1, 1)), *rest, border=1)])

# Attention.
def attended(q, k, v):
    s = torch.einsum("bthd,bshd->bhts", q, k) / q.shape[-1] ** 0.5
    return torch.einsum("bhts,bshd->bthd", s.softmax(-1), v)


add("attention", {}, [{"shape": [1, 3, 2, 4], "seed": 1}, {"shape": [1, 2, 2, 4], "seed": 2}, {"shape": [1, 2, 2, 4], "seed": 3}], attended)
add("selfAttention", {}, [{"shape": [1, 3, 3, 1, 4], "seed": 1}], lambda x: attended(x[:, :, 0], x[:, :, 1], x[:, :, 2]))

# Maps.
for channels in (3, 4):
    maps = [{"shape": [1, 4, 5, channels], "seed": 1}]
    for kernel, stride, padding in ((3, 2, 1), (2, 2, 0), (2, 1, 1)):
        options = {"kernel": kernel, "stride": stride, "padding": padding}
        add("maxPool2d", options, maps, nhwc(lambda x: F.max_pool2d(x, kernel, stride, padding)))
        add("averagePool2d", {**options, "countPadding": channels == 3}, maps,
            nhwc(lambda x: F.avg_pool2d(x, kernel, stride, padding, count_include_pad=channels == 3)))
    add("globalAveragePool", {}, maps, lambda x: x.mean(dim=(1, 2)))
    add("adaptiveAveragePool2d", {"height": 3, "width": 2}, maps, nhwc(lambda x: F.adaptive_avg_pool2d(x, (3, 2))))
    mean, deviation = [0.4 + 0.1 * c for c in range(channels)], [0.2 + 0.1 * c for c in range(channels)]
    add("normalise", {"mean": mean, "deviation": deviation}, maps, lambda x: (x - torch.tensor(mean)) / torch.tensor(deviation), each=True)
    windows = [{"top": 1, "left": 1, "flip": True}]
    add("cropAndFlip", {"windows": windows, "height": 3, "width": 4}, maps, lambda x: x[:, 1:4, 1:5].flip(2), each=True)
    add("centerCrop", {"height": 2, "width": 3}, maps, lambda x: x[:, 1:3, 1:4], each=True)
    add("flipHorizontal", {}, maps, lambda x: x.flip(2), each=True)
    inside = (torch.arange(4) < 2)[:, None] & (torch.arange(5) < 3)
    add("cutout", {"windows": [{"top": 0, "left": 0, "height": 2, "width": 3}], "value": 0.5}, maps,
        lambda x: torch.where(inside[None, :, :, None], torch.tensor(0.5), x), each=True)
add("stack", {}, [{"shape": [1, 2, 2, 3], "seed": s} for s in (1, 2)], lambda *x: torch.cat(x), each=True)
add("bilinearPool", {}, [{"shape": [1, 2, 2, 2], "seed": 1}, {"shape": [1, 2, 2, 3], "seed": 2}], lambda x, y: torch.einsum("nhwc,nhwd->ncd", x, y).reshape(1, -1) / 4)


for mode, operation in (("bilinear", "resize"), ("bicubic", "resizeBicubic")):
    for antialias in (True, False):
        for height, width in ((3, 2), (6, 7)):
            options = {"height": height, "width": width, "antialias": antialias}
            resized = nhwc(lambda x: F.interpolate(x, size=(height, width), mode=mode, align_corners=False, antialias=antialias))
            add(operation, options, [{"shape": [1, 4, 5, 2], "seed": 1}], resized)

def mapped(mode):
    """Both axes through the map of F.interpolate, heights first; what has no weight is not looked at."""

    def matrix(inputs, outputs):
        options = {} if mode == "nearest-exact" else {"align_corners": False}
        eye = torch.eye(inputs).reshape(inputs, 1, inputs, 1).expand(-1, -1, -1, 4)
        return F.interpolate(eye, size=(outputs, 4), mode=mode, **options)[:, 0, :, 0].T

    def along(x, weights, axis):
        rows = []
        for line in weights:
            parts = [w * x.select(axis, k) for k, w in enumerate(line) if w.abs() > 1e-7]
            rows.append(sum(parts[1:], parts[0]))
        return torch.stack(rows, axis)

    return lambda x: along(along(x, matrix(4, 6), 1), matrix(5, 7), 2)


for filter, mode in (("nearest", "nearest-exact"), ("linear", "bilinear"), ("cubic", "bicubic")):
    options = {"height": 6, "width": 7, "filter": filter, "rounding": "round_prefer_ceil"}
    cubic = nhwc(lambda x: F.interpolate(x, size=(6, 7), mode="bicubic", align_corners=False))
    add("interpolate", options, [{"shape": [1, 4, 5, 2], "seed": 1}], cubic if filter == "cubic" else mapped(mode))
add("conv1d", {"padding": 1}, [{"shape": [1, 5, 4], "seed": 1}, {"shape": [3, 4, 4], "seed": 2}, {"shape": [4], "seed": 3}],
    lambda x, k, b: convolved(F.pad(x, (0, 0, 1, 1))[:, None], k[None], b, 1, 0, 1)[:, 0],
    also=[lambda x, k, b: convolved(F.pad(x, (0, 0, 3, 3))[:, None], k[None], b, 1, 0, 1)[:, 0, 2:-2]])


def laid(x, k, b, stride):
    """Transposed convolution: each pixel lays its kernel onto the output."""
    n, h, w, c = x.shape
    y = torch.zeros(n, (h - 1) * stride + k.shape[0], (w - 1) * stride + k.shape[1], k.shape[2])
    for i in range(h):
        for j in range(w):
            tile = torch.einsum("nc,hwoc->nhwo", x[:, i, j], k)
            y = y + F.pad(tile, (0, 0, j * stride, y.shape[2] - j * stride - k.shape[1], i * stride, y.shape[1] - i * stride - k.shape[0]))
    return y + b


for stride in (1, 2):
    add("convTranspose2d", {"stride": stride}, [{"shape": [1, 3, 2, 4], "seed": 1}, {"shape": [3, 3, 4, 4], "seed": 2}, {"shape": [4], "seed": 3}],
        lambda x, k, b: laid(x, k, b, stride), also=[lambda x, k, b: F.conv_transpose2d(F.pad(x.permute(0, 3, 1, 2), (3, 3, 3, 3)), k.permute(3, 2, 0, 1), b, stride, 3 * stride).permute(0, 2, 3, 1)])

path = pathlib.Path(__file__).with_name("special.json")
path.write_text("[\n" + ",\n".join(json.dumps(g, separators=(",", ":"), ensure_ascii=False) for g in groups) + "\n]\n")
print(f"{path.name}: {sum(len(g['cases']) for g in groups)} cases, {path.stat().st_size} bytes")
