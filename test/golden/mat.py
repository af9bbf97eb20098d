"""Writes mat.json: MAT-files of level 5 by SciPy, in base64, with what they hold.  Run: python3 mat.py"""

import base64
import io
import json
import pathlib

import numpy as np
from scipy.io import savemat


def mat(variables, **options):
    buffer = io.BytesIO()
    savemat(buffer, variables, **options)
    return base64.b64encode(buffer.getvalue()).decode()


def cells(texts):
    array = np.empty((len(texts), 1), dtype=object)
    array[:, 0] = texts
    return array


numbers = {
    "double": np.array([[1.5, -2.0, 3.25], [4.0, 5.0, 1e-300]]),
    "single": np.array([[0.5, 7.0]], dtype=np.float32),
    "int8": np.array([[-128, 127]], dtype=np.int8),
    "uint8": np.array([[0, 255, 3]], dtype=np.uint8),
    "int16": np.array([[-32768, 1]], dtype=np.int16),
    "uint16": np.array([[65535]], dtype=np.uint16),
    "int32": np.array([[-(2**31), 5]], dtype=np.int32),
    "uint32": np.array([[2**32 - 1]], dtype=np.uint32),
    "int64": np.array([[-(2**40)]], dtype=np.int64),
    "uint64": np.array([[2**40]], dtype=np.uint64),
    "volume": np.arange(24.0).reshape(2, 3, 4),
    "empty": np.zeros((0, 0)),
}
texts = {"text": "picture.JPG", "lines": np.array(["ab", "cd", "é "])}
mixed = np.empty((2, 2), dtype=object)
mixed[0, 0], mixed[1, 0], mixed[0, 1], mixed[1, 1] = "one", np.array([[2.0]]), cells(["in", "side"]), "four"
everything = {**numbers, **texts, "mixed": mixed, "skipped": {"a": 1.0}, "complex": np.array([1 + 2j])}

names = ["t1.bmp", "t2.JPG", "3.bmp", "10.bmp", "a b.JPG", "200.JPG"]
challenge = {
    "AllImages_release": cells(names),
    "AllMOS_release": np.array([[60.0, 20.0, 63.9634, 25.3353, 0.0, 92.5]]),
    "AllStdDev_release": np.array([[10.0, 11.0, 18.3762, 13.6514, 12.0, 9.25]]),
}

golden = {
    "values": {name: {"shape": list(a.shape), "values": a.flatten("F").tolist()} for name, a in numbers.items()},
    "plain": mat(everything),
    "compressed": mat(everything, do_compression=True),
    "challenge": {f"{name}.mat": mat({name: value}, do_compression=True) for name, value in challenge.items()},
}
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(golden, indent=1) + "\n")
