"""Golden values of whole numbers by NumPy, modulo 2^32.  Run: python3 integers.py"""
import json
import pathlib

import numpy as np

np.seterr(all="ignore")
cases = []
names = {"int32": "i32", "uint32": "u32", "float32": "f32", "uint8": "u8"}
extremes = [0, 1, -1, 2, -3, 2**31 - 1, -(2**31), 65536, -65537, 46341, 123456789, -987654321, 2**24 + 1, 7, -7]


def numbers(shape, seed, dtype="int32"):
    """Whole numbers of every size, the extremes among them."""
    random = np.random.default_rng(seed)
    size = int(np.prod(shape))
    values = random.integers(-(2**31), 2**31, size) >> random.integers(0, 31, size)
    values[:: max(2, size // 15)] = np.resize(extremes, len(values[:: max(2, size // 15)]))
    return (values % 2**32).astype("uint32").view("int32").astype(dtype).reshape(shape)


def listed(x):
    if x.dtype == np.float32:
        return ["NaN" if np.isnan(v) else "Infinity" if v == np.inf else "-Infinity" if v == -np.inf else float(v) for v in x.reshape(-1)]
    return [int(v) for v in x.reshape(-1)]


def array(x):
    return {"type": names[x.dtype.name], "shape": list(x.shape), "data": listed(x)}


def add(operation, options, inputs, output):
    cases.append({"operation": operation, "options": options, "inputs": [array(x) for x in inputs], "output": array(np.asarray(output))})


truths = {"equal": np.equal, "notEqual": np.not_equal, "less": np.less, "lessOrEqual": np.less_equal, "greater": np.greater, "greaterOrEqual": np.greater_equal,
          "logicalAnd": np.logical_and, "logicalOr": np.logical_or, "logicalXor": np.logical_xor}
for dtype in ("int32", "uint32"):
    for a, b in [((15,), (15,)), ((3, 5), (5,)), ((2, 1, 7), (2, 3, 1)), ((4, 8), (4, 8)), ((1,), (3, 3)), ((0, 3), (3,))]:
        x, y = numbers(a, 1, dtype), numbers(b, 2, dtype)
        for operation, work in {"add": np.add, "subtract": np.subtract, "multiply": np.multiply, "maximum": np.maximum, "minimum": np.minimum}.items():
            add(operation, {}, [x, y], work(x, y))
        for operation, work in truths.items():
            add(operation, {}, [x, y], work(x, y).astype("float32"))
        add("where", {}, [x, x, y], np.where(x != 0, x, y))
    x = numbers((3, 5), 3, dtype)
    for number in [0, 3, 2**31 - 1] + ([-(2**31), -9] if dtype == "int32" else [2**32 - 1]):
        one = np.array(number, dtype)
        add("add", {"number": number}, [x], x + one)
        add("multiply", {"number": number}, [x], x * one)
        add("less", {"number": number}, [x], (x < one).astype("float32"))
    for shape, axes in [((7,), None), ((3, 5), 0), ((3, 5), 1), ((2, 3, 8), 1), ((300,), 0), ((1, 300, 3), 1), ((2, 3, 4), [0, 2]), ((2, 0, 3), 1)]:
        x = numbers(shape, 4, dtype)
        axis = tuple(axes) if isinstance(axes, list) else axes
        one = lambda y: np.asarray(y).reshape(1) if np.ndim(y) == 0 else y
        add("sum", {"axes": axes}, [x], one(np.sum(x, axis, dtype=dtype)))
        add("product", {"axes": axes}, [x], one(np.prod(x, axis, dtype=dtype)))
        if x.size:
            add("amax", {"axes": axes}, [x], one(np.max(x, axis)))
            add("amin", {"axes": axes}, [x], one(np.min(x, axis)))
    x = numbers((3, 4, 5), 5, dtype)
    add("permute", {"axes": [2, 0, 1]}, [x], x.transpose(2, 0, 1))
    add("transpose", {}, [x], x.transpose(0, 2, 1))
    add("reshape", {"shape": [5, 12]}, [x], x.reshape(5, 12))
    add("slice", {"starts": [1, 0, 2], "ends": [3, 4, 5]}, [x], x[1:3, :, 2:5])
    add("flip", {}, [x], np.flip(x))
    add("tile", {"times": [2, 1, 3]}, [x], np.tile(x, (2, 1, 3)))
    add("broadcastTo", {"shape": [2, 3, 4, 5]}, [x], np.broadcast_to(x, (2, 3, 4, 5)))
    fill = -5 if dtype == "int32" else 2**32 - 5
    add("pad", {"before": [1, 0, 2], "after": [0, 3, 1], "value": fill}, [x], np.pad(x, ((1, 0), (0, 3), (2, 1)), constant_values=fill))
    add("concat", {"axis": 1}, [x, numbers((3, 7, 5), 6, dtype)], np.concatenate([x, numbers((3, 7, 5), 6, dtype)], 1))

x = numbers((3, 5), 7)
add("abs", {}, [x], np.abs(x))
add("negate", {}, [x], np.negative(x))
add("sign", {}, [x], np.sign(x))

# Places from either end.
x = np.arange(20, dtype="float32").reshape(4, 5) / 3
index = np.array([3, -1, 0, -4, 2], "int32")
for dtype in ("float32", "int32", "uint32"):
    table = numbers((4, 5), 8, dtype) if dtype != "float32" else x
    add("gather", {"axis": 0}, [table, index], np.take(table, index, 0))
    add("gather", {"axis": 1}, [table, index.reshape(5, 1) % 5], np.take(table, index.reshape(5, 1), 1))
    each = np.array([[-1, 0, 3, -4, 2], [1, -2, -3, 0, -1]], "int32")
    add("gatherElements", {"axis": 0}, [table, each], np.take_along_axis(table, each.astype("int64"), 0))
    tuples = np.array([[-1, 2], [0, -5], [3, -1]], "int32")
    add("gatherNd", {}, [table, tuples], table[tuple(tuples.T)])
    updates = numbers((2, 5), 9, dtype) if dtype != "float32" else x[:2] - 1
    for reduce, work in {"none": None, "add": np.add, "multiply": np.multiply, "max": np.maximum, "min": np.minimum}.items():
        y = table.copy()
        for i, j in np.ndindex(each.shape):
            at = (each[i, j], j)
            y[at] = updates[i, j] if work is None else work(y[at], updates[i, j])
        add("scatterElements", {"axis": 0, "reduce": reduce}, [table, each, updates], y)
    parts = updates[0, :3]
    y = table.copy()
    y[tuple(tuples.T)] = parts
    add("scatterNd", {"reduce": "none"}, [table, tuples, parts], y)

# Casts. NumPy leaves open what numbers beyond a type become: they are held at its ends, those below 0 wrap into u32, NaN is 0.
floats = np.array([0, -0.0, 0.9, -0.9, 1.5, -1.5, 2.5, 16777216, 16777217, -16777219, 2147483520, 2147483648, -2147483648, -2147483904, 4294967040, 4294967296, 1e20, -1e20, 3e-39,
                   np.inf, -np.inf, np.nan, 123456.78, -123456.78], "float32")
wide = np.trunc(np.nan_to_num(floats.astype("float64"), nan=0, posinf=1e300, neginf=-1e300))
add("cast", {"to": "i32"}, [floats], np.clip(wide, -(2.0**31), 2.0**31 - 1).astype("int64").astype("int32"))
add("cast", {"to": "u32"}, [floats], np.where(wide < 0, np.clip(wide, -(2.0**31), 0) + 2.0**32 * (wide < 0), np.clip(wide, 0, 2.0**32 - 1)).astype("uint64").astype("uint32"))
for dtype in ("int32", "uint32"):
    x = numbers((47,), 10, dtype)
    add("cast", {"to": "f32"}, [x], x.astype("float32"))
    add("cast", {"to": "i32"}, [x], x.astype("int32"))
    add("cast", {"to": "u32"}, [x], x.astype("uint32"))

# Bytes: numbers beyond them are held at 0 and 255, whole numbers wrap.
for size in (1, 2, 3, 4, 5, 9, 2051):
    x = (np.arange(size) * 37 + 5).astype("uint8")
    for dtype in ("float32", "int32", "uint32", "uint8"):
        add("cast", {"to": names[dtype]}, [x], x.astype(dtype))
    add("reshape", {"shape": [1, size]}, [x], x.reshape(1, size))
add("cast", {"to": "u8"}, [floats], np.clip(wide, 0, 255).astype("uint8"))
for dtype in ("int32", "uint32"):
    x = numbers((47,), 11, dtype)
    add("cast", {"to": "u8"}, [x], x.astype("uint8"))
mask = np.array([[1, 0, 255, 0, 7]], "uint8")
x, y = numbers((3, 5), 12), numbers((3, 1), 13)
add("where", {}, [mask, x, y], np.where(mask != 0, x, y))

path = pathlib.Path(__file__).with_name("integers.json")
path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
