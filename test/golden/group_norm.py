"""Writes group_norm.json: group, instance and root-mean-square normalisation with the channels last, by PyTorch.
Run: python3 group_norm.py"""
import torch.nn.functional as F
from golden import case, save

cases = []


def channels_last(run):
    return lambda x, *rest: run(x.movedim(-1, 1), *rest).movedim(1, -1)


def inputs(shape):
    c = shape[-1]
    return [{"shape": list(shape), "seed": 1, "scale": 2.0, "shift": 3.0}, {"shape": [c], "seed": 2, "shift": 1.5}, {"shape": [c], "seed": 3}]


for shape, groups in [((2, 3, 5, 6), 3), ((2, 3, 5, 6), 2), ((1, 4, 4, 8), 2), ((2, 3, 3, 5), 1), ((3, 12), 3), ((3, 12), 1), ((3, 7, 9, 5), 5), ((2, 7, 9, 8), 2),
                      ((2, 9, 9, 16), 4), ((2, 11, 11, 6), 2), ((2, 2, 3, 4, 6), 3), ((5, 1, 1, 8), 2)]:
    add = channels_last(lambda x, scale, shift: F.group_norm(x, groups, scale, shift, 1e-5))
    cases.append(case("groupNorm", {"groups": groups}, inputs(shape), add))
for shape in [(2, 5, 7, 3), (1, 17, 16, 4), (2, 130, 5), (3, 4, 3, 2, 4)]:
    # As many groups as channels: F.instance_norm makes wrong gradients of a single picture with channels last in memory.
    add = channels_last(lambda x, scale, shift: F.group_norm(x, shape[-1], scale, shift, 1e-5))
    cases.append(case("instanceNorm", {}, inputs(shape), add))
for shape in [(5, 8), (2, 3, 7), (9,), (140, 5), (2, 300), (3, 261)]:
    cases.append(case("rmsNorm", {}, inputs(shape)[:2], lambda x, scale: F.rms_norm(x, shape[-1:], scale, 1e-5)))
save("group_norm", cases)
