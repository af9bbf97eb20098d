"""Writes augment.json: operations on 8-bit pictures by Pillow.  Run: python3 augment.py

A crop is a part of a picture, resized to a square, and a rescaled part
has the whole's size. A case is the number of a picture, the operations that it goes through and what comes out; bytes are base64 of interleaved RGB. Amounts
mean what engine/ops/pictures/levels.ts says. Pictures are made by formulas here.
"""
import base64
import json
import pathlib

from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps


def blended(operation):
    return lambda image, amount: Image.blend(image, operation(image), amount)


def affine(matrix):
    return lambda image, amount: image.transform(image.size, Image.AFFINE, matrix(image.size, amount))


operations = {
    "identity": lambda image, amount: image,
    "autoContrast": blended(ImageOps.autocontrast),
    "equalize": blended(ImageOps.equalize),
    "invert": blended(ImageOps.invert),
    "brightness": lambda image, amount: ImageEnhance.Brightness(image).enhance(amount),
    "color": lambda image, amount: ImageEnhance.Color(image).enhance(amount),
    "contrast": lambda image, amount: ImageEnhance.Contrast(image).enhance(amount),
    "sharpness": lambda image, amount: ImageEnhance.Sharpness(image).enhance(amount),
    "smooth": blended(lambda image: image.filter(ImageFilter.SMOOTH)),
    "blur": blended(lambda image: image.filter(ImageFilter.BLUR)),
    "posterize": lambda image, amount: ImageOps.posterize(image, amount),
    "solarize": lambda image, amount: ImageOps.solarize(image, amount),
    "rotate": lambda image, amount: image.rotate(amount),
    "shearX": affine(lambda size, amount: (1, amount, 0, 0, 1, 0)),
    "shearY": affine(lambda size, amount: (1, 0, 0, amount, 1, 0)),
    "translateX": affine(lambda size, amount: (1, 0, amount * size[0], 0, 1, 0)),
    "translateY": affine(lambda size, amount: (1, 0, 0, 0, 1, amount * size[1])),
}
# Multiples of 1/16 are exact in the kernel's steps of 2^-16; the others are not.
factors = [0.0, 0.0625, 0.3125, 0.75, 0.9375, 1.0, 0.05, 0.3, 0.95, 1.5, 1.9]
shares = [0.0, 0.25, 0.6875, 1.0]
slants = [-0.3, -0.1171875, 0.0, 0.01, 0.2, 0.3]
amounts = {
    "identity": [0],
    "autoContrast": shares,
    "equalize": shares,
    "invert": shares,
    "brightness": factors,
    "color": factors,
    "contrast": factors,
    "sharpness": factors,
    "smooth": shares,
    "blur": shares,
    "posterize": [1, 4, 5, 7, 8],
    "solarize": [0, 0.5, 100, 127.25, 255, 256],
    "rotate": [-30, -7.3, 0, 0.4, 11, 30, 45, 137],
    "shearX": slants,
    "shearY": slants,
    "translateX": slants,
    "translateY": slants,
}


def picture(width, height, pixel):
    image = Image.new("RGB", (width, height))
    image.putdata([tuple(min(255, max(0, c)) for c in pixel(k % width, k // width)) for k in range(width * height)])
    return image


def noisy(x, y):
    return tuple(((y * 131 + x * 7 + c + 1) * 2654435761 % 2**32) >> 24 for c in range(3))


def smooth(x, y):
    return (40 + 9 * x, 200 - 7 * y, 3 * x * y)


main = [picture(13, 9, noisy), picture(10, 14, smooth)]
odd = [
    picture(1, 1, noisy),
    picture(2, 5, noisy),
    picture(5, 3, smooth),
    picture(7, 7, lambda x, y: (0, 0, 0)),
    picture(6, 4, lambda x, y: (255, 255, 255)),
    picture(7, 5, lambda x, y: (119, 120, 121)),
    picture(9, 6, lambda x, y: ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0))[(x + y) % 4]),
    picture(9, 7, lambda x, y: ((118, 119, 30), (119, 121, 31))[(x * y) % 2]),
    picture(8, 8, lambda x, y: (100 + (x + 3 * y) % 9,) * 3),
]
large = [picture(41, 30, noisy), picture(64, 64, smooth)]


def encoded(image):
    return base64.b64encode(image.tobytes()).decode()


pictures = main + odd + large
cases = []


def add(image, names, hole=None):
    result = image
    for name, amount in names:
        result = operations[name](result, amount)
    case = {"picture": pictures.index(image)}
    case["operations"] = [{"name": name, "amount": amount} for name, amount in names]
    if hole:
        result = result.copy()
        ImageDraw.Draw(result).rectangle(hole, (125, 123, 114))
        case["corners"] = hole
    cases.append({**case, "result": encoded(result)})


for name, values in amounts.items():
    for image in main:
        for value in values:
            add(image, [(name, value)])
    for image in odd:
        add(image, [(name, values[-1])])
        add(image, [(name, values[2 % len(values)])])
for image in large:
    for name, value in (("rotate", 29.7), ("rotate", -12.3), ("shearX", 0.29), ("shearY", -0.29), ("equalize", 1)):
        add(image, [(name, value)])
# Three operations as they are drawn, and the rectangle, whose ends lie inside.
for k, hole in enumerate([(2, 3, 6, 8), (0.7, 1.9, 5.2, 3.9), (9, 5, 30, 30), (4, 4, 4, 4)]):
    names = ["rotate", "equalize", "color", "posterize", "sharpness", "solarize", "translateX", "contrast", "shearY"]
    chosen = [names[(3 * k + t) % len(names)] for t in range(3)]
    add(main[k % 2], [(name, amounts[name][2]) for name in chosen], hole)

crops = []
for image, box, side in (
    (large[0], (3, 2, 30, 29), 31),
    (large[0], (0, 0, 41, 30), 24),
    (large[0], (5, 1, 12, 25), 17),
    (large[1], (10, 20, 60, 55), 64),
    (large[1], (0, 0, 64, 64), 19),
    (main[0], (1, 1, 2, 2), 5),
):
    result = image.crop(box).resize((side, side), Image.BILINEAR)
    crops.append({"picture": pictures.index(image), "box": box, "side": side, "result": encoded(result)})

# Parts in the size of the whole, alone, after and before another operation.
filters = {
    "nearest": Image.NEAREST,
    "box": Image.BOX,
    "bilinear": Image.BILINEAR,
    "hamming": Image.HAMMING,
    "bicubic": Image.BICUBIC,
    "lanczos": Image.LANCZOS,
}
rescaled = []
for name, method in filters.items():
    for image, box in (
        (main[0], (2, 1, 11, 8)),
        (main[1], (1, 3, 8, 10)),
        (main[0], (0, 0, 13, 9)),
        (main[0], (4, 0, 5, 9)),
        (odd[6], (2, 1, 7, 5)),
        (odd[0], (0, 0, 1, 1)),
        (large[0], (9, 7, 33, 24)),
    ):
        result = image.crop(box).resize(image.size, method)
        rescaled.append({"picture": pictures.index(image), "box": box, "filter": name, "result": encoded(result)})

path = pathlib.Path(__file__).with_name("augment.json")
first = [{"width": p.width, "height": p.height, "bytes": encoded(p)} for p in pictures]
parts = []
for name, rows in (("pictures", first), ("crops", crops), ("rescaled", rescaled), ("cases", cases)):
    lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
    parts.append(f'"{name}":[\n{lines}\n]')
path.write_text("{" + ",".join(parts) + "}\n")
print(f"{path.name}: {len(cases)} cases, {path.stat().st_size} bytes")
