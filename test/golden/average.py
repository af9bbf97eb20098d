"""Moving averages of parameters by PyTorch's AveragedModel in float64, with the decay warm-up of TensorFlow's
ExponentialMovingAverage as its averaging function. The first update of AveragedModel copies the start. Run: python3 average.py"""
import torch
from golden import formula, rounded, save
from torch.optim.swa_utils import AveragedModel


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.p = torch.nn.Parameter(formula([3, 5], 0))


def run(decay, warmup):
    def average(old, new, count):
        t = float(count) - 1
        d = min(decay, (1 + t) / (10 + t)) if warmup else decay
        return d * old + (1 - d) * new

    network = Network()
    averaged = AveragedModel(network, avg_fn=average)
    averaged.update_parameters(network)
    after = []
    for step in range(25):
        network.p.data = formula([3, 5], step + 1)
        averaged.update_parameters(network)
        after.append(rounded(averaged.module.p))
    return {"decay": decay, "warmup": warmup, "after": after}


save("average", [run(0.9, False), run(0.5, True), run(0.999, True)])
