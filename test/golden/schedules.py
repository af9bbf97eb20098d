"""Factors of PyTorch's learning-rate schedulers, step by step, with a base rate of 1. Run: python3 schedules.py"""
import warnings

import torch
from golden import save
from torch.optim import lr_scheduler as lr

warnings.simplefilter("ignore")


def factors(make, steps):
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimiser)
    found = []
    for _ in range(steps):
        found.append(float(f"{optimiser.param_groups[0]['lr']:.12g}"))
        optimiser.step()
        scheduler.step()
    return found


def warm_cosine(optimiser):
    warm = lr.LinearLR(optimiser, start_factor=0.2, total_iters=5)
    return lr.SequentialLR(optimiser, [warm, lr.CosineAnnealingLR(optimiser, T_max=15, eta_min=0.05)], milestones=[5])


cases = {
    "linear": (lambda o: lr.LinearLR(o, start_factor=0.25, total_iters=6), 10),
    "cosine": (lambda o: lr.CosineAnnealingLR(o, T_max=12, eta_min=0.1), 13),
    "restarts": (lambda o: lr.CosineAnnealingWarmRestarts(o, T_0=4, T_mult=2, eta_min=0.02), 30),
    "equal restarts": (lambda o: lr.CosineAnnealingWarmRestarts(o, T_0=5), 13),
    "step": (lambda o: lr.StepLR(o, step_size=3, gamma=0.5), 12),
    "milestones": (lambda o: lr.MultiStepLR(o, milestones=[2, 7, 8], gamma=0.1), 12),
    "exponential": (lambda o: lr.ExponentialLR(o, gamma=0.9), 12),
    "polynomial": (lambda o: lr.PolynomialLR(o, total_iters=9, power=2.0), 12),
    "time decay": (lambda o: lr.LambdaLR(o, lambda t: 1 / (1 + 0.3 * t)), 12),
    "warm-up then cosine": (warm_cosine, 20),
}
save("schedules", [{"name": name, "factors": factors(*case)} for name, case in cases.items()])
