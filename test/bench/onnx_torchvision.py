"""Networks of torchvision as ONNX, with random weights, an input and what PyTorch makes of it: what onnx-torchvision.ts reads.

    python3 test/bench/onnx_torchvision.py FOLDER [--dynamo] [NAME ...]

Needs torch, torchvision, onnx and onnxscript. --dynamo takes PyTorch's newer exporter, else operator set 17 by the older one.
"""

import argparse
import json
import os

import torch
import torchvision

# Sides of the input: the least that shows all layers of the network at work.
SIDES = {
    **dict.fromkeys(["convnext_tiny", "maxvit_t", "swin_t", "swin_v2_t", "vit_b_32", "googlenet"], 224),
    **dict.fromkeys(["densenet121", "efficientnet_b0", "mnasnet0_5", "mobilenet_v3_small"], 96),
    **dict.fromkeys(["regnet_y_400mf", "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_1"], 96),
    "inception_v3": 160,
}

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--dynamo", action="store_true")
parser.add_argument("names", nargs="*", default=sorted(SIDES))
given = parser.parse_args()
os.makedirs(given.folder, exist_ok=True)

for name in given.names:
    torch.manual_seed(0)
    options = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    network = torchvision.models.get_model(name, weights=None, **options).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, 0, 0.02)
    x = torch.randn(1, 3, SIDES[name], SIDES[name])
    with torch.no_grad():
        y = network(x)
    path = os.path.join(given.folder, f"{name}{'-dynamo' if given.dynamo else ''}")
    how = {"external_data": False} if given.dynamo else {"opset_version": 17}
    torch.onnx.export(network, (x,), f"{path}.onnx", input_names=["x"], output_names=["y"], dynamo=given.dynamo, **how)
    with open(f"{path}.json", "w") as file:
        json.dump({"shape": list(x.shape), "x": x.flatten().tolist(), "y": y.flatten().tolist()}, file)
    print(path, flush=True)
