"""The counter-based generator of engine/random.ts, after Salmon et al. 2011, for scripts that need the words that a test draws."""
import numpy as np

MASK = 0xFFFFFFFF


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        first, second = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(second >> 32) ^ c[1] ^ k[0], second & MASK, (first >> 32) ^ c[3] ^ k[1], first & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def stream_words(name):
    data = name.encode()
    state = [len(data), 0]
    for start in range(0, len(data), 8):
        part = data[start : start + 8].ljust(8, b"\0")
        block = philox(
            [int.from_bytes(part[:4], "little"), int.from_bytes(part[4:], "little"), *state], [0x41637574, 0x616E6365]
        )
        state = block[:2]
    return state


def words(seed, stream, count, first_block=0):
    """`count` words of a stream from word 4 * first_block on, as in Random and random/words.wgsl."""
    names = stream_words(stream)
    blocks = [philox([first_block + i, 0, *names], [seed, 0]) for i in range(-(-count // 4))]
    return np.array(blocks, dtype=np.uint64).reshape(-1)[:count]


class Random:
    def __init__(self, seed, stream):
        self.seed, self.stream, self.position = seed, stream, 0

    def word(self):
        block = words(self.seed, self.stream, 4, self.position // 4)
        self.position += 1
        return int(block[(self.position - 1) % 4])

    def bits53(self):
        high = self.word() >> 5
        return (high << 26) + (self.word() >> 6)

    def uniform(self):
        return self.bits53() / 2**53

    def integer(self, n):
        limit = 2**53 - 2**53 % n
        while True:
            bits = self.bits53()
            if bits < limit:
                return bits % n


def normals(pairs):
    """Two normal numbers of two words each, by Box and Muller; pairs: [..., 2] -> [..., 2]."""
    u = ((pairs[..., 0] >> np.uint64(8)).astype(np.float64) + 1) / 2**24
    v = (pairs[..., 1] >> np.uint64(8)).astype(np.float64) / 2**24
    radius = np.sqrt(-2 * np.log(u))
    return np.stack([radius * np.cos(2 * np.pi * v), radius * np.sin(2 * np.pi * v)], -1)
