"""Makes the PyTorch archives in test/golden/pytorch: weights as torch.save writes them, and files that must be refused.

pytorch_archives.json: for each good file but resnet-stem.pth its tensors, in order, with dtype (safetensors' names), shape and values.
Keys of the legacy form are addresses in memory, so a new run gives files with other bytes and the same meaning.
"""
import collections
import io
import json
import os
import pathlib
import pickle
import struct
import tempfile
import zipfile

import numpy as np
import torch

folder = pathlib.Path(__file__).with_name("pytorch")
folder.mkdir(exist_ok=True)
for old in folder.iterdir():
    old.unlink()
names = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}
expected = {}
torch.manual_seed(1)


def saved(value, **options):
    """What torch.save writes, in memory: the root folder is then "archive"."""
    buffer = io.BytesIO()
    torch.save(value, buffer, **options)
    return buffer.getvalue()


def good(name, data, state):
    (folder / name).write_bytes(data)
    expected[name] = [
        {"name": key, "dtype": names[t.dtype], "shape": list(t.shape), "values": t.detach().double().reshape(-1).tolist()}
        for key, t in state.items()
    ]


def repacked(data, change=lambda entries: None, method=zipfile.ZIP_STORED, zip64=False):
    """A zip archive written anew; change() may edit the list of [name, bytes]."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = [[info.filename, archive.read(info)] for info in archive.infolist()]
    change(entries)
    limit = zipfile.ZIP64_LIMIT
    buffer = io.BytesIO()
    try:
        if zip64:
            zipfile.ZIP64_LIMIT = 0
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for key, content in entries:
                archive.writestr(zipfile.ZipInfo(key), content, method)
    finally:
        zipfile.ZIP64_LIMIT = limit
    return buffer.getvalue()


def archive_of(pkl, method=zipfile.ZIP_STORED):
    return repacked(saved({}), lambda e: e.__setitem__(slice(None), [["archive/data.pkl", pkl], ["archive/version", b"3\n"]]), method)


grid = torch.arange(24, dtype=torch.float32).reshape(4, 6)
weights = collections.OrderedDict(
    f64=torch.tensor([np.pi, -1.0], dtype=torch.float64),
    f32=torch.tensor([[1.5, -2.0, 3.0], [0.0, 1e-30, 7.0]]),
    f16=torch.tensor([1.0, -2.0, 2.0**-24], dtype=torch.float16),
    bf16=torch.tensor([1.0, -3.0], dtype=torch.bfloat16),
    i64=torch.tensor([-5, 2**40]),
    i32=torch.tensor([-7, 8], dtype=torch.int32),
    i16=torch.tensor([-300, 300], dtype=torch.int16),
    i8=torch.tensor([-128, 127], dtype=torch.int8),
    u8=torch.tensor([0, 128, 255], dtype=torch.uint8),
    bool=torch.tensor([True, False]),
    scalar=torch.tensor(42.0),
    empty=torch.zeros(0, 4),
    shared=grid,
    transposed=grid.t(),
    window=grid[1:3, 2::3],
    corner=grid[3, 5],
    turned=torch.arange(6, dtype=torch.int64).reshape(1, 2, 3).permute(2, 0, 1),
    bytes_turned=torch.arange(6, dtype=torch.uint8).reshape(2, 3).t(),
    half_turned=torch.arange(6, dtype=torch.float16).reshape(2, 3).t(),
    parameter=torch.nn.Parameter(torch.tensor([0.25, 0.5])),
)
weights._metadata = {"": {"version": 1}}
zipped = saved(weights)
legacy = saved(weights, _use_new_zipfile_serialization=False)
good("zip.pth", zipped, weights)
good("zip-protocol-4.pth", saved(weights, pickle_protocol=4), weights)
good("legacy.pth", legacy, weights)
good("legacy-protocol-4.pth", saved(weights, pickle_protocol=4, _use_new_zipfile_serialization=False), weights)
good("deflated.pth", repacked(zipped, method=zipfile.ZIP_DEFLATED), weights)
good("zip64.pth", repacked(zipped, zip64=True), weights)
good("byteorder.pth", repacked(zipped, lambda e: e.append(["archive/byteorder", b"little"])), weights)

net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
parallel = torch.nn.DataParallel(net)
optimiser = torch.optim.Adam(net.parameters())
net(torch.ones(2, 3)).sum().backward()
optimiser.step()
schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, [2, 4])
checkpoint = {
    "epoch": 3,
    "big": 2**70,
    "best": np.float64(0.75),
    "device": torch.device("cpu"),
    "size": torch.Size([2, 3]),
    "state_dict": parallel.state_dict(),
    "ema": net.state_dict(),
    "ema_decay": torch.tensor(0.99),
    "optimizer": optimiser.state_dict(),
    "schedule": schedule.state_dict(),
}
good("checkpoint.pth", saved(checkpoint), net.state_dict())
good("checkpoint-legacy.pth", saved(checkpoint, _use_new_zipfile_serialization=False), net.state_dict())
nested = {"model": {"state_dict": {"w": torch.ones(2), "note": "no tensor"}}}
good("nested.pth", saved(nested), {"w": torch.ones(2)})

# The first layers of a ResNet as a training script saves them; the pattern packs well.
stem = {
    "module.conv1.weight": (torch.arange(64 * 3 * 7 * 7) % 16).half().reshape(64, 3, 7, 7),
    "module.bn1.weight": torch.ones(64),
    "module.bn1.bias": torch.arange(64.0),
    "module.bn1.running_mean": torch.zeros(64),
    "module.bn1.running_var": torch.ones(64),
    "module.bn1.num_batches_tracked": torch.tensor(1),
}
(folder / "resnet-stem.pth").write_bytes(repacked(saved({"state_dict": stem}), method=zipfile.ZIP_DEFLATED))


def bad(name, data):
    (folder / f"bad-{name}.pth").write_bytes(data)


MARKER = "acutance-pickle-ran"


class Attack:
    def __reduce__(self):
        return os.system, (f"echo ran > {MARKER}",)


attack = pickle.dumps({"state_dict": Attack()}, protocol=2)
here = os.getcwd()
with tempfile.TemporaryDirectory() as scratch:
    os.chdir(scratch)
    pickle.loads(attack)
    assert os.path.exists(MARKER), "the attack does nothing even in Python"
    os.chdir(here)
bad("code-zip", archive_of(attack))
bad("code-legacy", saved({"state_dict": Attack()}, _use_new_zipfile_serialization=False))
bad("code-plain", attack)
bad("module-zip", saved(torch.nn.Linear(2, 1)))
bad("module-legacy", saved(torch.nn.Linear(2, 1), _use_new_zipfile_serialization=False))
script = io.BytesIO()
torch.jit.save(torch.jit.script(torch.nn.Identity()), script)
bad("torchscript", script.getvalue())
bad("tensor", saved(torch.ones(2)))
bad("expanded", saved({"w": torch.ones(1).expand(1000)}))

head = b"\x80\x02}X\x01\x00\x00\x00w"
bad("opcode-unknown", archive_of(head + b"\xffs."))
bad("opcode-extension", archive_of(head + b"\x82\x01s."))
bad("opcode-instance", archive_of(b"\x80\x02(S'true'\nios\nsystem\n."))
bad("opcode-text", archive_of(b"\x80\x02L5\n."))
bad("protocol", archive_of(b"\x80\x09}."))
bad("marks", archive_of(b"\x80\x02" + b"(" * 5000 + b"."))
bad("bytes-huge", archive_of(head + b"\x8e" + struct.pack("<Q", 2**62) + b"s."))
bad("text-huge", archive_of(head + b"\x8d" + struct.pack("<Q", 2**64 - 1) + b"s."))
bad("integer-huge", archive_of(head + b"\x8b" + struct.pack("<I", 2**31) + b"s."))
bad("memo-absent", archive_of(head + b"j" + struct.pack("<I", 2**32 - 1) + b"s."))
# Forty tuples, each twice in the next: a trillion when walked, and no tensor.
laughs = b"".join(b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86q" + bytes([i + 1]) + b"0" for i in range(40))
bad("memo-bomb", archive_of(b"\x80\x02)q\x00" + b"0" + laughs + b"}X\x01\x00\x00\x00wh\x28s."))
bad("itself", archive_of(b"\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s."))

plain = saved({"w": torch.ones(4)})


def edit_pickle(old, new):
    def change(entries):
        assert entries[0][0] == "archive/data.pkl" and entries[0][1].count(old) == 1
        entries[0][1] = entries[0][1].replace(old, new)

    return change


# After the device comes the number of elements (K\x04); after the storage the offset (K\x00) and the shape (K\x04\x85).
bad("storage-huge", repacked(plain, edit_pickle(b"cpuq\x06K\x04t", b"cpuq\x06J\xff\xff\xff\x7ft")))
bad("storage-negative", repacked(plain, edit_pickle(b"cpuq\x06K\x04t", b"cpuq\x06J\xff\xff\xff\xfft")))
bad("shape-beyond", repacked(plain, edit_pickle(b"K\x00K\x04\x85", b"K\x01K\x04\x85")))
bad("shape-huge", repacked(plain, edit_pickle(b"K\x00K\x04\x85", b"K\x00J\xff\xff\xff\x7f\x85")))
bad("storage-missing", repacked(plain, lambda e: e.__setitem__(slice(None), [x for x in e if "/data/" not in x[0]])))
bad("storage-short", repacked(plain, lambda e: [x.__setitem__(1, x[1][:-1]) for x in e if "/data/" in x[0]]))
bad("big-endian-zip", repacked(plain, lambda e: e.append(["archive/byteorder", b"big"])))
old = saved({"w": torch.ones(4)}, _use_new_zipfile_serialization=False)
order = b"little_endianq\x02\x88"
assert old.count(order) == 1
bad("big-endian-legacy", old.replace(order, order[:-1] + b"\x89"))
bad("version", repacked(plain, lambda e: [x.__setitem__(1, b"99\n") for x in e if x[0].endswith("/version")]))
bad("two-pickles", repacked(plain, lambda e: e.append(["other/data.pkl", e[0][1]])))
bad("twice", repacked(plain, lambda e: e.append(list(e[0]))))
bad("path-up", repacked(plain, lambda e: e.append(["archive/../../evil", b"x"])))
bad("path-absolute", repacked(plain, lambda e: e.append(["/tmp/evil", b"x"])))
bad("path-backslash", repacked(plain, lambda e: e.append(["archive\\..\\..\\evil", b"x"])))
bad("no-pickle", repacked(plain, lambda e: e.pop(0)))
bad("bomb", repacked(plain, lambda e: e.append(["archive/data/1", bytes(4_000_000)]), zipfile.ZIP_DEFLATED))
# The pickle unpacks to more than the directory says.
lying = bytearray(repacked(plain, method=zipfile.ZIP_DEFLATED))
central = lying.index(b"PK\x01\x02")
struct.pack_into("<I", lying, central + 24, 20)
bad("size-lies", bytes(lying))

lines = [f"{json.dumps(name)}:{json.dumps(tensors, separators=(',', ':'))}" for name, tensors in expected.items()]
pathlib.Path(__file__).with_suffix(".json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
total = sum(path.stat().st_size for path in folder.iterdir())
print(f"{len(list(folder.iterdir()))} files, {total} bytes")
