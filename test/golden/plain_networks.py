"""VGG-16 and ResNets up to their last map in plain PyTorch, with torchvision's names; and a reader of safetensors files."""
import json
import pathlib

import numpy as np
import torch
from torch import nn


def vgg16():
    """`features` of VGG-16 without its last pooling."""
    layers, inputs = [], 3
    for stage in ([64, 64], [128, 128], [256] * 3, [512] * 3, [512] * 3):
        for outputs in stage:
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers[:-1])


class Block(nn.Module):
    def __init__(self, inputs, width, stride, bottleneck):
        super().__init__()
        outputs = 4 * width if bottleneck else width
        kernels = (1, 3, 1) if bottleneck else (3, 3)
        self.count = len(kernels)
        for i, kernel in enumerate(kernels, 1):
            step = stride if i == (2 if bottleneck else 1) else 1
            before, after = (inputs if i == 1 else width), (outputs if i == self.count else width)
            setattr(self, f"conv{i}", nn.Conv2d(before, after, kernel, step, kernel // 2, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm2d(after))
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        shortcut = self.downsample(x) if hasattr(self, "downsample") else x
        for i in range(1, self.count + 1):
            x = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(x))
            x = torch.relu(x + shortcut if i == self.count else x)
        return x


class ResNet(nn.Module):
    """`stages(x)` are the maps after the four stages."""

    def __init__(self, depth):
        super().__init__()
        counts = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}[depth]
        bottleneck = depth >= 50
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for stage, count in enumerate(counts):
            width, blocks = 64 * 2**stage, []
            for i in range(count):
                blocks.append(Block(inputs, width, 2 if stage > 0 and i == 0 else 1, bottleneck))
                inputs = width * (4 if bottleneck else 1)
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))

    def stages(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        maps = []
        for stage in range(1, 5):
            x = getattr(self, f"layer{stage}")(x)
            maps.append(x)
        return maps

    def forward(self, x):
        return self.stages(x)[-1]


def load_safetensors(path):
    """float32 tensors by their names, as float64."""
    data = pathlib.Path(path).read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        values = np.frombuffer(data[8 + length + start : 8 + length + end], "<f4").astype(np.float64)
        tensors[name] = torch.tensor(values).reshape(entry["shape"])
    return tensors
