"""Writes reasons.json: statistics that degradations are told by, of pictures made by code, in float64 from their definitions; and steps of the
head that tells reasons, by PyTorch in float64.

Run: /usr/bin/python3 reasons.py   (numpy, torch)
"""
import json
import pathlib

import numpy as np
import torch

from classic import pixels

SHARES = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99]


def quantile(values, share):
    return np.quantile(values, share, method="inverted_cdf")


def planes(rgb):
    r, g, b = (rgb[..., c].astype(np.int64) for c in range(3))
    luma = (299 * r + 587 * g + 114 * b + 500) // 1000
    return luma.astype(float), (b - luma).astype(float), (r - luma).astype(float)


def tone(rgb, luma):
    most, least = rgb.max(2), rgb.min(2)
    counts = np.bincount(luma.astype(int).ravel(), minlength=256)
    return [
        *[quantile(luma.ravel(), s) / 255 for s in SHARES],
        luma.mean() / 255,
        luma.std() / 255,
        (luma <= 8).mean(),
        (luma >= 247).mean(),
        (most >= 252).mean(),
        (most <= 6).mean(),
        (most - least).mean() / 255,
        (counts >= luma.size / 10_000).sum() / 256,
    ]


def halved(x):
    h, w = x.shape[0] // 2 * 2, x.shape[1] // 2 * 2
    x = x[:h, :w]
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4


def detail(luma):
    found, x, first = [], luma, None
    log = lambda energy: np.log(energy + 0.05)
    for scale in range(4):
        x = halved(x) if scale else x
        c = x[1:-1, 1:-1]
        l, r, u, d = x[1:-1, :-2], x[1:-1, 2:], x[:-2, 1:-1], x[2:, 1:-1]
        gx, gy = (r - l) / 2, (d - u) / 2
        xx, yy = l + r - 2 * c, u + d - 2 * c
        xy = (x[2:, 2:] - x[2:, :-2] - x[:-2, 2:] + x[:-2, :-2]) / 4
        tensor = np.array([[(gx * gx).mean(), (gx * gy).mean()], [(gx * gy).mean(), (gy * gy).mean()]])
        minor, major = np.maximum(0, np.linalg.eigvalsh(tensor))
        angles = np.arange(12) * np.pi / 12
        along = lambda t: np.cos(t) ** 2 * xx + 2 * np.cos(t) * np.sin(t) * xy + np.sin(t) ** 2 * yy
        energies = np.array([(along(t) ** 2).mean() for t in angles])
        own = int(energies.argmin())
        laplacian = xx + yy
        found += [
            log(major),
            log(minor) - log(major),
            log(energies.max()),
            log(energies[(own + 6) % 12]) - log(energies.mean()),
            log(energies[own]) - log(energies.max()),
            np.log(((laplacian**4).mean() + 0.05**2) / ((laplacian**2).mean() + 0.05) ** 2),
        ]
        if first is not None:
            found.append(log(energies[first]) - log(energies.mean()))
        first = own if first is None else first
    return found


def block_grid(x, side):
    h, w = x.shape[0] // side, x.shape[1] // side
    return x[: h * side, : w * side].reshape(h, side, w, side).transpose(0, 2, 1, 3).reshape(h * w, side * side)


def noises(x):
    second = lambda a: a[:, :-2] - 2 * a[:, 1:-1] + a[:, 2:]
    return np.abs(second(second(x.T).T))


def blocks(luma, blue, red):
    c, l, r, u, d = luma[1:-1, 1:-1], luma[1:-1, :-2], luma[1:-1, 2:], luma[:-2, 1:-1], luma[2:, 1:-1]
    sharp = block_grid(np.abs(l + r + u + d - 4 * c), 16).mean(1)
    contrast = block_grid(c, 16).std(1)
    high = np.argsort(-contrast, kind="stable")[: -(-contrast.size // 4)]
    noise = [block_grid(noises(plane), 8).mean(1) for plane in (luma, blue, red)]
    around = np.stack([l, r, u, d])
    lone = ((c > around.max(0) + 20) | (c < around.min(0) - 20)).mean()
    spread = lambda values, shares, offset: [np.log(quantile(values, s) + offset) for s in shares]
    return [
        *spread(sharp, [0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98], 0.25),
        *spread(contrast, [0.1, 0.5, 0.9], 1),
        np.log((sharp[high] + 0.25) / (contrast[high] + 1)).mean(),
        *[np.log(n.mean() + 0.1) for n in noise],
        *spread(noise[0], [0.05, 0.25, 0.5], 0.1),
        *spread(noise[1], [0.05, 0.25, 0.5], 0.1),
        np.log(lone + 1e-5),
    ]


def profile(steps):
    relative = steps / (steps.mean() + 0.05)
    inner = relative[1:-1] - (relative[:-2] + relative[2:]) / 2
    places = np.arange(1, relative.size - 1) % 8
    phases = np.array([inner[places == p].mean() for p in range(8)])
    spread = [quantile(relative, s) for s in (0.1, 0.25, 0.5, 0.75, 0.9)]
    return np.array(spread), np.abs(np.diff(relative))[:-1].mean(), phases.max() - phases.mean()


def grid(luma):
    beside = np.abs(np.diff(luma, axis=1))[:-1]
    below = np.abs(np.diff(luma, axis=0))[:, :-1]
    (a, ua, ea), (b, ub, eb) = profile(beside.mean(0)), profile(below.mean(1))
    return [
        *((a + b) / 2),
        *[max(ua, ub), min(ua, ub), max(ea, eb), min(ea, eb)],
        *[(beside == 0).mean(), (below == 0).mean(), ((beside == 0) & (below == 0)).mean()],
        ((beside <= 1) & (below <= 1)).mean(),
    ]


def statistics(rgb):
    luma, blue, red = planes(rgb)
    return [*tone(rgb, luma), *detail(luma), *blocks(luma, blue, red), *grid(luma)]


def formula(shape, seed, scale=1.0):
    i = np.arange(int(np.prod(shape)), dtype=np.float64)
    return torch.tensor((scale * np.sin(0.37 * (i + 1) + 1.9 * seed)).reshape(shape))


def head_steps(inputs, hidden, classes, batch, rate, decay, factors):
    weights = [formula((hidden, inputs), 1, 0.3), formula((hidden,), 2, 0.3), formula((classes, hidden), 3, 0.3), formula((classes,), 4, 0.3)]
    for weight in weights:
        weight.requires_grad_(True)
    matrices, vectors = weights[::2], weights[1::2]
    optimiser = torch.optim.AdamW([{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0}], lr=rate)
    losses = []
    for step, factor in enumerate(factors):
        x = formula((batch, inputs), 10 + step)
        truth = torch.tensor([(i * 7 + step) % classes for i in range(batch)])
        answers = torch.relu(x @ weights[0].T + weights[1]) @ weights[2].T + weights[3]
        loss = torch.nn.functional.cross_entropy(answers, truth)
        for group in optimiser.param_groups:
            group["lr"] = rate * factor
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses, [w.detach().ravel().tolist() for w in weights]


def rounded(values):
    return [float(f"{v:.10g}") for v in values]


if __name__ == "__main__":
    pictures = [("waves", 96, 131), ("waves", 200, 160), ("noise", 64, 80), ("slope", 150, 97), ("constant", 48, 70), ("extremes", 120, 120), ("flat part", 140, 210)]
    cases = [{"kind": k, "height": h, "width": w, "statistics": rounded(statistics(pixels(k, h, w)))} for k, h, w in pictures]
    sizes = {"inputs": 5, "hidden": 7, "classes": 4, "batch": 6}
    rates = {"rate": 0.01, "decay": 0.1, "factors": [1, 0.5, 0.25, 1, 1]}
    losses, weights = head_steps(**sizes, **rates)
    head = {**sizes, **rates, "losses": rounded(losses), "weights": [rounded(w) for w in weights]}
    path = pathlib.Path(__file__).with_name("reasons.json")
    path.write_text(json.dumps({"pictures": cases, "head": head}, separators=(",", ":")) + "\n")
    print(path.name, path.stat().st_size)
