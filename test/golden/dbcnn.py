"""Golden values of DB-CNN in float64, with weights by the formula of backbones.py under the names of the authors' PyTorch code. Pictures
in [0, 1]: (1 + noise) / 2 for the name "pictures", [N, H, W, 3]. Run: python3 dbcnn.py (the last case needs ../shared)

The scalar that is differentiated is sum(scores * formula).
"""
import json
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from backbone_noise import filled, noise, summary
from golden import formula, rounded
from plain_networks import ResNet, load_safetensors, vgg16

CONVOLUTIONS = [(3, 48, 1), (48, 48, 2), (48, 64, 1), (64, 64, 2), (64, 64, 1), (64, 64, 2), (64, 128, 1), (128, 128, 1), (128, 128, 2)]


def scnn():
    layers = []
    for inputs, outputs, stride in CONVOLUTIONS:
        layers += [torch.nn.Conv2d(inputs, outputs, 3, stride, 1), torch.nn.BatchNorm2d(outputs), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers)


def maps_of(name):
    return vgg16() if name == "vgg16" else ResNet(int(name.removeprefix("resnet")))


class DbCnn(torch.nn.Module):
    def __init__(self, name, width):
        super().__init__()
        self.features1 = maps_of(name)
        self.features2 = scnn()
        self.fc = torch.nn.Linear(width * 128, 1)

    def forward(self, pictures):
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = ((pictures - mean) / deviation).permute(0, 3, 1, 2)
        x1, x2 = self.features1(x), self.features2(x)
        n, width, h, w = x1.shape
        if x2.shape[2:] != x1.shape[2:]:
            x2 = F.interpolate(x2, size=(h, w), mode="bilinear", align_corners=True)
        products = torch.bmm(x1.reshape(n, width, h * w), x2.reshape(n, 128, h * w).transpose(1, 2)) / (h * w)
        return self.fc(F.normalize(torch.sqrt(products.reshape(n, -1) + 1e-8), eps=1e-12))


def pictures_of(shape):
    values = (1 + noise("pictures", math.prod(shape))) / 2
    return torch.tensor(values.astype(np.float32).astype(np.float64)).reshape(shape)


def run(name, width, height, breadth, training):
    network = filled(DbCnn(name, width).double(), small_ends=training)
    network.train(training)
    scores = network(pictures_of([2, height, breadth, 3]))
    result = {"backbone": name, "shape": [2, height, breadth, 3], "training": training, "scores": rounded(scores)}
    if training:
        (scores * formula(scores.shape, 99)).sum().backward()
        result["gradients"] = {key: summary(parameter.grad) for key, parameter in network.named_parameters()}
        running = [key for key in network.state_dict() if key.startswith("features2") and "running" in key]
        result["running"] = {key: rounded(network.state_dict()[key][:8]) for key in (*running[:2], *running[-2:])}
    return result


def run_scnn(height, breadth):
    network = filled(torch.nn.ModuleDict({"features": scnn()}).double())
    network.eval()
    x = (2 * pictures_of([2, height, breadth, 3]) - 1).permute(0, 3, 1, 2)
    y = network["features"](x).permute(0, 2, 3, 1)
    return {"scnn": True, "shape": [2, height, breadth, 3], "mapShape": list(y.shape), "map": rounded(y.reshape(-1)[::23])}


def run_given(path, height, breadth):
    """The authors' own S-CNN, which is not part of this repository."""
    network = torch.nn.ModuleDict({"features": scnn()}).double()
    tensors = load_safetensors(path)
    network.load_state_dict(tensors, strict=False)
    network.eval()
    x = (2 * pictures_of([1, height, breadth, 3]) - 1).permute(0, 3, 1, 2)
    y = network["features"](x).permute(0, 2, 3, 1)
    return {"scnn": "scnn_dbcnn", "shape": [1, height, breadth, 3], "mapShape": list(y.shape), "map": rounded(y.reshape(-1)[::23])}


if __name__ == "__main__":
    cases = [
        run("vgg16", 512, 53, 75, True),
        run("resnet18", 512, 53, 75, False),
        run("resnet18", 512, 75, 90, True),
        run_scnn(53, 75),
        run_given(pathlib.Path(__file__).parents[3] / "shared/weights/scnn_dbcnn.f32.safetensors", 53, 75),
    ]
    path = pathlib.Path(__file__).with_name("dbcnn.json")
    path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
