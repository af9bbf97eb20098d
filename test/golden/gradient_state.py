"""Gradients between backward and update, in float64: PyTorch's clip_grad_norm_ with its optimisers, and the rule of its
GradScaler (torch/cuda/amp/grad_scaler.py; the class itself works on CUDA only): steps with a gradient that is not finite are
skipped and halve the scale, `interval` good steps double it. Gradients are formula values times a factor of each step, None
where one element of the gradient is infinite. Run: python3 gradient_state.py"""
import torch
from golden import formula, rounded, save

shapes = [[7], [3, 5], [1030]]


def run(make, factors, clip=None, scaler=None):
    parameters = [formula(shape, i + 1).clone().requires_grad_() for i, shape in enumerate(shapes)]
    optimiser = make(parameters)
    scale, good, steps = (scaler or {"initial": 1.0})["initial"], 0, []
    for step, factor in enumerate(factors):
        norm = None
        if factor is not None:
            for i, p in enumerate(parameters):
                p.grad = formula(p.shape, 10 * step + i + 2) * factor
            if clip:
                norm = float(torch.nn.utils.clip_grad_norm_(parameters, clip))
            optimiser.step()
        if scaler:
            good = 0 if factor is None else good + 1
            if factor is None:
                scale *= scaler["backoff"]
            elif good == scaler["interval"]:
                scale, good = scale * scaler["growth"], 0
        steps.append({"norm": norm, "scale": scale, "good": good, "parameters": [rounded(p) for p in parameters[:2]]})
    return {"factors": factors, "clip": clip, "scaler": scaler, "steps": steps}


makes = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
}
scaler = {"initial": 65536.0, "growth": 2.0, "backoff": 0.5, "interval": 3}
cases = []
for kind, make in makes.items():
    cases.append({"name": f"{kind}, clipped", "kind": kind, **run(make, [0.01, 1.0, 0.03, 20.0, 0.02, 3.0], clip=0.8)})
    factors = [1.0, None, None, 0.5, 1.0, 2.0, 1.0, None, 0.1, 1.0]
    cases.append({"name": f"{kind}, scaled", "kind": kind, **run(make, factors, scaler=scaler)})
    cases.append({"name": f"{kind}, both", "kind": kind, **run(make, factors, clip=0.8, scaler=scaler)})
save("gradient_state", cases)
