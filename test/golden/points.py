"""Points of a whole-number formula, the same to the bit in Python and in the tests (test/engine/graph/reference.ts):

    coordinate i = floor(levels * hash(i + 1) / 2^24) / levels, with the 24 upper bits of a hash of 32 bits.
The last `copies` points are copies of the points 0, 3, 6, ...
"""
import numpy as np


def hashed_points(points, channels, levels, copies=0):
    h = np.arange(1, points * channels + 1, dtype=np.uint32)
    h = h * np.uint32(0x9E3779B1)
    h ^= h >> np.uint32(15)
    h = h * np.uint32(0x85EBCA77)
    h ^= h >> np.uint32(13)
    h = h * np.uint32(0xC2B2AE3D)
    fractions = (h >> np.uint32(8)).astype(np.float64) / 2**24
    x = (np.floor(levels * fractions) / levels).astype(np.float32).reshape(points, channels)
    if copies:
        x[points - copies :] = x[0 : 3 * copies : 3]
    return x
