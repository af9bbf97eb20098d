import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openWeights } from "../../../engine/weights/open.ts";
import {
  encodeSafetensors,
  openSafetensors,
  Safetensors,
  type TensorToStore,
} from "../../../engine/weights/safetensors.ts";
import { countAllocations } from "./allocations.ts";
import { fuzz, type Mutation, mutations } from "./fuzz.ts";
import { writeZip, zipEntries } from "./zip.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-fuzz-"));
});
afterAll(() => rm(folder, { recursive: true }));

const archive = async (name: string) =>
  new Uint8Array(await readFile(new URL(`../../golden/pytorch/${name}`, import.meta.url)));

test("the counter sees what is allocated", async () => {
  const { largest, total } = await countAllocations(async () => {
    new Float32Array(1000);
    Buffer.allocUnsafe(5000);
    Uint8Array.from({ length: 3000 }, () => 1);
  });
  expect(largest).toBe(5000);
  expect(total).toBe(12000);
});

/** From the file and from its bytes in memory, with the same verdict. */
async function openBoth(path: string) {
  const bytes = new Uint8Array(await readFile(path));
  const file = await openSafetensors(path).catch((error) => {
    expect(() => new Safetensors(bytes, path)).toThrow(error.message);
    throw error;
  });
  expect(new Safetensors(bytes, path).tensors).toEqual(file.tensors as typeof file.tensors);
  return file;
}

test("safetensors, on disk and in memory: 1600 mutations", async () => {
  const floats: TensorToStore[] = [
    { name: "w", dtype: "F32", shape: [2, 3], data: new Float32Array([1, -2, 3.5, 0, 1e-30, 7]) },
    { name: "half", dtype: "F16", shape: [3], data: new Uint16Array([0x3c00, 0xc000, 1]) },
    { name: "i64", dtype: "I64", shape: [1], data: new BigInt64Array([-5n]) },
    { name: "empty", dtype: "F32", shape: [0, 4], data: new Float32Array(0) },
  ];
  const bytes: TensorToStore[] = [{ name: "bool", dtype: "BOOL", shape: [2], data: new Uint8Array([1, 0]) }];
  const seeds = [
    new Uint8Array(Buffer.concat(encodeSafetensors(floats, { model: "sample", note: "ümlaut" }))),
    new Uint8Array(Buffer.concat(encodeSafetensors(bytes))),
  ];
  const path = join(folder, "any.safetensors");
  const { read, refused } = await fuzz({
    label: "safetensors",
    seeds,
    rounds: 100,
    mutations,
    open: openBoth,
    path,
    expansion: 4,
  });
  expect(read + refused).toBe(1600);

  expect(read).toBeGreaterThan(20);
  expect(refused).toBeGreaterThan(400);
});

test("PyTorch's legacy archives: 1280 mutations", async () => {
  const seeds = await Promise.all(["legacy.pth", "checkpoint-legacy.pth"].map(archive));
  const path = join(folder, "legacy.pth");
  const { read, refused } = await fuzz({
    label: "legacy",
    seeds,
    rounds: 80,
    mutations,
    open: openWeights,
    path,
    expansion: 4,
  });
  expect(read + refused).toBe(1280);

  expect(read).toBeGreaterThan(20);
  expect(refused).toBeGreaterThan(200);
});

test("PyTorch's zip archives, the container: 1280 mutations", async () => {
  const seeds = await Promise.all(["nested.pth", "zip64.pth", "checkpoint.pth", "deflated.pth"].map(archive));
  const path = join(folder, "zip.pth");
  const { read, refused } = await fuzz({
    label: "zip",
    seeds,
    rounds: 40,
    mutations,
    open: openWeights,
    path,
    expansion: 64,
    // Name, extra field and comment of an entry have lengths of 16 bits.
    allowance: 3 * 2 ** 16,
  });
  expect(read + refused).toBe(1280);

  expect(read).toBeGreaterThan(20);
  expect(refused).toBeGreaterThan(200);
});

/** Opcodes that move values about, so that what follows them meets other values than the writer meant. */
const opcodes = [
  ..."()012.NQR]abdehlqstu}jrKM",
  "\x81",
  "\x85",
  "\x86",
  "\x87",
  "\x88",
  "\x8a",
  "\x8e",
  "\x93",
  "\x94",
  "\x95",
];
const opcode: Mutation = (bytes, random) => {
  let out = bytes;
  for (let change = random.integer(3); change >= 0; change--) {
    const code = opcodes[random.integer(opcodes.length)]!.charCodeAt(0);
    const at = random.integer(out.length);
    const skip = random.integer(2);
    out = new Uint8Array(Buffer.concat([out.subarray(0, at), Uint8Array.of(code), out.subarray(at + skip)]));
  }
  return out;
};

test("PyTorch's zip archives, the pickle inside with its checksum mended: 2160 mutations", async () => {
  const names = ["nested.pth", "zip-protocol-4.pth", "checkpoint.pth"];
  const files = await Promise.all(names.map(async (name) => await zipEntries(await archive(name))));
  const seeds = files.map((entries) => entries.find(({ name }) => name.endsWith("/data.pkl"))!.bytes);
  const build = (bytes: Uint8Array, index: number) =>
    writeZip(files[index]!.map((entry) => (entry.name.endsWith("/data.pkl") ? { ...entry, bytes } : entry)));
  const path = join(folder, "pickle.pth");
  const { read, refused } = await fuzz({
    label: "pickle",
    seeds,
    rounds: 80,
    mutations: { ...mutations, opcode },
    build,
    open: openWeights,
    path,
    expansion: 4,
  });
  expect(read + refused).toBe(2160);

  expect(read).toBeGreaterThan(20);
  expect(refused).toBeGreaterThan(200);
});
