"""Writes distortions.json: the 25 distortions of KADID-10k at its five levels in float64.  Run: /usr/bin/python3 distortions.py

NumPy, SciPy, scikit-image and Pillow, from the definitions and not from our kernels: scikit-image has the colour spaces and Otsu's
thresholds, SciPy correlations, interpolating weights and the spline, Pillow codecs and nearest neighbours. Random choices are drawn
from the words that the kernels draw. The picture is made of whole numbers here and in the test. Of each result the mean, the mean square
and every 46th sample are kept.
"""
import io
import json
import pathlib

import numpy as np
from PIL import Image
from scipy.integrate import quad
from scipy.interpolate import CubicSpline
from scipy.ndimage import correlate, correlate1d
from skimage import color
from skimage.filters import threshold_multiotsu

from philox import Random, normals, words

HEIGHT, WIDTH, STRIDE, SEED = 37, 45, 46, 123456789


def picture(height, width):
    """Edges, smooth parts, texture and full colours, as bytes."""
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    noise = ((y * 131 + x * 7 + c + 1) * 2654435761 % 2**32) >> 24
    value = np.where(x > 20, 140, 50) + (x * x + 3 * y * y + 17 * c * x) // 16 % 64 + noise // 8
    full = np.where((x // 5 + c) % 3 == 0, 255, 0)
    return np.clip(np.where(y < 4, full, value), 0, 255).astype(np.uint8)


BYTES = picture(HEIGHT, WIDTH)
X = BYTES / 255


def gaussian(deviation, side=None):
    reach = int(np.ceil(2 * deviation)) if side is None else (side - 1) // 2
    line = np.exp(-np.arange(-reach, reach + 1) ** 2 / (2 * deviation**2))
    return line / line.sum()


def blurred(x, deviation, side=None):
    line = gaussian(deviation, side)
    return correlate1d(correlate1d(x, line, 0, mode="nearest"), line, 1, mode="nearest")


def filtered(x, kernel):
    kernel = kernel / kernel.sum()
    return np.stack([correlate(x[..., c], kernel, mode="nearest") for c in range(3)], -1)


def disk(radius):
    reach = int(np.ceil(radius - 0.5))
    at = np.arange(-reach, reach + 1)

    def area(x, y):
        def covered(t):
            rim = np.sqrt(max(0, radius**2 - t**2))
            return max(0, min(y + 0.5, rim) - max(y - 0.5, -rim))

        # Where the rim enters and leaves the pixel the integrand has corners.
        rims = [np.sqrt(radius**2 - e**2) for e in (y - 0.5, y + 0.5) if abs(e) < radius]
        corners = [s * t for t in rims + [radius] for s in (-1, 1) if x - 0.5 < s * t < x + 0.5]
        return quad(covered, x - 0.5, x + 0.5, points=sorted(corners) or None, limit=200, epsabs=1e-12)[0]

    return np.array([[area(x, y) for x in at] for y in at])


def line(length, angle):
    half = (length - 1) / 2
    reach = int(np.ceil(half))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
    ends = half * np.array([np.cos(angle), np.sin(angle)])
    # Distance to the segment from -ends to ends.
    length2 = max(4 * half**2, 1e-300)
    t = np.clip(((x + ends[0]) * 2 * ends[0] + (y + ends[1]) * 2 * ends[1]) / length2, 0, 1)
    distance = np.hypot(x + ends[0] - t * 2 * ends[0], y + ends[1] - t * 2 * ends[1])
    return np.maximum(0, 1 - distance)


XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
WHITE = np.array([0.95047, 1.0, 1.08883])


def rgb_of(lab):
    """As scikit-image's lab2rgb, but it takes L*, a*, b* of no colour too."""
    y = (lab[..., 0] + 16) / 116
    f = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], -1)
    xyz = np.where(f > 6 / 29, f**3, (f - 16 / 116) / 7.787037037037037) * WHITE
    linear = xyz @ np.linalg.inv(XYZ).T
    return np.clip(np.where(linear > 0.0031308, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055, 12.92 * linear), 0, 1)


LAB = color.rgb2lab(X)
assert np.abs(color.lab2rgb(LAB) - rgb_of(LAB)).max() < 1e-6
assert np.abs(rgb_of(LAB) - X).max() < 1e-4


def diffusion(a):
    soft = a * blurred(LAB, 1.5 * a + 2)
    return rgb_of(np.stack([LAB[..., 0], soft[..., 1], soft[..., 2]], -1))


def shift(a):
    grey = X @ [0.2989, 0.5870, 0.1140]
    edges = blurred(np.hypot(*np.gradient(grey)), 4)

    def stretched(e):
        return (e - e.min()) / (e.max() - e.min())

    mask = np.clip(stretched(edges), 0.1, 1)
    mask = stretched(np.clip(mask, *np.percentile(mask, [1, 99])))
    random = Random(SEED, "color shift")
    vector = np.array([random.uniform(), random.uniform()])
    down, right = np.floor(a * vector / np.linalg.norm(vector) + 0.5).astype(int)
    rows, columns = np.maximum(0, np.arange(HEIGHT) - down), np.maximum(0, np.arange(WIDTH) - right)
    y = X.copy()
    y[..., 1] = X[..., 1][np.ix_(rows, columns)] * mask + X[..., 1] * (1 - mask)
    return y


def palette(pixels, n):
    """Boxes of 5-bit cells, the cut that lessens the squared error most first."""

    def error(part):
        return ((part - part.mean(0)) ** 2).sum() if len(part) else 0.0

    def best(part):
        found = (0.0, 0, 0)
        for axis in range(3):
            for place in range(8, 256, 8):
                low = part[:, axis] < place
                if low.any() and not low.all():
                    gain = error(part) - error(part[low]) - error(part[~low])
                    if gain > found[0] + 1e-6:
                        found = (gain, axis, place)
        return found

    boxes = [(pixels, best(pixels))]
    while len(boxes) < n:
        i = max(range(len(boxes)), key=lambda k: boxes[k][1][0])
        part, (gain, axis, place) = boxes[i]
        if gain <= 0:
            break
        low = part[:, axis] < place
        boxes[i : i + 1] = [(p, best(p)) for p in (part[low], part[~low])]
    return np.array([p.mean(0) for p, _ in boxes])


def quantized(n):
    colours = palette(BYTES.reshape(-1, 3).astype(np.float64), n)
    shown = np.floor(colours + 0.5)
    v = np.pad(BYTES.astype(np.float64), ((0, 1), (1, 1), (0, 0)))
    for y in range(HEIGHT):
        for x in range(1, WIDTH + 1):
            k = ((colours - v[y, x]) ** 2).sum(-1).argmin()
            e = v[y, x] - shown[k]
            v[y, x] = shown[k]
            v[y, x + 1] += e * 7 / 16
            v[y + 1, x - 1 : x + 2] += e * np.array([[3], [5], [1]]) / 16
    return v[:HEIGHT, 1 : WIDTH + 1] / 255


def saturation1(factor):
    hsv = color.rgb2hsv(X)
    h, s, v = hsv[..., 0] * 6, hsv[..., 1] * factor, hsv[..., 2]
    k = np.floor(h).astype(int) % 6
    f = h - np.floor(h)
    p, q, t = v * (1 - s), v * (1 - f * s), v * (1 - (1 - f) * s)
    sextants = np.array([[v, t, p], [q, v, p], [p, v, t], [p, q, v], [t, p, v], [v, p, q]])
    y = np.take_along_axis(sextants, k[None, None], 0)[0]
    return np.clip(np.moveaxis(y, 0, -1), 0, 1)


def saturation2(factor):
    return rgb_of(LAB * [1, factor, factor])


def pillow(**options):
    file = io.BytesIO()
    Image.fromarray(BYTES).save(file, **options)
    return np.asarray(Image.open(file)) / 255


def white(variance, stream="white", x=X):
    n = normals(words(SEED, stream, 2 * x.size).reshape(*x.shape, 2))[..., 0]
    return np.clip(x + np.sqrt(variance) * n, 0, 1)


def component(variance):
    drawn = normals(words(SEED, "white noise, color component", 4 * HEIGHT * WIDTH).reshape(HEIGHT, WIDTH, 2, 2))
    noise = drawn.reshape(HEIGHT, WIDTH, 4)[..., :3]
    noisy = np.clip(color.rgb2ycbcr(X) / 255 + np.sqrt(variance) * noise, 0, 1)
    return np.clip(color.ycbcr2rgb(noisy * 255), 0, 1)


def uniforms(stream):
    drawn = words(SEED, stream, 2 * X.size).reshape(*X.shape, 2) >> np.uint64(8)
    return (drawn[..., 0].astype(np.float64) + 1) / 2**24, drawn[..., 1].astype(np.float64) / 2**24


def impulse(share):
    u, v = uniforms("impulse")
    return np.where(u <= share, v < 0.5, X)


def speckle(variance):
    return np.clip(X * (1 + np.sqrt(12 * variance) * (uniforms("speckle")[1] - 0.5)), 0, 1)


def denoise(variance):
    noisy = white(variance)
    guide = blurred(noisy, 1)
    around, guides = (np.pad(a, ((4, 4), (4, 4), (0, 0)), mode="edge") for a in (noisy, guide))
    total = weighted = 0
    for i in range(9):
        for j in range(9):
            off = guides[i : i + HEIGHT, j : j + WIDTH] - guide
            w = np.exp(-((i - 4) ** 2 + (j - 4) ** 2) / 8 - off**2 / (2 * variance))
            total = total + w
            weighted = weighted + w * around[i : i + HEIGHT, j : j + WIDTH]
    return weighted / total


def curve(v, middle):
    # The parabola through three points.
    return np.clip(np.polyval(np.polyfit([0, 0.5, 1], [0, middle, 1], 2), v), 0, 1)


def brighten(a):
    light = 100 * curve(LAB[..., :1] / 100, 0.5 + a / 2)
    return (2 * curve(X, 0.5 + a / 2) + rgb_of(np.concatenate([light, LAB[..., 1:]], -1))) / 3


def keys(t):
    """The cubic convolution kernel with a = -1/2."""
    t = np.abs(t)
    return np.where(t <= 1, 1.5 * t**3 - 2.5 * t**2 + 1, np.where(t < 2, -0.5 * t**3 + 2.5 * t**2 - 4 * t + 2, 0))


def jitter(deviation):
    y = X
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    blocks = -(-2 * HEIGHT * WIDTH // 4)
    for number in range(5):
        n = normals(words(SEED, "jitter", 2 * HEIGHT * WIDTH, number * blocks).reshape(HEIGHT, WIDTH, 2))
        v, u = rows + deviation * n[..., 0], columns + deviation * n[..., 1]
        result = 0
        for i in range(-1, 3):
            for j in range(-1, 3):
                r, c = np.floor(v) + i, np.floor(u) + j
                sample = y[np.clip(r, 0, HEIGHT - 1).astype(int), np.clip(c, 0, WIDTH - 1).astype(int)]
                result = result + (keys(v - r) * keys(u - c))[..., None] * sample
        y = result
    return np.clip(y, 0, 1)


def patches(n):
    y = X.copy()
    random = Random(SEED, "non-eccentricity patch")

    def start(extent):
        margin = min(16, (extent - 16) // 2)
        return margin + int(random.uniform() * (extent - 16 - 2 * margin))

    def moved(at, extent):
        return min(max(at + int((random.uniform() - 0.5) * 16), 0), extent - 16)

    for _ in range(n):
        left, top = start(WIDTH), start(HEIGHT)
        to_left = moved(left, WIDTH)
        to_top = moved(top, HEIGHT)
        y[to_top : to_top + 16, to_left : to_left + 16] = y[top : top + 16, left : left + 16].copy()
    return y


def pixelate(a):
    def places(extent):
        # As Pillow's NEAREST, whose floating-point places fall short of whole numbers now and then.
        small = round((0.95 - a**0.6) * extent)
        source = [(2 * i + 1) * extent // (2 * small) for i in range(small)]
        return [source[(2 * i + 1) * small // (2 * extent)] for i in range(extent)]

    return X[np.ix_(places(HEIGHT), places(WIDTH))]


def otsu(counts, n):
    """Thresholds of the largest variance between n + 1 classes, from each pair of levels on."""
    levels = np.flatnonzero(counts)
    c = counts[levels].astype(np.float64)
    grand = (c * levels).sum() / c.sum()
    size = len(levels)
    between = np.full((size, size), -np.inf)
    for i in range(size):
        weight = np.cumsum(c[i:])
        mean = np.cumsum(c[i:] * levels[i:]) / weight
        between[i, i:] = weight * (mean - grand) ** 2
    best, cuts = between[0], []
    for _ in range(n):
        totals = best[:-1, None] + between[1:]  # the last of one class, the last of the next
        cuts.append(totals.argmax(0))
        best = totals.max(0)
    at, found = size - 1, []
    for cut in reversed(cuts):
        at = cut[at]
        found.insert(0, int(levels[at]))
    return found


counts = np.bincount(BYTES.ravel(), minlength=256)
# The same classes; of thresholds between the same two levels another may be taken.
assert (np.searchsorted(otsu(counts, 3), BYTES) == np.searchsorted(threshold_multiotsu(BYTES.ravel(), 4), BYTES)).all()


def quantization(n):
    t = np.array(otsu(counts, n))
    value = np.concatenate([[0], t[1:] / 255, [1]])
    return value[np.searchsorted(t, BYTES)]  # the number of thresholds below


def blocks(n):
    y = X.copy()
    random = Random(SEED, "color block")
    for _ in range(n):
        colour = [random.uniform() for _ in range(3)]
        left = random.integer(WIDTH - 32 + 1)
        top = random.integer(HEIGHT - 32 + 1)
        y[top : top + 32, left : left + 32] = colour
    return y


def sharpen(a):
    soft = blurred(LAB, 3, 13)
    return rgb_of(np.concatenate([LAB[..., :1] + a * (LAB[..., :1] - soft[..., :1]), LAB[..., 1:]], -1))


def contrast(a):
    spline = CubicSpline([0, 0.3, 0.5, 0.7, 1], [0, 0.25 - a / 4, 0.5, 0.75 + a / 4, 1], bc_type="not-a-knot")
    return np.clip(spline(X), 0, 1)


KINDS = {
    "gaussian-blur": ([0.1, 0.5, 1, 2, 5], lambda s: blurred(X, s)),
    "lens-blur": ([1, 2, 4, 6, 8], lambda r: filtered(X, disk(r))),
    "motion-blur": ([1, 2, 4, 6, 10], lambda n: filtered(X, line(n, SEED % 1024 / 1024 * np.pi))),
    "color-diffusion": ([1, 3, 6, 8, 12], diffusion),
    "color-shift": ([1, 3, 6, 8, 12], shift),
    "color-quantization": ([64, 48, 32, 16, 8], quantized),
    "color-saturation-1": ([0.4, 0.2, 0.1, 0, -0.4], saturation1),
    "color-saturation-2": ([1, 2, 3, 6, 9], saturation2),
    "jpeg": ([43, 36, 24, 7, 4], lambda q: pillow(format="JPEG", quality=q)),
    "white-noise": ([0.001, 0.002, 0.003, 0.005, 0.01], white),
    "white-noise-color": ([0.0001, 0.0005, 0.001, 0.002, 0.003], component),
    "impulse-noise": ([0.001, 0.005, 0.01, 0.02, 0.03], impulse),
    "multiplicative-noise": ([0.001, 0.005, 0.01, 0.02, 0.05], speckle),
    "denoise-lite": ([0.01, 0.03, 0.05, 0.1, 0.15], denoise),
    "brighten": ([0.1, 0.2, 0.4, 0.7, 1.1], brighten),
    "darken": ([0.05, 0.1, 0.2, 0.4, 0.8], lambda a: curve(X, 0.5 - a / 2)),
    "mean-shift": ([0.15, 0.08, 0, -0.08, -0.15], lambda a: np.clip(X + a, 0, 1)),
    "jitter": ([0.05, 0.1, 0.2, 0.5, 1], jitter),
    "non-eccentricity-patch": ([20, 40, 60, 80, 100], patches),
    "pixelate": ([0.01, 0.05, 0.1, 0.2, 0.5], pixelate),
    "quantization": ([20, 16, 13, 10, 7], quantization),
    "color-block": ([2, 4, 6, 8, 10], blocks),
    "high-sharpen": ([1, 2, 3, 6, 12], sharpen),
    "contrast-change": ([0.3, 0.15, 0, -0.4, -0.6], contrast),
}


def kept(y):
    flat = np.asarray(y, dtype=np.float64).reshape(-1)
    rounded = [float(f"{v:.9g}") for v in flat[::STRIDE]]
    return {"mean": float(flat.mean()), "square": float((flat**2).mean()), "samples": rounded}


def jpeg2000():
    """Pillow's OpenJPEG on a larger picture: bytes of the code stream and PSNR at each ratio."""
    original = picture(151, 201)
    for ratio in [16, 32, 45, 120, 400]:
        file = io.BytesIO()
        Image.fromarray(original).save(
            file, format="JPEG2000", no_jp2=True, irreversible=True, mct=1, quality_mode="rates", quality_layers=[ratio]
        )
        decoded = np.asarray(Image.open(file)).astype(np.float64)
        psnr = 10 * np.log10(255**2 / ((decoded - original) ** 2).mean())
        yield {"ratio": ratio, "bytes": len(file.getvalue()), "psnr": float(psnr)}


cases = {name: [kept(apply(a)) for a in levels] for name, (levels, apply) in KINDS.items()}
result = {
    "seed": SEED,
    "kinds": cases,
    "jpeg2000": list(jpeg2000()),
}
path = pathlib.Path(__file__).with_suffix(".json")
body = ",\n".join(f'"{name}": {json.dumps(levels, separators=(",", ":"))}' for name, levels in cases.items())
rest = json.dumps({k: v for k, v in result.items() if k != "kinds"})[1:-1]
path.write_text(f'{{{rest},\n"kinds": {{\n{body}\n}}}}\n')
print(f"{path.name}: {path.stat().st_size} bytes")
