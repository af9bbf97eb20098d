"""Writes full_reference.json: PSNR, SSIM, MS-SSIM, GMSD and FSIM of pairs of pictures made by code, in float64.

PSNR and SSIM are scikit-image's, MS-SSIM, GMSD and FSIM follow the papers.  Run: /usr/bin/python3 full_reference.py
"""
import json
import math
import pathlib

import numpy as np
from scipy.ndimage import correlate
from scipy.signal import convolve2d
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from classic import pixels

WEIGHTS = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]


def distorted(kind, reference):
    height, width, _ = reference.shape
    if kind == "equal":
        return reference
    if kind == "inverted":
        return 255 - reference
    if kind == "darker":
        return reference // 2
    if kind == "shifted":
        return np.roll(reference, (1, 2), (0, 1))
    if kind == "black":
        return np.zeros_like(reference)
    noise = pixels("noise", height, width, 7)
    return (7 * reference + noise) // 8


def luma(rgb):
    return rgb / 255 @ np.array([0.299, 0.587, 0.114])


def contrast_and_structure(a, b):
    """Means of SSIM and of its part of contrast and structure, Gaussian window of 11 x 11, where all of it fits."""
    line = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    window = np.outer(line, line) / line.sum() ** 2
    local = lambda x: correlate(x, window)[5:-5, 5:-5]
    ma, mb = local(a), local(b)
    va, vb, cov = local(a * a) - ma**2, local(b * b) - mb**2, local(a * b) - ma * mb
    part = (2 * cov + 0.0009) / (va + vb + 0.0009)
    return (part * (2 * ma * mb + 0.0001) / (ma**2 + mb**2 + 0.0001)).mean(), part.mean()


def halved(x):
    padded = np.pad(x, [(0, n % 2) for n in x.shape], mode="edge")
    return padded.reshape(padded.shape[0] // 2, 2, padded.shape[1] // 2, 2).mean((1, 3))


def ms_ssim(a, b):
    product = 1.0
    for i, weight in enumerate(WEIGHTS):
        whole, part = contrast_and_structure(a, b)
        product *= max(0, whole if i == len(WEIGHTS) - 1 else part) ** weight
        a, b = halved(a), halved(b)
    return product


def gmsd(a, b):
    def magnitude(x):
        x = convolve2d(255 * x, np.full((2, 2), 0.25), "full")[1:, 1:][::2, ::2]
        prewitt = np.array([[1, 0, -1]] * 3) / 3
        return np.hypot(convolve2d(x, prewitt, "same"), convolve2d(x, prewitt.T, "same"))

    ga, gb = magnitude(a), magnitude(b)
    similarity = (2 * ga * gb + 170) / (ga**2 + gb**2 + 170)
    return similarity.std(ddof=1) if similarity.size > 1 else 0.0


def centred(n):
    """Kovesi's frequencies, from least to largest."""
    return np.arange(-(n - 1) // 2, (n - 1) // 2 + 1) / max(1, n - 1) if n % 2 else np.arange(-n // 2, n // 2) / n


def phase_congruency(x):
    rows, cols = x.shape
    fx, fy = np.meshgrid(centred(cols), centred(rows))
    radius, theta = np.fft.ifftshift(np.hypot(fx, fy)), np.fft.ifftshift(np.arctan2(-fy, fx))
    low = 1 / (1 + (radius / 0.45) ** 30)
    radius[0, 0] = 1
    spectrum = np.fft.fft2(x)
    energies = amplitudes = 0
    for o in range(4):
        angle = o * np.pi / 4
        sine = np.sin(theta) * np.cos(angle) - np.cos(theta) * np.sin(angle)
        cosine = np.cos(theta) * np.cos(angle) + np.sin(theta) * np.sin(angle)
        spread = np.exp(-(np.abs(np.arctan2(sine, cosine)) ** 2) / (2 * (np.pi / 4 / 1.2) ** 2))
        filters, answers = [], []
        for s in range(4):
            radial = np.exp(-(np.log(radius * 6 * 2**s) ** 2) / (2 * np.log(0.55) ** 2)) * low
            radial[0, 0] = 0
            filters.append(np.real(np.fft.ifft2(radial * spread)) * np.sqrt(rows * cols))
            answers.append(np.fft.ifft2(spectrum * radial * spread))
            if s == 0:
                finest = ((radial * spread) ** 2).sum()
        total = sum(answers)
        mean_even, mean_odd = total.real / (np.abs(total) + 1e-4), total.imag / (np.abs(total) + 1e-4)
        energy = sum(
            e.real * mean_even + e.imag * mean_odd - np.abs(e.real * mean_odd - e.imag * mean_even) for e in answers
        )
        noise = np.median(np.abs(answers[0]) ** 2) / np.log(2) / finest
        squares = sum((f**2).sum() for f in filters)
        products = sum((filters[i] * filters[j]).sum() for i in range(4) for j in range(i + 1, 4))
        tau = np.sqrt((2 * noise * squares + 4 * noise * products) / 2)
        threshold = (tau * np.sqrt(np.pi / 2) + 2 * np.sqrt((2 - np.pi / 2) * tau**2)) / 1.7
        energies = energies + np.maximum(energy - threshold, 0)
        amplitudes = amplitudes + sum(np.abs(e) for e in answers)
    return np.divide(energies, amplitudes, out=np.zeros_like(amplitudes), where=amplitudes > 1e-3)


def fsim(a, b):
    side = max(1, int(min(a.shape) / 256 + 0.5))

    def viewed(x):
        return convolve2d(255 * x, np.full((side, side), 1 / side**2), "full")[side // 2 :, side // 2 :][: x.shape[0] : side, : x.shape[1] : side]

    def magnitude(x):
        scharr = np.array([[3, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16
        return np.hypot(convolve2d(x, scharr, "same"), convolve2d(x, scharr.T, "same"))

    a, b = viewed(a), viewed(b)
    (pa, pb), (ga, gb) = (phase_congruency(x) for x in (a, b)), (magnitude(x) for x in (a, b))
    most = np.maximum(pa, pb)
    similarity = (2 * pa * pb + 0.85) / (pa**2 + pb**2 + 0.85) * (2 * ga * gb + 160) / (ga**2 + gb**2 + 160)
    return (similarity * most).sum() / most.sum() if most.sum() > 0 else None


PAIRS = [
    ("waves", "noisy", 193, 291), ("waves", "darker", 176, 177), ("waves", "shifted", 60, 75), ("noise", "inverted", 181, 176),
    ("flat part", "noisy", 177, 250), ("extremes", "shifted", 200, 203), ("extremes", "black", 33, 18), ("slope", "noisy", 11, 12),
    ("waves", "equal", 190, 180), ("constant", "black", 180, 179), ("waves", "noisy", 2, 3), ("waves", "noisy", 1, 5),
    ("waves", "noisy", 400, 523), ("flat part", "darker", 640, 700), ("slope", "noisy", 256, 260), ("constant", "noisy", 96, 97),
]
cases = []
for kind, change, height, width in PAIRS:
    reference = pixels(kind, height, width).astype(np.int64)
    copy = distorted(change, reference)
    a, b = luma(reference), luma(copy)
    case = {"kind": kind, "change": change, "height": height, "width": width}
    psnr = math.inf if change == "equal" else peak_signal_noise_ratio(reference / 255, copy / 255, data_range=1)
    case["psnr"] = None if psnr == math.inf else psnr
    if min(height, width) >= 11:
        ssim = structural_similarity(a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1)
        assert abs(ssim - contrast_and_structure(a, b)[0]) < 1e-9
        case["ssim"] = ssim
    if min(height, width) >= 176:
        case["msSsim"] = ms_ssim(a, b)
    if min(height, width) >= 2:
        case["gmsd"] = gmsd(a, b)
        if (features := fsim(a, b)) is not None:
            case["fsim"] = features
    cases.append(case)
path = pathlib.Path(__file__).with_name("full_reference.json")
path.write_text("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")
print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
