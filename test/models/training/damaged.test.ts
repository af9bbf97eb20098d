import { afterAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../../../engine/random.ts";
import { digestKey, withDigest } from "../../../engine/weights/digest.ts";
import {
  openSafetensors,
  Safetensors,
  type TensorToStore,
  writeSafetensors,
} from "../../../engine/weights/safetensors.ts";
import { cplOptions } from "../../../models/methods/cpl/options.ts";
import { openModel, QualityNetwork, saveModel } from "../../../models/networks/model.ts";
import { modelOptions, partedOptions } from "../../../models/networks/options.ts";
import { readCheckpoint, writeCheckpoint } from "../../../models/training/checkpoint.ts";
import { sharedDevice } from "../../engine/device.ts";

const device = await sharedDevice();
const folder = await mkdtemp(join(tmpdir(), "acutance-damaged-"));
afterAll(() => rm(folder, { recursive: true }));

const options = cplOptions({ stages: 1, embedding: 8, levels: 5, resize: 36, crop: 32 });
const card = { options, range: [0, 100] as const, history: ["drawn"], fresh: [] };
const whole = join(folder, "whole.safetensors");
const drawn = new QualityNetwork(device, options);
await saveModel(whole, drawn, card);
drawn.dispose();
const bytes = await readFile(whole);
const headerEnd = 8 + Number(bytes.readBigUInt64LE(0));
const content = new Safetensors(bytes);
const names = [...content.tensors.keys()];

async function opened(path: string) {
  const { model, card, notes } = await openModel(device, path);
  const tensors = await Promise.all(model.tensors().map(({ tensor }) => tensor.read()));
  model.dispose();
  return { card, notes, tensors };
}

const right = await opened(whole);

/** Why a file does not open; undefined when all of it is as in the whole file. */
async function refusal(path: string): Promise<string | undefined> {
  let found: Awaited<ReturnType<typeof opened>>;
  try {
    found = await opened(path);
  } catch (error) {
    return (error as Error).message;
  }
  expect(found.card).toEqual(right.card);
  for (const [i, tensor] of found.tensors.entries()) {
    if (!Buffer.from(tensor.buffer).equals(Buffer.from(right.tensors[i]!.buffer)))
      throw new Error("other weights opened");
  }
  return undefined;
}

/** The file with other tensors and texts, and the digest that belongs to them unless told otherwise. */
async function rewritten(
  path: string,
  change: (tensors: TensorToStore[], texts: Record<string, string>) => void,
  digest: "right" | "old" | "none" = "right",
): Promise<void> {
  const tensors = names.map((name): TensorToStore => {
    const { bytes: data, ...info } = content.get(name);
    return { ...info, data: Uint8Array.from(data) };
  });
  const texts = Object.fromEntries(content.metadata);
  const old = texts[digestKey]!;
  delete texts[digestKey];
  change(tensors, texts);
  const written = {
    right: () => withDigest(tensors, texts),
    old: () => ({ ...texts, [digestKey]: old }),
    none: () => texts,
  };
  await writeSafetensors(path, tensors, written[digest]());
}

function floatsOf({ data }: TensorToStore): Float32Array {
  return new Float32Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength / 4);
}

test("360 seeded damages of a model file: each is refused by name, or opens with the same card and weights", async () => {
  const random = new Random(1, "damages");
  const path = join(folder, "damaged.safetensors");
  const kinds: readonly [count: number, harmless: boolean, damage: (copy: Buffer) => Buffer | Promise<void>][] = [
    [90, true, (copy) => flipped(copy, random.integer(headerEnd), random)],
    [90, false, (copy) => flipped(copy, headerEnd + random.integer(copy.length - headerEnd), random)],
    [40, false, (copy) => copy.subarray(0, random.integer(copy.length))],
    [20, false, (copy) => Buffer.concat([copy, Buffer.alloc(1 + random.integer(64))])],
    [
      40,
      false,
      (copy) => {
        const at = headerEnd + 4 * random.integer((copy.length - headerEnd) / 4 - 64);
        for (let i = 0; i < 1 + random.integer(64); i++)
          copy.writeFloatLE([Number.NaN, 1 / 0, -1 / 0][i % 3]!, at + 4 * i);
        return copy;
      },
    ],
    [
      30,
      false,
      (copy) => {
        const at = headerEnd + random.integer(copy.length - headerEnd - 4096);
        return copy.fill(random.integer(256), at, at + 16 + random.integer(4000));
      },
    ],
    [30, false, () => rewritten(path, (tensors) => exchange(tensors, random), "old")],
    [
      20,
      false,
      () =>
        rewritten(
          path,
          (_, texts) => {
            texts["score_range"] = JSON.stringify([0, 10 + random.integer(80)]);
          },
          "old",
        ),
    ],
  ]; // prettier-ignore
  let [damages, harmless] = [0, 0];
  for (const [count, mayBeHarmless, damage] of kinds) {
    for (let i = 0; i < count; i++) {
      const damaged = damage(Buffer.from(bytes));
      if (damaged instanceof Promise) await damaged;
      else await writeFile(path, damaged);
      const message = await refusal(path);
      damages++;
      if (message === undefined) {
        harmless++;
        expect(mayBeHarmless).toBe(true);
      } else {
        expect(message).toContain(path);
        expect(message).not.toMatch(/undefined|\[object|is not a function|JSON Parse error/);
      }
    }
  }
  expect(damages).toBe(360);
  // A bit of the digest's own key, or of the case of a letter in a text that says nothing.
  expect(harmless).toBeLessThan(30);
}, 300_000);

function flipped(copy: Buffer, at: number, random: Random): Buffer {
  copy[at]! ^= 1 << random.integer(8);
  return copy;
}

/** Exchanges the elements of two tensors of the same size. */
function exchange(tensors: TensorToStore[], random: Random): void {
  const sizes = Map.groupBy(tensors, ({ data }) => data.byteLength);
  const several = [...sizes.values()].filter(({ length }) => length > 1);
  const group = several[random.integer(several.length)]!;
  const [a, b] = [group[0]!, group[1 + random.integer(group.length - 1)]!].map(floatsOf) as [
    Float32Array,
    Float32Array,
  ];
  const kept = a.slice();
  a.set(b);
  b.set(kept);
  if (a.every((value, i) => value === b[i])) a[0]! += 1;
}

test("60 seeded damages of a checkpoint: each is refused by name, or the checkpoint is as it was", async () => {
  const path = join(folder, "checkpoint.safetensors");
  const model = new QualityNetwork(device, options);
  const rated = [{ name: "a.png", path: "a.png", mos: 3 }];
  const data = { labelled: rated, unlabelled: [], test: [], range: [0, 100] as const };
  const position = { stage: 1, epoch: 2, step: 3 } as const;
  const pseudo = { targets: new Float32Array(10).fill(0.2), weights: new Float32Array(2).fill(1) };
  const lists = { phases: [], losses: [], refreshes: [], pseudoLabels: [], results: [], predictions: [] };
  const progress = { ...lists, notes: [] };
  const state = { card, position, optimiserSteps: 7, data, progress, command: "train cpl", pseudo };
  await writeCheckpoint(path, model, [], state as never);
  model.dispose();
  const written = await readFile(path);
  const before = await readCheckpoint(path);
  expect(before).toMatchObject({ position, optimiserSteps: 7, command: "train cpl" });
  const random = new Random(2, "damages");
  const start = 8 + Number(written.readBigUInt64LE(0));
  let refused = 0;
  for (let i = 0; i < 60; i++) {
    const at = i % 3 === 0 ? random.integer(start) : start + random.integer(written.length - start);
    await writeFile(path, i % 10 === 9 ? written.subarray(0, at) : flipped(Buffer.from(written), at, random));
    const after = await readCheckpoint(path).catch((error: Error) => error.message);
    if (typeof after === "string") {
      expect(after).toContain(path);
      refused++;
    } else expect(after).toEqual(before);
  }
  expect(refused).toBeGreaterThan(50);
  // A state that is whole JSON and no state.
  const { metadata, tensors } = new Safetensors(written);
  const stored = [...tensors.values()].map((info) => ({
    ...info,
    data: new Safetensors(written).get(info.name).bytes,
  }));
  for (const training of [
    "null",
    "{}",
    '{"position": null}',
    "[",
    JSON.stringify({ ...state, position: { stage: 9 } }),
  ]) {
    const texts = { ...Object.fromEntries([...metadata].filter(([key]) => key !== digestKey)), training };
    await writeSafetensors(path, stored, withDigest(stored, texts));
    expect(readCheckpoint(path)).rejects.toThrow(/checkpoint\.safetensors: its state/);
  }
}, 60_000);

test("numbers that are not finite are named with tensor, place and count, with a digest or without", async () => {
  const path = join(folder, "nan.safetensors");
  const name = "head.embedding.weight";
  const damage = (tensors: TensorToStore[]) => {
    const values = floatsOf(tensors.find((tensor) => tensor.name === name)!);
    values[64 + 3] = Number.NaN;
    values[5 * 64] = Number.POSITIVE_INFINITY;
  };
  for (const digest of ["right", "old", "none"] as const) {
    await rewritten(path, damage, digest);
    expect(await refusal(path)).toContain(`${path}: `);
    expect(await refusal(path)).toContain(
      `tensor "${name}" has 2 of 512 values that are not finite, the first, NaN, at [1, 3]`,
    );
  }
});

test("a file without a digest opens with a note, one that is exported anew without", async () => {
  const path = join(folder, "older.safetensors");
  await rewritten(path, () => {}, "none");
  expect(await refusal(path)).toBeUndefined();
  expect((await opened(path)).notes).toEqual([expect.stringContaining(`${path} carries no digest`)]);
  const { model, card } = await openModel(device, path);
  await saveModel(path, model, card, "f16");
  model.dispose();
  expect((await opened(path)).notes).toEqual([]);
  await using file = await openSafetensors(path);
  expect(file.metadata.get(digestKey)).toMatch(/^[0-9a-f]{64}$/);
});

const own = modelOptions(partedOptions(options).model);

test("cards with what cannot be are refused by name before memory is taken for it", async () => {
  const path = join(folder, "card.safetensors");
  const wrong: readonly [key: string, text: string, words: RegExp][] = [
    ...Object.entries({
      resize: [1e9, -1, 0, 1.5, null, "256"],
      crop: [1e9, 16, null],
      testCrops: [1e6, 0, null],
      testTiles: [1e9, -1],
      levels: [1e7, 1, 7, null],
      embedding: [1e9, 9, null],
      backbone: ["resnet19", null, 3, {}],
      stages: [0, 9, null],
      frozen: [-1, 1e9],
      featureDepths: [null, [1e9], [-1], "1"],
      classesBy: [null, "size", "quantile"],
      classEdges: [null, [1], [50], [100], ["50"]],
      seed: [-1, 1e300],
    }).flatMap(([option, values]) =>
      values.map((value): [string, string, RegExp] => [
        "options",
        JSON.stringify({ ...own, [option]: value }),
        new RegExp(option),
      ]),
    ),
    ["options", JSON.stringify({ ...own, resize: 1e9 }), /`resize` 1000000000: .*8192/],
    ["options", '{"resize": NaN}', /its options is no JSON/],
    ["options", JSON.stringify(own).replace('"resize":36', '"resize":1e999'), /resize/],
    ["options", JSON.stringify({ ...own, surprise: 1 }), /surprise/],
    ...["null", "[]", "3", '"x"'].map((text): [string, string, RegExp] => ["options", text, /its options/]),
    ...["[0, 1e308]", "[-1e308, 1e308]", "[5, 5]", "[9, 1]", "[0]", "null", "{}", '["0", "1"]', "[0, null]"].map(
      (text): [string, string, RegExp] => ["score_range", text, /score_range/],
    ),
    ...["history", "fresh", "frozen_norms"].flatMap((key) =>
      ["null", "3", '{"a": 1}', "[null]", "["].map((text): [string, string, RegExp] => [key, text, new RegExp(key)]),
    ),
    ["format", "other", /format "other"/],
  ];
  for (const [key, text, words] of wrong) {
    await rewritten(path, (_, texts) => {
      texts[key] = text;
    });
    const start = performance.now();
    const before = device.memoryReport().peakBytes;
    const message = await refusal(path);
    expect(message).toStartWith(path);
    expect(message).toMatch(words);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(device.memoryReport().peakBytes).toBe(before);
  }
}, 60_000);
