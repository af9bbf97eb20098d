"""Golden values for activations, broadcasting, joining, layer normalisation, gathering, scans and cosine similarity.
Run: python3 extended.py"""
import torch
import torch.nn.functional as F
from golden import case, formula, save

cases = []


def add(operation, options, inputs, run):
    cases.append(case(operation, options, inputs, run))


for shape in [(1,), (3, 5), (2, 3, 3, 4)]:
    x = {"shape": list(shape), "seed": 1, "scale": 4.5}
    small = {"shape": list(shape), "seed": 1, "scale": 0.2}
    positive = {"shape": list(shape), "seed": 1, "shift": 1.5}
    for given in (x, small):
        add("gelu", {"approximate": "none"}, [given], F.gelu)
        add("gelu", {"approximate": "tanh"}, [given],
            lambda x: 0.5 * x * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (x + 0.044715 * x ** 3))))
        add("silu", {}, [given], F.silu)
        add("normalCdf", {}, [given], torch.special.ndtr)
        add("sigmoid", {}, [given], torch.sigmoid)
        add("tanh", {}, [given], torch.tanh)
        add("hardswish", {}, [given], F.hardswish)
    add("relu6", {}, [{**x, "scale": 9.0}], F.relu6)
    for exponent in (3, 2.0, 0, -2, 0.5, -1.7):
        given = {**x, "scale": 1.4} if exponent in (3, 2.0, 0) else positive
        add("pow", {"exponent": exponent}, [given], lambda x: x ** exponent)

add("gelu", {"approximate": "none"}, [{"shape": [601], "seed": 1, "scale": 6.0}], F.gelu)

for a, b in [((3, 1), (1, 5)), ((7,), (1,)), ((2, 3, 4), (4,)), ((2, 3, 8), (3, 1)), ((5, 1, 3), (2, 1)), ((1, 4), (6, 7, 1)),
             ((2, 1, 3, 1, 2, 1), (1, 3, 1, 2, 1, 4)), ((30, 1, 12), (1, 5, 12)), ((3, 4), (3, 4)), ((1,), (2, 1, 3))]:
    x = {"shape": list(a), "seed": 1}
    y = {"shape": list(b), "seed": 2, "shift": 2.0}
    add("broadcast", {"op": "divide"}, [x, y], lambda x, y: x / y)
    if a[0] != 30:
        add("broadcast", {"op": "add"}, [x, y], lambda x, y: x + y)
        add("broadcast", {"op": "subtract"}, [x, y], lambda x, y: x - y)
        add("broadcast", {"op": "multiply"}, [x, y], lambda x, y: x * y)

for shapes, axis in [([(2, 3), (4, 3)], 0), ([(3, 2), (3, 5), (3, 1)], 1), ([(2, 3, 4), (2, 1, 4)], 1), ([(5, 8), (5, 4)], -1),
                     ([(30, 7), (30, 12)], 1), ([(2, 2, 3, 5), (2, 2, 3, 2)], 3)]:
    add("concat", {"axis": axis}, [{"shape": list(s), "seed": i + 1} for i, s in enumerate(shapes)], lambda *x: torch.cat(x, axis))

for shape, starts, ends in [((7,), (2,), (6,)), ((5, 6), (1, 0), (4, 6)), ((3, 4, 8), (0, 1, 0), (3, -1, 8)), ((4, 5, 6), (-2, 2, 1), (4, 5, -2)),
                            ((60, 13), (7, 2), (57, 10)), ((2, 3, 2, 3, 2, 4), (1, 0, 1, 1, 0, 0), (2, 2, 2, 3, 1, 4))]:
    window = tuple(slice(a, b) for a, b in zip(starts, ends))
    add("slice", {"starts": starts, "ends": ends}, [{"shape": list(shape), "seed": 1}], lambda x: x[window])

for shape, before, after, value in [((5,), (2,), (3,), 1.5), ((3, 4), (1, 0), (2, 0), 0), ((2, 3, 5), (0, 1, 2), (1, 0, 3), -2), ((60, 9), (5, 1), (50, 0), 0.5),
                                    ((2, 1, 3, 2, 1, 2), (0, 1, 0, 0, 1, 0), (1, 0, 0, 1, 0, 1), 3)]:
    widths = [w for b, a in reversed(list(zip(before, after))) for w in (b, a)]
    add("pad", {"before": before, "after": after, "value": value}, [{"shape": list(shape), "seed": 1}], lambda x: F.pad(x, widths, value=value))

for shape, axes in [((3, 5), (1, 0)), ((2, 3, 4), (2, 0, 1)), ((2, 3, 4), (1, 0, -1)), ((60, 3, 5), (0, 2, 1)), ((3, 2, 2, 3, 1, 2), (5, 2, 0, 4, 3, 1))]:
    add("permute", {"axes": axes}, [{"shape": list(shape), "seed": 1}], lambda x: x.permute(*axes))

for shape in [(1, 3), (5, 8), (2, 3, 7), (150, 5), (3, 132), (2, 300), (3, 261)]:
    c = shape[-1]
    add("layerNorm", {"epsilon": 1e-6}, [{"shape": list(shape), "seed": 1, "scale": 2.0, "shift": 3.0}, {"shape": [c], "seed": 2, "shift": 1.5}, {"shape": [c], "seed": 3}],
        lambda x, scale, shift: F.layer_norm(x, (c,), scale, shift, 1e-6))

for shape in [(5,), (4, 8), (2, 3, 7), (140, 5), (2, 300)]:
    add("l2Normalise", {"epsilon": 1e-12}, [{"shape": list(shape), "seed": 1}], lambda x: F.normalize(x, dim=-1))
    if len(shape) > 1:
        add("cosineSimilarity", {}, [{"shape": list(shape), "seed": 1}, {"shape": list(shape), "seed": 4}], lambda a, b: F.cosine_similarity(a, b, dim=-1))
for axis in (0, 1, -2):
    add("l2Normalise", {"epsilon": 1e-12, "axis": axis}, [{"shape": [3, 5, 4], "seed": 1}], lambda x: F.normalize(x, dim=axis))
add("l2Normalise", {"epsilon": 2.0}, [{"shape": [4, 9], "seed": 1}], lambda x: F.normalize(x, dim=-1, eps=2.0))

for rows, columns, indices in [(1, 3, [0, 0]), (5, 4, [4, 1, 1, 0, 1, 4, 1]), (7, 3, [6]), (40, 5, [(i * i * 7 + 3) % 40 for i in range(90)]), (60, 12, [59, 0, 30, 59])]:
    add("gatherRows", {"indices": indices}, [{"shape": [rows, columns], "seed": 1}], lambda t: t[torch.tensor(indices)])

for shape, k in [((5,), 2), ((3, 7), 7), ((2, 3, 8), 1), ((90, 9), 3), ((2, 300), 4), ((3, 261), 7)]:
    add("topK", {"k": k, "indices": torch.topk(formula(shape, 1), k).indices.reshape(-1).tolist(),
                 "largest": torch.argmax(formula(shape, 1), -1).reshape(-1).tolist()},
        [{"shape": list(shape), "seed": 1}], lambda x: torch.topk(x, k).values)
for shape, k, axis, smallest in [((5, 3), 2, 0, False), ((2, 7, 3), 3, 1, True), ((2, 3, 4, 2), 2, -3, True), ((3, 5), 2, -1, True), ((300, 2), 3, 0, True)]:
    x = formula(shape, 1)
    place = torch.argmin if smallest else torch.argmax
    add("topK", {"k": k, "axis": axis, "smallest": smallest, "indices": torch.topk(x, k, axis, not smallest).indices.reshape(-1).tolist(),
                 "largest": place(x, axis).reshape(-1).tolist()},
        [{"shape": list(shape), "seed": 1}], lambda x: torch.topk(x, k, axis, not smallest).values)

for shape in [(1,), (9,), (3, 4), (2, 3, 5), (2, 300)]:
    add("cumulativeSum", {}, [{"shape": list(shape), "seed": 1}], lambda x: torch.cumsum(x, -1))


def running(x, axis, reverse=False, exclusive=False):
    y = x.flip(axis) if reverse else x
    y = torch.cumsum(y, axis) - (y if exclusive else 0)
    return y.flip(axis) if reverse else y


for shape, axis, scan in [((3, 4), 0, {}), ((2, 5, 3), 1, {"reverse": True}), ((2, 3, 4), -3, {"exclusive": True}), ((3, 7), -1, {"reverse": True, "exclusive": True}), ((2, 3, 1, 2, 2, 2, 2), 1, {"exclusive": True}),
                          ((300, 2), 0, {"exclusive": True})]:
    add("cumulativeSum", {"axis": axis, "scan": scan}, [{"shape": list(shape), "seed": 1}], lambda x: running(x, axis, **scan))

save("extended", cases)
