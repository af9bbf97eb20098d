"""Writes classic.json: statistics, NIQE and BRISQUE of pictures made by code, in float64 from the definitions in the papers; and
classic_parameters.json: made-up parameters of NIQE as files of NumPy and MATLAB, in base64.

Run: /usr/bin/python3 classic.py   (numpy, scipy)

Bytes of a picture come from whole numbers alone, so that the tests make them again; see pixels().
"""
import base64
import io
import json
import pathlib

import numpy as np
import scipy.io
from scipy.special import gamma

SHAPES = 0.2 + 0.001 * np.arange(9801)
RATIOS = gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES))


def hashed(x, y, c, seed):
    h = (x * 374761393 + y * 668265263 + c * 2246822519 + seed * 3266489917) % 2**32
    h = ((h ^ (h >> 13)) * 1274126177) % 2**32
    return (h ^ (h >> 16)) % 2**32


def triangle(t, period):
    t = t % (2 * period)
    return np.where(t < period, t, 2 * period - t)


def pixels(kind, height, width, seed=1):
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    noise = hashed(x, y, c, seed)
    if kind == "noise":
        return noise % 256
    if kind == "constant":
        return np.full((height, width, 3), 200)
    if kind == "extremes":
        return 255 * (hashed(x // 5, y // 3, 0, seed) % 2)
    if kind == "slope":
        return (x + y) // 2 % 256
    waves = 3 * triangle(3 * x + y + 20 * c, 31) // 2 + 2 * triangle(x * y // 64 + 5 * y, 43) + noise % 24
    if kind == "flat part":
        return np.where(x < 100, 255, waves % 256)
    return waves % 256


def rgb2gray(rgb):
    weights = np.array([0.298936021293775, 0.587043074451121, 0.114020904255103])
    return np.floor(rgb.astype(np.float64) @ weights + 0.5)


def window():
    line = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
    w = np.outer(line, line)
    return w / w.sum()


def local(grey, border):
    padded = np.pad(grey, 3, mode="edge") if border == "repeat" else np.pad(grey, 3)
    d = np.lib.stride_tricks.sliding_window_view(padded, (7, 7)) - grey[..., None, None]
    w = window()
    mean = (w * d).sum((-1, -2))
    deviation = np.sqrt(np.maximum((w * (d - mean[..., None, None]) ** 2).sum((-1, -2)), 0))
    return mean, deviation


def mscn(grey, border):
    mean, deviation = local(grey, border)
    y = -mean / (deviation + 1)
    return np.where(np.abs(y) < 1e-5, 0, y)


def keys(x):
    x = np.abs(x)
    return np.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))


def halve(x, axis):
    n = x.shape[axis]
    out = (n + 1) // 2
    matrix = np.zeros((out, n))
    for i in range(out):
        for at in range(2 * i - 8, 2 * i + 10):
            m = at % (2 * n)
            matrix[i, m if m < n else 2 * n - 1 - m] += keys((at - (2 * i + 0.5)) / 2) / 2
    matrix /= matrix.sum(1, keepdims=True)
    return np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)


def aggd(v):
    with np.errstate(all="ignore"):
        left = np.sqrt(np.square(v[v < 0]).sum() / (v < 0).sum())
        right = np.sqrt(np.square(v[v > 0]).sum() / (v > 0).sum())
        g = left / right
        r = np.abs(v).mean() ** 2 / np.square(v).mean() * (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
    alpha = np.nan if np.isnan(r) else SHAPES[np.argmin((RATIOS - r) ** 2)]
    return alpha, left, right


def pairs(v):
    return [v * np.roll(v, shift, (0, 1)) for shift in ((0, 1), (1, 0), (1, 1), (-1, 1))]


def niqe_block(v):
    alpha, left, right = aggd(v)
    factor = np.sqrt(gamma(1 / alpha) / gamma(3 / alpha))
    features = [alpha, factor * (left + right) / 2]
    for product in pairs(v):
        alpha, left, right = aggd(product)
        factor = np.sqrt(gamma(1 / alpha) / gamma(3 / alpha))
        features += [alpha, factor * (right - left) * gamma(2 / alpha) / gamma(1 / alpha), factor * left, factor * right]
    return features


def niqe_features(rgb):
    grey = rgb2gray(rgb)
    rows, columns = grey.shape[0] // 96, grey.shape[1] // 96
    grey = grey[: 96 * rows, : 96 * columns]
    scales = []
    for side in (96, 48):
        v = mscn(grey, "repeat")
        blocks = [v[i * side : (i + 1) * side, j * side : (j + 1) * side] for i in range(rows) for j in range(columns)]
        scales.append(np.array([niqe_block(block) for block in blocks]))
        grey = halve(halve(grey, 0), 1)
    return np.concatenate(scales, 1)


def sharpness(rgb):
    grey = rgb2gray(rgb)
    rows, columns = grey.shape[0] // 96, grey.shape[1] // 96
    deviation = local(grey[: 96 * rows, : 96 * columns], "repeat")[1]
    return deviation.reshape(rows, 96, columns, 96).mean((1, 3)).ravel()


def brisque_features(rgb):
    grey, features = rgb2gray(rgb), []
    for _ in range(2):
        v = mscn(grey, "zero")
        square = np.square(v).mean()
        rho = square / np.abs(v).mean() ** 2
        features += [SHAPES[np.argmin(np.abs(rho - 1 / RATIOS))], square]
        for product in pairs(v):
            alpha, left, right = aggd(product)
            mean = (right - left) * gamma(2 / alpha) / gamma(1 / alpha) * np.sqrt(gamma(1 / alpha) / gamma(3 / alpha))
            features += [alpha, mean, left**2, right**2]
        grey = halve(halve(grey, 0), 1)
    return features


def niqe(features, mean, covariance):
    whole = features[~np.isnan(features).any(1)]
    own = np.cov(whole, rowvar=False) if len(whole) > 1 else np.zeros((36, 36))
    d = np.nanmean(features, 0) - mean
    return float(np.sqrt(d @ np.linalg.pinv((own + covariance) / 2) @ d))


def parameters():
    """Made up: means in the middle of what blocks have, a covariance that is not diagonal."""
    i = np.arange(36)
    mean = 0.4 + 0.3 * np.cos(1.7 * i)
    covariance = 0.2 * np.exp(-np.abs(i[:, None] - i) / 5)
    return mean, covariance


def svr(features):
    """A made-up machine of five vectors, on features brought from [-1, 3] to [-1, 1]."""
    vectors = 0.6 * np.sin(np.arange(5)[:, None] + 0.4 * np.arange(36))
    x = -1 + 2 * (np.array(features) + 1) / 4
    return float(20 * np.cos(np.arange(5)) @ np.exp(-0.05 * np.square(vectors - x).sum(1)) + 12)


def listed(values):
    return [None if np.isnan(v) else float(f"{v:.9g}") for v in np.asarray(values, dtype=float).ravel()]


SIZES = [
    ("waves", 193, 291), ("noise", 97, 131), ("extremes", 200, 203), ("flat part", 99, 301), ("slope", 120, 210),
    ("waves", 96, 96), ("waves", 17, 23), ("noise", 16, 95), ("waves", 391, 197),
]
if __name__ == "__main__":
    cases = []
    for kind, height, width in SIZES:
        rgb = pixels(kind, height, width)
        case = {"kind": kind, "height": height, "width": width, "brisque": listed(brisque_features(rgb))}
        case["brisqueScore"] = svr(case["brisque"])
        if min(height, width) >= 96:
            features = niqe_features(rgb)
            score = niqe(features, *parameters())
            case |= {"niqe": listed(features), "niqeScore": score, "sharpness": listed(sharpness(rgb))}
        cases.append(case)
    path = pathlib.Path(__file__).with_name("classic.json")
    path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
    mean, covariance = parameters()
    files = {}
    with io.BytesIO() as file:
        np.savez_compressed(file, mu_pris_param=mean[None], cov_pris_param=covariance)
        files["npz"] = base64.b64encode(file.getvalue()).decode()
    with io.BytesIO() as file:
        scipy.io.savemat(file, {"mu_prisparam": mean[None], "cov_prisparam": covariance}, do_compression=True)
        files["mat"] = base64.b64encode(file.getvalue()).decode()
    path = pathlib.Path(__file__).with_name("classic_parameters.json")
    path.write_text(json.dumps(files, indent=1) + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes")
