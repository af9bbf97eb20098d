"""Writes reiqa.json: Re-IQA's two encoders and the layer on their features in float64 by PyTorch, at odd sizes. Weights and pictures are by the formula
of backbones.py. Half the size is PyTorch's bicubic with antialias, which the script compares with Pillow's default on float pictures.

Run from this folder:  python3 reiqa.py
"""
import json
import math
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from backbone_noise import noise
from golden import rounded
from PIL import Image

torch.set_default_dtype(torch.float64)


def tensor(name, *shape):
    size = math.prod(shape)
    values = noise(name, size)
    if len(shape) > 1:
        values = values * math.sqrt(4.5 / (size / shape[0]))
    elif name.endswith("running_var"):
        values = 1 + values / 2
    elif name.endswith(("running_mean", "bias")):
        values = values / 10
    else:
        values = 1 + values / 5
    return torch.tensor(values.astype(np.float32).astype(np.float64)).reshape(shape)


def conv_norm(x, prefix, conv, norm, out, kernel, stride):
    x = F.conv2d(x, tensor(f"{prefix}{conv}.weight", out, x.shape[1], kernel, kernel), stride=stride, padding=(kernel - 1) // 2)
    of = [tensor(f"{prefix}{norm}.{name}", out) for name in ("running_mean", "running_var", "weight", "bias")]
    return F.batch_norm(x, *of, training=False)


def block(x, prefix, width, stride, bottleneck):
    out = 4 * width if bottleneck else width
    shortcut = x
    if stride != 1 or x.shape[1] != out:
        shortcut = conv_norm(x, prefix, "downsample.0", "downsample.1", out, 1, stride)
    layers = [(width, 1, 1), (width, 3, stride), (out, 1, 1)] if bottleneck else [(width, 3, stride), (width, 3, 1)]
    for i, (channels, kernel, step) in enumerate(layers, 1):
        x = conv_norm(x, prefix, f"conv{i}", f"bn{i}", channels, kernel, step)
        x = F.relu(x) if i < len(layers) else F.relu(x + shortcut)
    return x


def encoder(x, prefix, blocks, bottleneck):
    x = F.max_pool2d(F.relu(conv_norm(x, prefix, "conv1", "bn1", 64, 7, 2)), 3, 2, 1)
    for stage, count in enumerate(blocks):
        for i in range(count):
            x = block(x, f"{prefix}layer{stage + 1}.{i}.", 64 * 2**stage, 2 if i == 0 and stage > 0 else 1, bottleneck)
    return x.mean((2, 3))


def halved(x):
    height, width = x.shape[2] // 2, x.shape[3] // 2
    half = F.interpolate(x, size=(height, width), mode="bicubic", antialias=True, align_corners=False)
    channel = Image.fromarray(x[0, 0].numpy().astype(np.float32), mode="F").resize((width, height))
    assert np.abs(np.asarray(channel) - half[0, 0].numpy()).max() < 1e-5
    return half


def normalised(x):
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (x - mean.reshape(1, 3, 1, 1)) / deviation.reshape(1, 3, 1, 1)


def case(depth, stages, height, width, roles):
    blocks = {18: [2, 2, 2, 2], 50: [3, 4, 6, 3]}[depth][:stages]
    pictures = (noise("pictures", 2 * height * width * 3) + 1) / 2
    x = torch.tensor(pictures.astype(np.float32).astype(np.float64)).reshape(2, height, width, 3).permute(0, 3, 1, 2)
    parts = []
    for role in roles:
        for seen in (x, halved(x)):
            parts.append(encoder(normalised(seen) if role == "content" else seen, f"{role}.", blocks, depth == 50))
    features = torch.cat(parts, 1)
    scores = F.linear(features, tensor("head.logits.weight", 1, features.shape[1]), tensor("head.logits.bias", 1))
    return {
        "backbone": f"resnet{depth}",
        "stages": stages,
        "encoders": "both" if len(roles) == 2 else roles[0],
        "height": height,
        "width": width,
        "length": features.shape[1],
        "features": rounded(features.reshape(-1)[::7]),
        "scores": rounded(scores),
    }


cases = [
    case(18, 2, 45, 71, ["content", "quality"]),
    case(50, 1, 38, 33, ["quality"]),
    case(18, 1, 64, 64, ["content"]),
]
path = pathlib.Path(__file__).with_name("reiqa.json")
path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
