"""Golden values of whole networks in float64: torchvision's, with weights by a formula that the tests make again, so that no
weights are stored. Run: python3 backbones.py (needs torchvision)

Element i of a tensor: noise(i) = 2 · mix(i · 0x9E3779B1 + FNV-1a(name)) / 2^32 − 1, mix being the end of MurmurHash3, in
the order of weight files. Weights of two and more axes: noise · √(4.5 / fan-in), a variance of 1.5 / fan-in. Others by their names:
running_var 1 + noise / 2, running_mean and bias noise / 10, weight 1 + noise / 5. Where the cases train, the weight of the
norm that ends a block with a shortcut is 0.3 times that: without it small differences grow so much on the way back that
PyTorch's own gradients in single precision are 4 % off. Pictures: 2 · noise for the name "pictures",
[N, H, W, 3]. All are rounded to float32.
"""
import json
import pathlib

import numpy as np
import torch
import torchvision
from backbone_noise import filled, noise
from golden import formula, rounded

CLASSES = 10
HIDDEN = 16


def without_dropout(model):
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    return model


def build(name, training):
    model = getattr(torchvision.models, name)(weights=None, num_classes=CLASSES)
    if name.startswith("vgg"):
        width = model.classifier[0].in_features
        model.classifier[0] = torch.nn.Linear(width, HIDDEN)
        model.classifier[3] = torch.nn.Linear(HIDDEN, HIDDEN)
        model.classifier[6] = torch.nn.Linear(HIDDEN, CLASSES)
    model = without_dropout(model.double())
    filled(model, training)
    return model


def watched(name, model):
    """Modules whose outputs are the stages."""
    if name.startswith("resnet"):
        return [model.maxpool, model.layer1, model.layer2, model.layer3, model.layer4]
    if name.startswith("mobilenet"):
        return [model.features[i] for i in (0, 1, 3, 6, 10, 13, 16, 17, 18)]
    return [model.features[i - 1] for i, layer in enumerate(model.features) if isinstance(layer, torch.nn.MaxPool2d)]


def run(name, side, training, tensors=()):
    model = build(name, training)
    model.train(training)
    maps = []
    for module in watched(name, model):
        module.register_forward_hook(lambda _, __, output: maps.append(output))
    pictures = 2 * noise("pictures", 2 * side * side * 3)
    x = torch.tensor(pictures.astype(np.float32).astype(np.float64)).reshape(2, side, side, 3).permute(0, 3, 1, 2)
    logits = model(x)
    last = torch.nn.functional.max_pool2d(maps[-1], 2) if name.startswith("vgg") else maps[-1]
    features = last.mean((2, 3))
    result = {
        "name": name,
        "side": side,
        "training": training,
        "stages": [{"shape": [m.shape[i] for i in (0, 2, 3, 1)], "mean": m.mean().item(), "rms": m.square().mean().sqrt().item()} for m in maps],
        "features": rounded(features.reshape(-1)[::37]),
        "logits": rounded(logits),
    }
    if training:
        (logits * formula(logits.shape, 99)).sum().backward()
        named = dict(model.named_parameters())
        result["gradients"] = {}
        for key in tensors:
            gradient = named[key].grad.reshape(-1)
            along = gradient @ torch.tensor(noise("direction", gradient.numel()))
            result["gradients"][key] = {"norm": gradient.norm().item(), "along": along.item()}
        running = [key for key in model.state_dict() if "running" in key]
        result["running"] = {key: rounded(model.state_dict()[key][:8]) for key in (*running[:2], *running[-2:])}
    return result


cases = [
    run("resnet18", 64, False),
    run("resnet50", 64, False),
    run("resnet101", 64, False),
    run("mobilenet_v2", 96, False),
    run("vgg16", 64, False),
    run("vgg16_bn", 32, False),
    run("resnet50", 96, True, ["conv1.weight", "bn1.weight", "layer1.0.downsample.0.weight", "layer2.0.conv2.weight", "layer3.5.bn3.bias", "layer4.2.conv3.weight", "fc.weight"]),
    run("mobilenet_v2", 96, True, ["features.0.0.weight", "features.1.conv.0.0.weight", "features.4.conv.1.0.weight", "features.9.conv.1.1.bias", "features.14.conv.2.weight", "features.18.0.weight", "classifier.1.weight"]),
]
path = pathlib.Path(__file__).with_name("backbones.json")
path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
