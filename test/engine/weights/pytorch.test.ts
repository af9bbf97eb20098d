import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openWeights } from "../../../engine/weights/open.ts";
import { openPytorch, PytorchError } from "../../../engine/weights/pytorch.ts";
import { openSafetensors, writeSafetensors } from "../../../engine/weights/safetensors.ts";
import { toFloat32, WeightsError } from "../../../engine/weights/stored.ts";
import { countAllocations } from "./allocations.ts";
import { writeZip } from "./zip.ts";

const archives = new URL("../../golden/pytorch/", import.meta.url).pathname;
const expected: Record<string, { name: string; dtype: string; shape: number[]; values: number[] }[]> = JSON.parse(
  await readFile(new URL("../../golden/pytorch_archives.json", import.meta.url), "utf8"),
);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-pytorch-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("archives of torch.save", () => {
  for (const [name, tensors] of Object.entries(expected)) {
    test(`${name}: names, dtypes, shapes and values are PyTorch's`, async () => {
      await using file = await openPytorch(join(archives, name));
      expect([...file.tensors.keys()]).toEqual(tensors.map((tensor) => tensor.name));
      for (const { name, dtype, shape, values } of tensors) {
        const stored = await file.read(name);
        expect([stored.dtype, stored.shape as number[]]).toEqual([dtype as never, shape]);
        expect(file.tensors.get(name)!.byteLength).toBe(stored.bytes.length);
        expect([...toFloat32(stored)]).toEqual(values.map(Math.fround));
      }
      await expect(file.read("absent")).rejects.toThrow('there is no tensor "absent"');
    });
  }

  test("all of them were made", async () => {
    const files = (await readdir(archives)).filter((name) => name.endsWith(".pth") && !name.startsWith("bad-"));
    expect(files.sort()).toEqual([...Object.keys(expected), "resnet-stem.pth"].sort());
  });

  test("a training checkpoint says what was taken from it", async () => {
    for (const name of ["checkpoint.pth", "checkpoint-legacy.pth"]) {
      await using file = await openPytorch(join(archives, name));
      expect(file.notes.join("; ")).toContain('the tensors under "state_dict" are used, not those under "ema"');
      expect(file.notes.join("; ")).toContain('"module." is removed from all names');
    }
    await using nested = await openPytorch(join(archives, "nested.pth"));
    expect(nested.notes.join("; ")).toContain('the tensors under "model" → "state_dict" are used');
    expect(nested.notes.join("; ")).toContain("1 of 2 entries are left out");
    await using plain = await openPytorch(join(archives, "zip.pth"));
    expect(plain.notes).toEqual([]);
  });

  test("zip64 fixtures are zip64", async () => {
    const bytes = await readFile(join(archives, "zip64.pth"));
    expect(bytes.includes("PK\x06\x06") && bytes.includes("PK\x06\x07")).toBe(true);
  });
});

/** A pickle of {"w": tensor of `count` float32}. */
const tensorPickle = (count: number) => {
  const number = Buffer.alloc(4);
  number.writeInt32LE(count);
  const int = `J${number.toString("latin1")}`;
  const text = `\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x010U\x03cpu${int}tQK\x00${int}\x85K\x01\x85\x89NtRs.`;
  return Buffer.from(text, "latin1");
};
const bigZip = (count: number) =>
  writeZip([
    { name: "a/data.pkl", bytes: tensorPickle(count) },
    { name: "a/data/0", bytes: new Uint8Array(new Float32Array(count).fill(2).buffer) },
    { name: "a/version", bytes: Buffer.from("3\n") },
  ]);

describe("reading", () => {
  test("costs a tensor's bytes when it is asked for, not before", async () => {
    const path = join(folder, "big.pth");
    const count = 2 ** 21;
    await writeFile(path, bigZip(count));
    await using cleanup = new AsyncDisposableStack();
    const opened = await countAllocations(async () => {
      cleanup.use(await openPytorch(path));
    });
    expect(opened.total).toBeLessThan(100_000);
    await using file = await openPytorch(path);
    const read = await countAllocations(async () => {
      expect(toFloat32(await file.read("w")).every((value) => value === 2)).toBe(true);
    });
    expect(read.total).toBeGreaterThan(4 * count - 1);
    expect(read.total).toBeLessThan(4 * count + 100_000);
  });

  test("long pickles of the legacy form", async () => {
    const names = Array.from({ length: 30_000 }, (_, i) => `layer.${i}`);
    const key = (name: string) => `U${String.fromCharCode(name.length)}${name}`;
    const entries = names.map((name) => `${key(name)}h\x00`).join("");
    const value = tensorPickle(3).toString("latin1").replace("tRs.", `tRq\x00s(${entries}u.`);
    const head = "\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}U\x0dlittle_endian\x88s.";
    const data = Buffer.from(new Float32Array([1, 2, 3]).buffer).toString("latin1");
    const legacy = `${head}${value.replace("J\x03\x00\x00\x00tQ", "J\x03\x00\x00\x00NtQ")}\x80\x02]U\x010a.\x03${"\0".repeat(7)}${data}`;
    const path = join(folder, "long.pth");
    await writeFile(path, legacy, "latin1");
    expect(legacy.length).toBeGreaterThan(2 ** 18);
    await using file = await openPytorch(path);
    expect(file.tensors.size).toBe(30_001);
    expect([...toFloat32(await file.read("layer.29999"))]).toEqual([1, 2, 3]);
  });

  test("Python 2's OrderedDict of pairs", async () => {
    const path = join(folder, "pairs.pth");
    const inner = tensorPickle(1).toString("latin1").slice(3, -2);
    const pickle = `\x80\x02ccollections\nOrderedDict\n](](${inner}ee\x85R.`;
    await writeFile(
      path,
      writeZip([
        { name: "a/data.pkl", bytes: Buffer.from(pickle, "latin1") },
        { name: "a/data/0", bytes: new Uint8Array(new Float32Array([7]).buffer) },
        { name: "a/version", bytes: Buffer.from("3\n") },
      ]),
    );
    await using file = await openPytorch(path);
    expect([...toFloat32(await file.read("w"))]).toEqual([7]);
  });

  test("a bit that fell over in a weight is found by the checksum", async () => {
    const path = join(folder, "flipped.pth");
    const bytes = bigZip(10);
    const at = Buffer.from(bytes).indexOf(Buffer.from(new Float32Array([2, 2]).buffer));
    bytes[at + 1]! ^= 4;
    await writeFile(path, bytes);
    await using file = await openPytorch(path);
    await expect(file.read("w")).rejects.toThrow("the checksum of a/data/0 is not the one that the archive gives");
  });

  test("a file cut after it was opened", async () => {
    for (const name of ["zip.pth", "legacy.pth"]) {
      const path = join(folder, name);
      await copyFile(join(archives, name), path);
      await using file = await openPytorch(path);
      await truncate(path, 100);
      await expect(file.read("parameter")).rejects.toThrow(WeightsError);
    }
  });
});

describe("refused", () => {
  const cases: Record<string, string> = {
    "big-endian-legacy": "little_endian is False; only little-endian archives are read",
    "big-endian-zip": 'has byte order "big"; only little-endian archives are read',
    bomb: "claim to unpack to 4000180; more than 64 times is refused",
    "bytes-huge": "BINBYTES8 at byte 9 takes 4611686018427388000 bytes, 2 follow",
    "code-legacy": "class posix.system is not known; no code of a pickle is run",
    "code-plain": "class posix.system is not known; no code of a pickle is run",
    "code-zip": "class posix.system is not known; no code of a pickle is run",
    expanded: "the tensor [1000] with strides [0] from element 0 on repeats elements of its storage",
    "integer-huge": "LONG4 at byte 9: an integer of 2147483648 bytes",
    itself: 'holds no state dict, a dict of named tensors, but a dict of 1 with "model"',
    marks: "nested deeper than 1000",
    "memo-absent": "memo 4294967295 was never stored",
    "memo-bomb": "holds no state dict",
    "module-legacy": "class torch.nn.modules.linear.Linear is not known",
    "module-zip": "class torch.nn.modules.linear.Linear is not known",
    "no-pickle": "is a zip archive, but not PyTorch's",
    "opcode-extension": "EXT1 at byte 9: this opcode is not read",
    "opcode-instance": "STRING at byte 3: this opcode is not read",
    "opcode-text": "LONG at byte 2: this opcode is not read",
    "opcode-unknown": "opcode at byte 9: 0xff is no opcode of pickle",
    "path-absolute": "absolute path: /tmp/evil",
    "path-backslash": "invalid relative path: archive/../../evil",
    "path-up": "invalid relative path: archive/../../evil",
    protocol: "protocol 9, expected at most 5",
    "shape-beyond": 'from element 1 on reaches beyond its storage "0", which has 4 elements',
    "shape-huge": "the tensor [2147483647] with strides [1] from element 0 on reaches beyond its storage",
    "size-lies": "archive/data.pkl cannot be unpacked",
    "storage-huge": 'storage "0" (F32 [2147483647]) has 16 bytes, expected 8589934588',
    "storage-missing": 'storage "0" (F32 [4]) is missing',
    "storage-negative": "a storage of the number -1, expected a number of elements",
    "storage-short": 'storage "0" (F32 [4]) has 15 bytes, expected 16',
    tensor: "holds no state dict, a dict of named tensors, but a single tensor",
    "text-huge": "BINUNICODE8 at byte 9 takes 18446744073709552000 bytes",
    torchscript: "is a TorchScript program; no code is run",
    twice: "it holds archive/data.pkl twice",
    "two-pickles": "holds two pickles, archive/data.pkl and other/data.pkl",
    version: "has version 99, expected 1 to 10",
  };
  for (const [name, message] of Object.entries(cases)) {
    test(name, async () => {
      const opening = openPytorch(join(archives, `bad-${name}.pth`));
      await expect(opening).rejects.toThrow(WeightsError);
      await expect(opening).rejects.toThrow(message);
      await expect(opening).rejects.toThrow(`bad-${name}.pth`);
    });
  }

  test("nothing bad was forgotten", async () => {
    const files = (await readdir(archives)).filter((name) => name.startsWith("bad-"));
    expect(files.sort()).toEqual(
      Object.keys(cases)
        .map((name) => `bad-${name}.pth`)
        .sort(),
    );
  });

  const python = spawnSync("python3", ["--version"]).status === 0;
  test.skipIf(!python)("the attack runs in Python and not here (needs python3)", async () => {
    const attacked = join(folder, "attacked");
    await mkdir(attacked);
    const path = join(archives, "bad-code-plain.pth");
    const before = process.cwd();
    try {
      process.chdir(attacked);
      await expect(openPytorch(path)).rejects.toThrow(WeightsError);
    } finally {
      process.chdir(before);
    }
    expect(await readdir(attacked)).toEqual([]);
    const load = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))";
    expect(spawnSync("python3", ["-c", load, path], { cwd: attacked }).status).toBe(0);
    expect(await readdir(attacked)).toEqual(["acutance-pickle-ran"]);
  });
});

describe("openWeights", () => {
  test("goes by the content, whatever the name", async () => {
    const pytorch = join(folder, "pytorch.safetensors");
    await copyFile(join(archives, "nested.pth"), pytorch);
    await using first = await openWeights(pytorch);
    expect([...toFloat32(await first.read("w"))]).toEqual([1, 1]);
    const safetensors = join(folder, "safetensors.pth");
    // A header of 128 bytes: its length begins as a pickle does.
    const padding = "x".repeat(41);
    await writeSafetensors(safetensors, [{ name: "w", dtype: "U8", shape: [1], data: Uint8Array.of(5) }], { padding });
    expect((await readFile(safetensors))[0]).toBe(0x80);
    await using second = await openWeights(safetensors);
    expect([...toFloat32(await second.read("w"))]).toEqual([5]);
    expect(second.notes).toEqual([]);
  });

  test("says what else there is", async () => {
    const path = join(folder, "text.pth");
    await writeFile(path, "");
    await expect(openWeights(path)).rejects.toThrow("is neither a safetensors file nor a PyTorch archive: it is empty");
    await writeFile(path, "<!DOCTYPE html>");
    await expect(openWeights(path)).rejects.toThrow("it begins with the bytes 3c21444f4354595045");
    await expect(openPytorch(path)).rejects.toThrow(PytorchError);
    await expect(openSafetensors(join(archives, "zip.pth"))).rejects.toThrow(WeightsError);
    await expect(openWeights(join(folder, "absent.pth"))).rejects.toThrow("ENOENT");
  });
});
