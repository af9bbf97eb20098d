"""Writes tiff.json: small TIFF files of many kinds of samples, and their pixels as Pillow or ImageMagick reads them.

Run from this folder:  python3 tiff.py > tiff.json
"""

import base64
import io
import json
import struct
import subprocess

import numpy as np
import PIL
from PIL import Image

WIDTH, HEIGHT = 12, 9
rng = np.random.default_rng(20251128)
rgb = rng.integers(0, 256, (HEIGHT, WIDTH, 3))
grey = rgb[..., :1]
alpha = rng.integers(0, 256, (HEIGHT, WIDTH, 1))
inks = rng.integers(0, 256, (HEIGHT, WIDTH, 4))
palette = rng.integers(0, 65536, (3, 256))


def wide(values, bits):
    """8-bit values over the range of some bits."""
    return values * {8: 1, 16: 0x101, 32: 0x1010101}[bits] if bits >= 8 else values >> (8 - bits)


def tiff(photometric, values, bits, planar=1, order="<", tags=None):
    height, width, samples = values.shape
    planes = [values] if planar == 1 else [values[..., i : i + 1] for i in range(samples)]
    if bits >= 8:
        strips = [plane.astype(f"{order}u{bits // 8}").tobytes() for plane in planes]
    else:
        rows = ["".join(format(v, f"0{bits}b") for v in row) for row in planes[0].reshape(height, -1)]
        rows = [row + "0" * (-len(row) % 8) for row in rows]
        strips = [b"".join(int(row, 2).to_bytes(len(row) // 8, "big") for row in rows)]
    data = b"".join(strips)
    data += b"\0" * (len(data) % 2)
    offsets = [8 + sum(len(strip) for strip in strips[:i]) for i in range(len(strips))]
    entries = {
        256: [width], 257: [height], 258: [bits] * samples, 259: [1], 262: [photometric], 273: offsets, 277: [samples],
        278: [height], 279: [len(strip) for strip in strips], 284: [planar],
    }
    entries.update(tags or {})
    at = 8 + len(data) + 2 + 12 * len(entries) + 4
    directory, tail = b"", b""
    for tag in sorted(entries):
        content = struct.pack(f"{order}{len(entries[tag])}H", *entries[tag])
        directory += struct.pack(f"{order}HHI", tag, 3, len(entries[tag]))
        directory += content.ljust(4, b"\0") if len(content) <= 4 else struct.pack(f"{order}I", at + len(tail))
        tail += content if len(content) > 4 else b""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    head = mark + struct.pack(f"{order}I", 8 + len(data))
    return head + data + struct.pack(f"{order}H", len(entries)) + directory + b"\0\0\0\0" + tail


files = {}
for bits in (8, 16, 32):
    files[f"RGB of {bits} bits"] = tiff(2, wide(rgb, bits), bits)
    files[f"RGB of {bits} bits, the other byte order"] = tiff(2, wide(rgb, bits), bits, order=">")
    files[f"RGB of {bits} bits, in planes"] = tiff(2, wide(rgb, bits), bits, planar=2)
    files[f"RGB of {bits} bits and alpha"] = tiff(2, wide(np.concatenate([rgb, alpha], 2), bits), bits, tags={338: [2]})
for bits in (1, 2, 4, 8, 16, 32):
    files[f"grey of {bits} bits"] = tiff(1, wide(grey, bits), bits)
for bits in (1, 8, 16):
    files[f"grey of {bits} bits, white at 0"] = tiff(0, wide(grey, bits), bits)
for bits in (8, 16):
    files[f"grey of {bits} bits and alpha"] = tiff(1, wide(np.concatenate([grey, alpha], 2), bits), bits, tags={338: [2]})
    files[f"inks of {bits} bits"] = tiff(5, wide(inks, bits), bits)
    multiplied = np.concatenate([(rgb * alpha + 127) // 255, alpha], 2)
    files[f"RGB of {bits} bits, alpha multiplied in"] = tiff(2, wide(multiplied, bits), bits, tags={338: [1]})
files["inks in planes"] = tiff(5, inks, 8, planar=2)
files["samples that nobody has described"] = tiff(2, wide(rgb, 16), 16, tags={339: [4, 4, 4]})
for bits in (1, 2, 4, 8):
    colours = palette[:, : 2**bits].reshape(-1).tolist()
    files[f"a palette of {bits} bits"] = tiff(3, wide(grey, bits), bits, tags={320: colours})
picture = Image.fromarray(rgb.astype("uint8"))
for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
    file = io.BytesIO()
    picture.save(file, "TIFF", compression=name)
    files[f"RGB by Pillow, {name}"] = file.getvalue()
for name in ("group4", "tiff_ccitt"):
    file = io.BytesIO()
    picture.convert("1").save(file, "TIFF", compression=name)
    files[f"black and white by Pillow, {name}"] = file.getvalue()


def by_pillow(data):
    image = Image.open(io.BytesIO(data))
    if image.mode.startswith(("I", "F")):
        raise OSError("Pillow does not scale these to 8 bits")
    page = Image.new("RGBA", image.size, "white")
    return np.asarray(Image.alpha_composite(page, image.convert("RGBA")).convert("RGB")).tobytes()


def by_imagemagick(data):
    command = ["convert", "tiff:-", "-background", "white", "-alpha", "remove", "-colorspace", "sRGB", "-depth", "8", "rgb:-"]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


cases = []
for name, data in files.items():
    # Pillow reads planes of 16 bits as noise.
    try:
        reader, pixels = "Pillow", by_pillow(data)
        if "in planes" in name:
            raise OSError
    except OSError:
        reader, pixels = "ImageMagick", by_imagemagick(data)
    assert len(pixels) == 3 * WIDTH * HEIGHT, name
    case = {"name": name, "reader": reader, "file": data, "pixels": pixels}
    cases.append({key: base64.b64encode(v).decode() if isinstance(v, bytes) else v for key, v in case.items()})
magick = subprocess.run(["convert", "-version"], capture_output=True, text=True, check=True).stdout.split()[2]
print(json.dumps({"pillow": PIL.__version__, "imagemagick": magick, "width": WIDTH, "height": HEIGHT, "cases": cases}, indent=1))
