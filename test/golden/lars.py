"""Writes lars.json: a matrix, one of zeros and a vector after each of five updates by LARS in float64: of matrices
d = g + decay p is multiplied with trust |p| / |d| where both norms are above 0, of vectors d = g; velocity = 0.9 velocity + d, p = p - rate velocity.
Run: python3 lars.py"""
import json
import pathlib

from golden import formula, rounded

RATE, DECAY, TRUST, MOMENTUM = 2.0, 0.1, 0.001, 0.9

parameters = {"matrix": formula([3, 4], 1).clone(), "zero": formula([2, 3], 1) * 0, "vector": formula([5], 2).clone()}
velocities = {name: 0 * p for name, p in parameters.items()}
after = []
for step in range(5):
    for i, (name, p) in enumerate(parameters.items()):
        d = formula(list(p.shape), 10 * i + step + 2)
        if p.dim() > 1:
            d = d + DECAY * p
            if p.norm() > 0 and d.norm() > 0:
                d = d * (TRUST * p.norm() / d.norm())
        velocities[name] = MOMENTUM * velocities[name] + d
        parameters[name] = p - RATE * velocities[name]
    after.append({name: rounded(p) for name, p in parameters.items()})
pathlib.Path(__file__).with_name("lars.json").write_text(json.dumps(after) + "\n")
