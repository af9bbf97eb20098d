"""Golden values for steps, flips, tiles, margins and blocks of tensors.  Run: python3 rearrange.py"""
import torch
import torch.nn.functional as F
from golden import case, save

cases = []


def add(operation, options, shape, run):
    cases.append(case(operation, options, [{"shape": list(shape), "seed": 1}], run))


def stepped(x, starts, ends, steps):
    for axis, (start, end, step) in enumerate(zip(starts, ends, steps)):
        n = x.shape[axis]
        first = start + n if start < 0 else start
        last = -1 if end == "-" else end + n if end < 0 else end
        x = x.index_select(axis, torch.tensor(list(range(first, last, step))))
    return x


for shape, starts, ends, steps in [((7,), [1], [7], [2]), ((7,), [-1], ["-"], [-1]), ((5, 6), [0, 5], [5, 0], [2, -3]), ((3, 4, 8), [2, 0, 0], ["-", 4, 8], [-2, 3, 1]), ((30, 13), [29, 1], [3, 12], [-4, 5])]:
    add("slice", {"starts": starts, "ends": ends, "steps": steps}, shape, lambda x: stepped(x, starts, ends, steps))

margins = [((5,), [2], [3]), ((3, 4), [1, 0], [2, 3]), ((2, 5, 4, 3), [0, 2, 3, 0], [0, 1, 2, 0]), ((4, 3, 8), [0, 2, 0], [0, 1, 0])]
for shape, before, after in margins:
    for mode, name in (("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular")):

        def padded(x):
            for axis in range(x.dim()):
                if before[axis] + after[axis] > 0:
                    moved = x.movedim(axis, -1)
                    y = F.pad(moved.reshape(1, -1, moved.shape[-1]), (before[axis], after[axis]), mode=name)
                    x = y.reshape(*moved.shape[:-1], y.shape[-1]).movedim(-1, axis)
            return x

        add("pad", {"before": before, "after": after, "mode": mode}, shape, padded)

for shape, axes in [((5,), [0]), ((3, 4), [0, 1]), ((2, 3, 8), [1]), ((2, 3, 5), [-1, 0])]:
    add("flip", {"axes": axes}, shape, lambda x: x.flip(axes))
for shape, times in [((3,), [2]), ((2, 3), [3, 2]), ((2, 3, 4), [1, 2, 1]), ((3,), [2, 2]), ((2, 3, 4), [2])]:
    add("tile", {"times": times}, shape, lambda x: x.tile(times))
for shape, times, axis in [((3,), 2, 0), ((2, 3), 3, -1), ((2, 3, 4), 2, 1)]:
    add("repeat", {"times": times, "axis": axis}, shape, lambda x: x.repeat_interleave(times, axis))
for shape, to in [((1,), [5]), ((3, 1), [2, 3, 4]), ((2, 1, 8), [2, 3, 8]), ((1, 3, 1, 2), [4, 3, 5, 2]), ((2, 3), [2, 3])]:
    add("broadcastTo", {"shape": to}, shape, lambda x: x.expand(to))
for shape, block in [((1, 2, 3, 4), 2), ((2, 1, 2, 12), 2), ((1, 2, 1, 18), 3)]:
    n, h, w, c = shape
    out = c // block**2
    add("depthToSpace", {"block": block, "order": "CRD"}, shape, lambda x: F.pixel_shuffle(x.permute(0, 3, 1, 2), block).permute(0, 2, 3, 1))
    add("depthToSpace", {"block": block, "order": "DCR"}, shape,
        lambda x: x.reshape(n, h, w, block, block, out).permute(0, 1, 3, 2, 4, 5).reshape(n, h * block, w * block, out))
for shape, block in [((1, 4, 6, 3), 2), ((2, 2, 4, 4), 2), ((1, 3, 6, 2), 3)]:
    n, h, w, c = shape
    add("spaceToDepth", {"block": block, "order": "CRD"}, shape, lambda x: F.pixel_unshuffle(x.permute(0, 3, 1, 2), block).permute(0, 2, 3, 1))
    add("spaceToDepth", {"block": block, "order": "DCR"}, shape,
        lambda x: x.reshape(n, h // block, block, w // block, block, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h // block, w // block, c * block**2))

save("rearrange", cases)
