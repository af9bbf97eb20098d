"""Golden values of HyperIQA in float64, with weights by the formula of backbones.py under the names of the authors' code. Pictures as
in dbcnn.py. Run: python3 hyperiqa.py

With a backbone other than ResNet-50 channels follow its own. The windows of averages are those of AdaptiveAvgPool2d, which at 224
pixels are the authors'. The scalar that is differentiated is sum(scores * formula).
"""
import json
import pathlib

import torch
from backbone_noise import filled, summary
from dbcnn import pictures_of
from golden import formula, rounded
from plain_networks import ResNet
from torch import nn

LENGTHS = (224, 112, 56, 28, 14)


class Backbone(ResNet):
    def __init__(self, depth):
        super().__init__(depth)
        self.widths = [64 * 2**i * (4 if depth >= 50 else 1) for i in range(4)]
        for i in range(3):
            channels, side = 16 << i, 8 >> i
            setattr(self, f"lda{i + 1}_pool", nn.Sequential(nn.Conv2d(self.widths[i], channels, 1, bias=False), nn.AdaptiveAvgPool2d(side)))
            setattr(self, f"lda{i + 1}_fc", nn.Linear(channels * side * side, 16))
        self.lda4_fc = nn.Linear(self.widths[3], 176)

    def forward(self, x):
        maps = self.stages(x)
        last = nn.functional.adaptive_avg_pool2d(maps[3], 7)
        parts = [getattr(self, f"lda{i + 1}_fc")(getattr(self, f"lda{i + 1}_pool")(maps[i]).flatten(1)) for i in range(3)]
        return torch.cat([*parts, self.lda4_fc(last.mean((2, 3)))], 1), last


class HyperNet(nn.Module):
    def __init__(self, depth):
        super().__init__()
        self.res = Backbone(depth)
        width = self.res.widths[3]
        content = [width, width // 2, width // 4, 112]
        self.conv1 = nn.Sequential(*[m for a, b in zip(content, content[1:]) for m in (nn.Conv2d(a, b, 1), nn.ReLU())])
        for i, (a, b) in enumerate(zip(LENGTHS, LENGTHS[1:]), 1):
            setattr(self, f"fc{i}w_conv", nn.Conv2d(112, a * b // 49, 3, padding=1))
            setattr(self, f"fc{i}b_fc", nn.Linear(112, b))
        self.fc5w_fc = nn.Linear(112, 14)
        self.fc5b_fc = nn.Linear(112, 1)

    def forward(self, pictures):
        mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x, last = self.res(((pictures - mean) / deviation).permute(0, 3, 1, 2))
        hyper = self.conv1(last)
        pooled = hyper.mean((2, 3))
        for i in range(1, 5):
            bias = getattr(self, f"fc{i}b_fc")(pooled)
            weight = getattr(self, f"fc{i}w_conv")(hyper).reshape(len(x), bias.shape[1], x.shape[1])
            x = torch.sigmoid((weight @ x[:, :, None])[:, :, 0] + bias)
        return (self.fc5w_fc(pooled) * x).sum(1, keepdim=True) + self.fc5b_fc(pooled)


def run(depth, images, height, width, training):
    network = filled(HyperNet(depth).double(), small_ends=training)
    network.train(training)
    shape = [images, height, width, 3]
    scores = network(pictures_of(shape))
    result = {"backbone": f"resnet{depth}", "shape": shape, "training": training, "scores": rounded(scores)}
    if training:
        (scores * formula(scores.shape, 99)).sum().backward()
        result["gradients"] = {key: summary(parameter.grad) for key, parameter in network.named_parameters()}
    return result


if __name__ == "__main__":
    cases = [run(50, 1, 224, 224, False), run(18, 2, 75, 106, False), run(18, 2, 75, 106, True)]
    path = pathlib.Path(__file__).with_name("hyperiqa.json")
    path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
