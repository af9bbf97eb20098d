"""Writes bmp.json: small BMP files of many kinds, built here byte by byte or by Pillow, and their pixels as Pillow reads them.

Run from this folder:  python3 bmp.py > bmp.json
"""

import base64
import io
import json
import struct

import numpy as np
import PIL
from PIL import Image

WIDTH, HEIGHT = 7, 5
rng = np.random.default_rng(20251121)
colours = rng.integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)


def stored(rows, top_down):
    """Rows of bytes, each filled up to whole groups of four."""
    padded = [row + b"\0" * (-len(row) % 4) for row in rows]
    return b"".join(padded if top_down else padded[::-1])


def bmp(bits, rows, header=40, compression=0, palette=b"", used=0, masks=(), top_down=False, gap=0):
    masks = struct.pack(f"<{len(masks)}I", *masks)
    if header == 12:
        dib = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, bits)
    else:
        dib = struct.pack("<IiiHHIIiiII", header, WIDTH, -HEIGHT if top_down else HEIGHT, 1, bits, compression, 0, 0, 0, used, 0)
        dib += masks if header == 40 else masks.ljust(header - 40, b"\0")
    start = 14 + len(dib) + len(palette) + gap
    pixels = stored(rows, top_down)
    return struct.pack("<2sIHHI", b"BM", start + len(pixels), 0, 0, start) + dib + palette + b"\xaa" * gap + pixels


def packed(bits, indices):
    per_byte = 8 // bits
    rows = []
    for row in indices:
        row = list(row) + [0] * (-len(row) % per_byte)
        groups = [row[i : i + per_byte] for i in range(0, len(row), per_byte)]
        rows.append(bytes(sum(v << (8 - bits * (1 + i)) for i, v in enumerate(group)) for group in groups))
    return rows


def palette(count, each=4):
    return b"".join(bytes(colour[:3]) + b"\0" * (each - 3) for colour in rng.integers(0, 256, (count, 3), dtype=np.uint8))


def indices(count):
    return rng.integers(0, count, (HEIGHT, WIDTH))


def sixteen(red, green, blue):
    r, g, b = (colours[..., i].astype(int) for i in range(3))
    values = (r >> (8 - red)) << (green + blue) | (g >> (8 - green)) << blue | b >> (8 - blue)
    return [row.astype("<u2").tobytes() for row in values]


bgr = [colours[y, :, :3].tobytes() for y in range(HEIGHT)]
bgrx = [colours[y].tobytes() for y in range(HEIGHT)]
rgba_masks = (0xFF, 0xFF00, 0xFF0000, 0xFF000000)
files = {
    "24 bits": bmp(24, bgr),
    "24 bits, top row first": bmp(24, bgr, top_down=True),
    "24 bits, a gap before the pixels": bmp(24, bgr, gap=10),
    "24 bits, OS/2 1": bmp(24, bgr, header=12),
    "24 bits, long header": bmp(24, bgr, header=124),
    "32 bits": bmp(32, bgrx),
    "32 bits, masks R G B A in a long header": bmp(32, bgrx, header=108, compression=3, masks=rgba_masks),
    "32 bits, masks behind the header": bmp(32, bgrx, compression=3, masks=(0xFF0000, 0xFF00, 0xFF)),
    "16 bits": bmp(16, sixteen(5, 5, 5)),
    "16 bits, masks 5 6 5": bmp(16, sixteen(5, 6, 5), compression=3, masks=(0xF800, 0x7E0, 0x1F)),
    "8 bits": bmp(8, packed(8, indices(256)), palette=palette(256)),
    "8 bits, 20 colours": bmp(8, packed(8, indices(20)), palette=palette(20), used=20),
    "8 bits, OS/2 1": bmp(8, packed(8, indices(256)), header=12, palette=palette(256, 3)),
    "4 bits": bmp(4, packed(4, indices(16)), palette=palette(16)),
    "1 bit": bmp(1, packed(1, indices(2)), palette=palette(2)),
}
picture = Image.fromarray(colours)
for mode in ("RGB", "RGBA", "L", "P", "1"):
    file = io.BytesIO()
    (picture if mode == "RGBA" else picture.convert("RGB").convert(mode)).save(file, "BMP")
    files[f"Pillow's {mode}"] = file.getvalue()

cases = []
for name, data in files.items():
    image = Image.open(io.BytesIO(data))
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    # Seen on white, as transparency is.
    page = Image.new("RGBA", image.size, "white")
    flat = Image.alpha_composite(page, image.convert("RGBA")).convert("RGB")
    cases.append(
        {
            "name": name,
            "file": base64.b64encode(data).decode(),
            "width": image.width,
            "height": image.height,
            "alpha": mode == "RGBA",
            "pixels": np.asarray(flat).reshape(-1).tolist(),
        }
    )
print(json.dumps({"pillow": PIL.__version__, "cases": cases}))
