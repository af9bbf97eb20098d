"""Golden values for products, convolutions, normalisation, reductions and elementwise operations. Run: python3 core.py"""
import torch
import torch.nn.functional as F
from golden import case, formula, save

cases = []


def add(operation, options, inputs, run):
    cases.append(case(operation, options, inputs, run))


for m, k, n in [(1, 1, 1), (5, 7, 3), (33, 9, 70), (64, 12, 8), (3, 130, 5)]:
    add("linear", {}, [{"shape": [m, k], "seed": 1}, {"shape": [k, n], "seed": 2}, {"shape": [n], "seed": 3}],
        lambda x, w, b: x @ w + b)
    add("matmul", {}, [{"shape": [m, k], "seed": 4}, {"shape": [k, n], "seed": 5}], lambda a, b: a @ b)

for n, h, w, c, o, kernel, stride, padding, groups in [
    (1, 5, 5, 4, 4, (3, 3), (1, 1), (1, 1), 1),
    (2, 7, 9, 3, 5, (3, 3), (2, 2), (1, 1), 1),
    (2, 8, 5, 8, 12, (1, 1), (2, 2), (0, 0), 1),
    (3, 11, 10, 3, 8, (7, 7), (2, 2), (3, 3), 1),
    (1, 6, 7, 5, 3, (2, 3), (1, 2), (0, 2), 1),
    (2, 9, 4, 36, 40, (3, 3), (1, 1), (1, 1), 1),
    (2, 6, 6, 4, 4, (5, 1), (3, 1), (2, 0), 1),
    (2, 5, 6, 6, 9, (3, 3), (2, 1), (1, 1), 3),
    (2, 7, 5, 5, 5, (3, 3), (1, 1), (1, 1), 5),
]:
    add("conv2d", {"stride": stride, "padding": padding, "groups": groups},
        [{"shape": [n, h, w, c], "seed": 1}, {"shape": [*kernel, c // groups, o], "seed": 2}, {"shape": [o], "seed": 3}],
        lambda x, k, b: F.conv2d(x.permute(0, 3, 1, 2), k.permute(3, 2, 0, 1), b, stride, padding, 1, groups).permute(0, 2, 3, 1))

for shape in [(2, 3, 5, 4), (3, 7, 1, 5), (1, 13, 11, 8), (150, 4)]:
    c = shape[-1]
    for training in (True, False):
        for relu in (True, False):
            for residual in (True, False):
                def run(x, scale, shift, mean, variance, extra=None):
                    flat = x.reshape(-1, c)
                    y = F.batch_norm(flat, mean.detach().clone(), variance.detach().clone(), scale, shift, training, 0.1, 1e-5).reshape(x.shape)
                    y = y + extra if extra is not None else y
                    return torch.relu(y) if relu else y

                inputs = [
                    {"shape": list(shape), "seed": 1, "scale": 2.0, "shift": 3.0},
                    {"shape": [c], "seed": 2, "shift": 1.5},
                    {"shape": [c], "seed": 3},
                    {"shape": [c], "seed": 4, "gradient": False},
                    {"shape": [c], "seed": 5, "scale": 0.5, "shift": 1.0, "gradient": False},
                ]
                if residual:
                    inputs.append({"shape": list(shape), "seed": 6})
                add("batchNorm", {"training": training, "relu": relu, "residual": residual}, inputs, run)

for shape, axis in [((3, 5), None), ((3, 5), 0), ((3, 5), 1), ((2, 3, 4), 1), ((2, 3, 4), -1), ((600, 3), 0), ((1000,), None), ((7, 260, 8), 1)]:
    for name in ("sum", "mean"):
        def run(x):
            f = getattr(torch, name)
            return f(x).reshape(1) if axis is None else f(x, axis)
        add(name, {"axis": axis}, [{"shape": list(shape), "seed": 1}], run)

for shape in [(1,), (7,), (3, 5), (2, 3, 4, 5)]:
    a = {"shape": list(shape), "seed": 1}
    b = {"shape": list(shape), "seed": 2, "shift": 2.0}
    positive = {"shape": list(shape), "seed": 1, "shift": 1.5}
    add("add", {}, [a, b], lambda x, y: x + y)
    add("subtract", {}, [a, b], lambda x, y: x - y)
    add("multiply", {}, [a, b], lambda x, y: x * y)
    add("divide", {}, [a, b], lambda x, y: x / y)
    add("relu", {}, [a], torch.relu)
    add("scale", {"factor": -0.7}, [a], lambda x: -0.7 * x)
    add("exp", {}, [a], torch.exp)
    add("log", {}, [positive], torch.log)
    add("sqrt", {}, [positive], torch.sqrt)
    add("square", {}, [a], torch.square)

for shape in [(3, 5), (2, 7, 4), (1, 1)]:
    add("transpose", {}, [{"shape": list(shape), "seed": 1}], lambda x: x.transpose(-1, -2))
add("reshape", {"shape": [6, 4]}, [{"shape": [2, 3, 4], "seed": 1}], lambda x: x.reshape(6, 4))

save("core", cases)
