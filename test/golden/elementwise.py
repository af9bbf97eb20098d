"""Golden values for functions of numbers, comparisons, choices and arithmetic with numbers.  Run: python3 elementwise.py"""
import torch
import torch.nn.functional as F
from golden import case, save

cases = []


def add(operation, options, inputs, run):
    cases.append(case(operation, options, inputs, run))


wide, small, inside, above = {"scale": 4.5}, {"scale": 0.2}, {"scale": 0.95}, {"scale": 1.4, "shift": 2.5}
unary = {
    "erf": (torch.erf, [{"scale": 2.5}, small]),
    "expm1": (torch.expm1, [wide, small]),
    "log1p": (torch.log1p, [inside, small, above]),
    "sin": (torch.sin, [wide, small, {"scale": 3000.0}]),
    "cos": (torch.cos, [wide, small, {"scale": 3000.0}]),
    "tan": (torch.tan, [{"scale": 1.3}, small]),
    "asin": (torch.asin, [inside, small]),
    "acos": (torch.acos, [inside, small]),
    "atan": (torch.atan, [wide, small]),
    "sinh": (torch.sinh, [wide, small]),
    "cosh": (torch.cosh, [wide, small]),
    "asinh": (torch.asinh, [wide, small, {"scale": 200.0}]),
    "acosh": (torch.acosh, [above, {"scale": 200.0, "shift": 203.0}]),
    "atanh": (torch.atanh, [inside, small]),
    "reciprocal": (torch.reciprocal, [above]),
    "negate": (torch.neg, [wide]),
    "softsign": (F.softsign, [wide, small]),
    "mish": (F.mish, [wide, small, {"scale": 30.0}]),
    "selu": (F.selu, [wide, small]),
}
flat = {"floor": torch.floor, "ceil": torch.ceil, "round": torch.round, "sign": torch.sign,
        "logicalNot": lambda x: (x == 0).double(), "isNan": lambda x: x.isnan().double(), "isInfinite": lambda x: x.isinf().double()}
for shape in [[1], [3, 5], [2, 3, 3, 4]]:
    for name, (f, ranges) in unary.items():
        for given in ranges:
            add(name, {}, [{"shape": shape, "seed": 1, **given}], f)
    for name, f in flat.items():
        add(name, {}, [{"shape": shape, "seed": 1, **wide, "gradient": False}], f)
    x = {"shape": shape, "seed": 1, **wide}
    add("leakyRelu", {"value": 0.3}, [x], lambda x: F.leaky_relu(x, 0.3))
    for alpha in (1.0, 0.4, 2.5):
        add("elu", {"value": alpha}, [x], lambda x: F.elu(x, alpha))
        add("celu", {"value": alpha}, [x], lambda x: F.celu(x, alpha))
        add("softplus", {"value": alpha}, [x], lambda x: torch.log1p(torch.exp(alpha * x)) / alpha)
    add("hardSigmoid", {"value": {}}, [x], F.hardsigmoid)
    add("hardSigmoid", {"value": {"alpha": 0.2, "beta": 0.4}}, [x], lambda x: torch.clamp(0.2 * x + 0.4, 0, 1))
add("round", {}, [{"shape": [9], "seed": 1, "scale": 0.0, "shift": 2.5, "gradient": False}], torch.round)
add("erf", {}, [{"shape": [101], "seed": 1, "scale": 5.0}], torch.erf)

smooth = {"add": torch.add, "subtract": torch.subtract, "multiply": torch.multiply, "divide": torch.divide, "pow": torch.pow,
          "fmod": torch.fmod, "remainder": torch.remainder, "maximum": torch.maximum, "minimum": torch.minimum}
truths = {"equal": torch.eq, "notEqual": torch.ne, "less": torch.lt, "lessOrEqual": torch.le, "greater": torch.gt, "greaterOrEqual": torch.ge,
          "logicalAnd": torch.logical_and, "logicalOr": torch.logical_or, "logicalXor": torch.logical_xor}
shapes = [((3, 1), (1, 5)), ((7,), (1,)), ((2, 3, 8), (3, 1)), ((2, 1, 3, 1, 2, 1), (1, 3, 1, 2, 1, 4)), ((30, 1, 12), (1, 5, 12)),
          ((3, 4), (3, 4)), ((1,), (2, 1, 3)), ((2, 1, 2, 1, 2, 1, 2), (1, 3, 1, 2, 1, 3, 1))]
for a, b in shapes:
    for name in ("maximum", "minimum") if a[0] != 30 else ():
        add("combine", {"op": name}, [{"shape": list(a), "seed": 1, "scale": 2.0}, {"shape": list(b), "seed": 2}], smooth[name])
    for name in ("pow", "fmod", "remainder")[: 1 if a[0] == 30 else 3]:
        add("combine", {"op": name}, [{"shape": list(a), "seed": 1, "scale": 2.0, "shift": 2.5}, {"shape": list(b), "seed": 2, "scale": 0.4, "shift": 1.3}], smooth[name])
    for name, f in truths.items() if len(a) in (2, 6) else ():
        x = {"shape": list(a), "seed": 1, "gradient": False}
        add("combine", {"op": name}, [x, {**x, "shape": list(b)}], lambda x, y: f(x, y).double())
add("combine", {"op": "add"}, [{"shape": s, "seed": i + 1} for i, s in enumerate([[2, 1, 2, 1, 2, 1, 2], [1, 3, 1, 2, 1, 3, 1]])], torch.add)
negative = [{"shape": [60], "seed": 1, "scale": 9.0, "shift": -2.0}, {"shape": [60], "seed": 2, "scale": 3.0, "shift": 0.5}]
for name in ("fmod", "remainder"):
    add("combine", {"op": name}, negative, smooth[name])

for name, f in smooth.items():
    for shape in ([1], [3, 5], [600])[: 3 if name == "pow" else 2]:
        x = {"shape": shape, "seed": 1, "shift": 2.0}
        add("withNumber", {"op": name, "number": 1.5, "side": "b"}, [x], lambda x: f(x, torch.tensor(1.5)))
        add("withNumber", {"op": name, "number": 1.5, "side": "a"}, [x], lambda x: f(torch.tensor(1.5), x))
for name, f in truths.items():
    x = {"shape": [3, 5], "seed": 1, "shift": 0.5, "gradient": False}
    add("withNumber", {"op": name, "number": 0.5, "side": "b"}, [x], lambda x: f(x, torch.tensor(0.5)).double())
    add("withNumber", {"op": name, "number": 0.5, "side": "a"}, [x], lambda x: f(torch.tensor(0.5), x).double())

for c, a, b in [((5,), (5,), (5,)), ((3, 1), (5,), (1, 1)), ((2, 3, 1), (1, 3, 4), (2, 1, 4)), ((40, 1, 12), (1, 5, 12), (40, 5, 1)), ((1,), (3, 4), (4,)), ((3, 4), (1,), (1,))]:
    add("where", {}, [{"shape": list(c), "seed": 1, "gradient": False}, {"shape": list(a), "seed": 2}, {"shape": list(b), "seed": 3}],
        lambda c, a, b: torch.where(c > 0, a, b))
add("whereNumber", {}, [{"shape": [3, 4], "seed": 1, "gradient": False}, {"shape": [4], "seed": 2}], lambda c, a: torch.where(c > 0, a, torch.tensor(-7.0)))

save("elementwise", cases)
