import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { writeFileAtomically } from "../../../engine/weights/atomic.ts";
import {
  encodeSafetensors,
  openSafetensors,
  Safetensors,
  SafetensorsError,
  type TensorToStore,
  toFloat32,
  typedView,
  writeSafetensors,
} from "../../../engine/weights/safetensors.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-weights-"));
});
afterAll(() => rm(folder, { recursive: true }));

const samples: TensorToStore[] = [
  { name: "f32", dtype: "F32", shape: [2, 3], data: new Float32Array([1, -2, 3.5, 0, 1e-30, 7]) },
  { name: "f64", dtype: "F64", shape: [2], data: new Float64Array([Math.PI, -1]) },
  { name: "f16", dtype: "F16", shape: [3], data: new Uint16Array([0x3c00, 0xc000, 0x0001]) },
  { name: "bf16", dtype: "BF16", shape: [2], data: new Uint16Array([0x3f80, 0xc040]) },
  { name: "i64", dtype: "I64", shape: [1], data: new BigInt64Array([-5n]) },
  { name: "i32", dtype: "I32", shape: [2], data: new Int32Array([-7, 8]) },
  { name: "u32", dtype: "U32", shape: [1], data: new Uint32Array([4294967295]) },
  { name: "u8", dtype: "U8", shape: [3], data: new Uint8Array([0, 128, 255]) },
  { name: "bool", dtype: "BOOL", shape: [2], data: new Uint8Array([1, 0]) },
  { name: "scalar", dtype: "F32", shape: [], data: new Float32Array([42]) },
  { name: "empty", dtype: "F32", shape: [0, 4], data: new Float32Array(0) },
];
const floats: Record<string, number[]> = {
  f32: [1, -2, 3.5, 0, Math.fround(1e-30), 7],
  f64: [Math.fround(Math.PI), -1],
  f16: [1, -2, 2 ** -24],
  bf16: [1, -3],
  i64: [-5],
  i32: [-7, 8],
  u32: [4294967296],
  u8: [0, 128, 255],
  bool: [1, 0],
  scalar: [42],
  empty: [],
};

const whole = () => Buffer.concat(encodeSafetensors(samples, { model: "sample", note: "ümlaut" }));

/** A file with any header and any data. */
function file(header: unknown, data = new Uint8Array(0), length?: bigint): Uint8Array {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(json.length));
  return Buffer.concat([prefix, json, data]);
}

describe("round trip", () => {
  test("in memory, every dtype", () => {
    const stored = new Safetensors(whole());
    expect([...stored.metadata]).toEqual([
      ["model", "sample"],
      ["note", "ümlaut"],
    ]);
    expect(stored.tensors.size).toBe(samples.length);
    for (const { name, dtype, shape, data } of samples) {
      const tensor = stored.get(name);
      expect([tensor.dtype, tensor.shape]).toEqual([dtype, shape]);
      expect(typedView(tensor)).toEqual(data as never);
      expect([...toFloat32(tensor)]).toEqual(floats[name]!);
    }
  });

  test("through a file, tensor by tensor", async () => {
    const path = join(folder, "sample.safetensors");
    await writeSafetensors(path, samples, { model: "sample" });
    await using stored = await openSafetensors(path);
    for (const { name } of samples) expect([...toFloat32(await stored.read(name))]).toEqual(floats[name]!);
    await expect(stored.read("absent")).rejects.toThrow('there is no tensor "absent"');
    expect(await readdir(folder)).toEqual(["sample.safetensors"]);
  });

  test("the header is padded to 8 bytes, tensors are aligned, the bytes do not depend on the order given", () => {
    const bytes = whole();
    expect(Number(bytes.readBigUInt64LE()) % 8).toBe(0);
    for (const { name, offset, dtype } of new Safetensors(bytes).tensors.values()) {
      const size = typedView({ name, dtype, shape: [], bytes: new Uint8Array(0) }).BYTES_PER_ELEMENT;
      expect(offset % size).toBe(0);
    }
    const reversed = encodeSafetensors([...samples].reverse(), { model: "sample", note: "ümlaut" });
    expect(Buffer.concat(reversed).equals(bytes)).toBe(true);
  });

  test("unaligned tensors of other writers are read", () => {
    const data = new Uint8Array(5);
    data.set(new Uint8Array(new Float32Array([1.5]).buffer), 1);
    const header = {
      a: { dtype: "U8", shape: [1], data_offsets: [0, 1] },
      b: { dtype: "F32", shape: [1], data_offsets: [1, 5] },
    };
    expect([...toFloat32(new Safetensors(file(header, data)).get("b"))]).toEqual([1.5]);
  });

  test("names and sizes are checked before writing", () => {
    const one = { name: "a", dtype: "F32", shape: [2], data: new Float32Array(2) } as const;
    expect(() => encodeSafetensors([one, one])).toThrow('"a" cannot be stored');
    expect(() => encodeSafetensors([{ ...one, name: "__metadata__" }])).toThrow("is taken");
    expect(() => encodeSafetensors([{ ...one, shape: [3] }])).toThrow('"a" has 8 bytes, expected 12 for F32 [3]');
  });
});

describe("damaged files", () => {
  const f32 = (offsets: unknown, shape: unknown = [1], dtype: unknown = "F32") => ({
    dtype,
    shape,
    data_offsets: offsets,
  });
  const cases: [string, Uint8Array, string][] = [
    ["nothing", new Uint8Array(0), "0 bytes are too few"],
    ["a huge header length", file("{}", undefined, 2n ** 60n), "more than the 100000000 allowed"],
    ["a header beyond the end", file("{}", undefined, 99n), "only 2 follow; the file is truncated"],
    ["a header that is not JSON", file("{oops"), "not JSON"],
    ["a header that is not UTF-8", file("{}").fill(0xff, 8), "not JSON"],
    ["a list for a header", file([]), "a list, expected an object"],
    ["metadata that is no text", file({ __metadata__: { n: 1 } }), 'metadata "n" is a number'],
    ["an entry that is no object", file({ w: 3 }), 'tensor "w" is described by a number'],
    ["an unknown dtype", file({ w: f32([0, 4], [1], "F99") }), 'tensor "w" has dtype "F99", expected one of F64'],
    ["an inherited name for a dtype", file({ w: f32([0, 4], [1], "constructor") }), 'dtype "constructor"'],
    ["a negative size", file({ w: f32([0, 4], [-1]) }, new Uint8Array(4)), "has shape [-1]"],
    ["a fractional offset", file({ w: f32([0, 4.5]) }, new Uint8Array(5)), "has data_offsets [0,4.5]"],
    ["offsets backwards", file({ w: f32([4, 0]) }, new Uint8Array(4)), "has data_offsets [4,0]"],
    [
      "data cut off",
      file({ w: f32([0, 4]) }, new Uint8Array(3)),
      'tensor "w" ends at byte 4 of the data, but the file',
    ],
    ["a shape that does not fit", file({ w: f32([0, 4], [2]) }, new Uint8Array(4)), "occupies 4 bytes, expected 8"],
    ["an overflowing shape", file({ w: f32([0, 4], [2 ** 50, 2 ** 50]) }, new Uint8Array(4)), "occupies 4 bytes"],
    ["an overlap", file({ a: f32([0, 4]), b: f32([2, 6]) }, new Uint8Array(6)), "without overlap"],
    ["a gap", file({ a: f32([0, 4]), b: f32([6, 10]) }, new Uint8Array(10)), 'tensor "b" begins at byte 6'],
    ["bytes left over", file({ a: f32([0, 4]) }, new Uint8Array(9)), "after its last tensor"],
    ["a name given twice", file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":1}'), "is described by"],
  ];
  for (const [name, bytes, message] of cases) {
    test(name, () => {
      expect(() => new Safetensors(bytes, "w.safetensors")).toThrow(SafetensorsError);
      expect(() => new Safetensors(bytes, "w.safetensors")).toThrow(message);
    });
  }

  test("a file cut after it was opened", async () => {
    const path = join(folder, "cut.safetensors");
    await writeSafetensors(path, samples);
    await using stored = await openSafetensors(path);
    await truncate(path, 100);
    await expect(stored.read("u8")).rejects.toThrow("it is truncated");
  });

  test("a file that is not there", async () => {
    await expect(openSafetensors(join(folder, "absent.safetensors"))).rejects.toThrow("ENOENT");
  });
});

describe("writeFileAtomically", () => {
  test("replaces the whole file, from text, bytes or pieces", async () => {
    const path = join(folder, "state.json");
    await writeFileAtomically(path, "first, and longer");
    await writeFileAtomically(path, "ü");
    expect(await readFile(path, "utf8")).toBe("ü");
    async function* pieces() {
      yield new Uint8Array([1, 2]);
      yield new Uint8Array(0);
      yield new Uint8Array([3]);
    }
    await writeFileAtomically(path, pieces());
    expect([...(await readFile(path))]).toEqual([1, 2, 3]);
  });

  test("a failure keeps the old file and leaves nothing behind", async () => {
    const path = join(folder, "kept.txt");
    await writeFileAtomically(path, "old");
    function* failing() {
      yield new Uint8Array([1]);
      throw new Error("halfway");
    }
    await expect(writeFileAtomically(path, failing())).rejects.toThrow("halfway");
    await setTimeout(20);
    expect(await readFile(path, "utf8")).toBe("old");
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    await expect(writeFileAtomically(join(folder, "nowhere/x"), "x")).rejects.toThrow("ENOENT");
  });
});

const weights = join(import.meta.dirname, "../../../../shared/weights");
describe.skipIf(!existsSync(weights))("stored weights (skipped without ../shared/weights)", () => {
  test("every file opens and its first tensors are finite", async () => {
    for (const name of readdirSync(weights).filter((file) => file.endsWith(".safetensors"))) {
      await using stored = await openSafetensors(join(weights, name));
      expect(stored.tensors.size).toBeGreaterThan(0);
      for (const tensor of [...stored.tensors.keys()].slice(0, 5)) {
        expect(toFloat32(await stored.read(tensor)).every(Number.isFinite)).toBe(true);
      }
    }
  });
});
