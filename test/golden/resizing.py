"""Writes resizing.json: pictures reduced and enlarged again by Pillow's filters on float pictures, in [0, 1] after each. Run: python3 resizing.py"""
import json
import pathlib

import numpy as np
from golden import formula, rounded
from PIL import Image
import torch

FILTERS = {"nearest": Image.NEAREST, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
cases = []
for name, by in FILTERS.items():
    for height, width, factor in [(13, 18, 2), (9, 20, 3), (6, 5, 16)]:
        x = formula([1, height, width, 3], 4, 0.7, 0.5).clamp(0, 1).numpy()[0].astype(np.float32)
        small = (max(1, width // factor), max(1, height // factor))
        channels = []
        for c in range(3):
            down = np.clip(np.asarray(Image.fromarray(x[:, :, c], mode="F").resize(small, by)), 0, 1)
            up = Image.fromarray(down.astype(np.float32), mode="F").resize((width, height), by)
            channels.append(np.clip(np.asarray(up), 0, 1))
        out = torch.tensor(np.stack(channels, 2).astype(np.float64))
        cases.append({"filter": name, "height": height, "width": width, "factor": factor, "output": rounded(out)})
pathlib.Path(__file__).with_name("resizing.json").write_text(json.dumps(cases) + "\n")
