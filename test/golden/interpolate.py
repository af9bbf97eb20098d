"""Golden values for resizing as ONNX has it, by the reference evaluator of the `onnx` package (pip install onnx), whose maps of single axes
are applied in float64 by PyTorch, and as PyTorch's nearest.  Run: python3 interpolate.py"""
import numpy as np
import onnx
import torch
import torch.nn.functional as F
from golden import case, save
from onnx.reference import ReferenceEvaluator

cases = []


def matrix(inputs, outputs, scale, options):
    """[outputs, inputs] of one axis."""
    names = {"coordinates": "coordinate_transformation_mode", "rounding": "nearest_mode", "cubicCoefficient": "cubic_coeff_a", "antialias": "antialias", "excludeOutside": "exclude_outside"}
    attributes = {names[k]: int(v) if isinstance(v, bool) else v for k, v in options.items() if k in names}
    by = "scales" if scale else "sizes"
    node = onnx.helper.make_node("Resize", ["x", "", by if scale else "", "" if scale else by], ["y"], mode=options["filter"], axes=[1], **attributes)
    graph = onnx.helper.make_graph(
        [node], "resize",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.DOUBLE, [inputs, inputs]),
         onnx.helper.make_tensor_value_info(by, onnx.TensorProto.FLOAT if scale else onnx.TensorProto.INT64, [1])],
        [onnx.helper.make_tensor_value_info("y", onnx.TensorProto.DOUBLE, None)])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 19)])
    given = np.array([scale], np.float32) if scale else np.array([outputs], np.int64)
    y = ReferenceEvaluator(model).run(None, {"x": np.eye(inputs), by: given})[0]
    return torch.tensor(np.asarray(y, np.float64).T)


def add(shape, height, width, options):
    scale = options.get("scale")
    rows, columns = (scale if isinstance(scale, list) else [scale, scale])
    down, across = matrix(shape[1], height, rows, options), matrix(shape[2], width, columns, options)
    assert down.shape[0] == height and across.shape[0] == width, (down.shape, across.shape)
    cases.append(case("interpolate", {"height": height, "width": width, **options}, [{"shape": shape, "seed": len(cases)}],
                      lambda x: torch.einsum("ih,jw,nhwc->nijc", down, across, x)))


sizes = [([1, 5, 7, 3], 8, 4), ([2, 6, 4, 4], 3, 9)]
for shape, height, width in sizes:
    for coordinates in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"):
        for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
            add(shape, height, width, {"filter": "nearest", "coordinates": coordinates, "rounding": rounding})
        for filter in ("linear", "cubic"):
            add(shape, height, width, {"filter": filter, "coordinates": coordinates})
    add(shape, height, width, {"filter": "cubic", "cubicCoefficient": -0.5, "excludeOutside": True})
    add(shape, height, width, {"filter": "linear", "antialias": True})
    add(shape, height, width, {"filter": "cubic", "antialias": True})
    add(shape, height, width, {"filter": "cubic", "antialias": True, "excludeOutside": True})
add([1, 4, 5, 2], 1, 1, {"filter": "linear", "coordinates": "pytorch_half_pixel"})
add([1, 4, 5, 2], 1, 1, {"filter": "linear", "coordinates": "align_corners"})
add([1, 5, 4, 2], 4, 4, {"filter": "linear", "scale": [0.8999999761581421, 1.100000023841858]})
add([1, 5, 4, 2], 4, 4, {"filter": "linear", "coordinates": "half_pixel_symmetric", "scale": [0.8999999761581421, 1.100000023841858]})
add([1, 5, 4, 2], 8, 2, {"filter": "cubic", "coordinates": "asymmetric", "scale": [1.600000023841858, 0.6000000238418579]})

for shape, height, width in [([1, 5, 7, 3], 8, 3), ([2, 6, 4, 4], 4, 9)]:
    for mode, options in (("nearest", {"coordinates": "asymmetric", "rounding": "floor"}), ("nearest-exact", {"coordinates": "half_pixel", "rounding": "round_prefer_ceil"})):
        cases.append(case("interpolate", {"height": height, "width": width, "filter": "nearest", **options}, [{"shape": shape, "seed": len(cases)}],
                          lambda x: F.interpolate(x.permute(0, 3, 1, 2), size=(height, width), mode=mode).permute(0, 2, 3, 1)))

save("interpolate", cases)
