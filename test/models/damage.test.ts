import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { z } from "zod";
import { readProfile } from "../../engine/profile/compare.ts";
import { Random } from "../../engine/random.ts";
import { Cache } from "../../engine/tune/cache.ts";
import { writeFileAtomically } from "../../engine/weights/atomic.ts";
import { openWeights } from "../../engine/weights/open.ts";
import { openSafetensors } from "../../engine/weights/safetensors.ts";
import { loadDataset, rankedSets, readSplit, writeSplit } from "../../models/data/index.ts";
import { readRecipe } from "../../models/experiments/recipe.ts";
import { ExperimentStore } from "../../models/experiments/store.ts";
import { trainCpl } from "../../models/methods/cpl/index.ts";
import { openModel } from "../../models/networks/model.ts";
import { pageOf, readRecord } from "../../models/report/read-record.ts";
import { trainingReport } from "../../models/report/training/training-report.ts";
import { readCheckpoint } from "../../models/training/checkpoint.ts";
import { writeRecord } from "../../models/training/finish.ts";
import { sharedDevice } from "../engine/device.ts";
import { blurredPictures, divided, small } from "./training/pictures.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-damage-"));
  const device = await sharedDevice();
  const rows = await blurredPictures(join(folder, "pictures"), 15);
  const data = divided(rows);
  const run = join(folder, "run");
  const options = { ...small, stageOneEpochs: 1, stageTwoEpochs: 1 };
  const onStart = (id: string) => writeSplit(run, data, id);
  const { model, card, progress } = await trainCpl(device, data, options, { folder: run, onStart });
  model.dispose();
  const parts = { labelled: data.labelled.length, unlabelled: data.unlabelled.length, test: data.test.length };
  const hardware = { runtime: "a runtime", adapter: "an adapter", cores: 1, platform: "here" };
  const about = { title: "A run", command: "train", date: new Date(0).toISOString(), hardware, parts };
  await writeRecord(run, { ...about, options: card.options, range: [0, 100], ...progress, peakDeviceBytes: 1 });
  await writeFile(
    join(folder, "scores.csv"),
    `file,mos\n${rows.map(({ name, mos }) => `${name},${mos}`).join("\n")}\n`,
  );
  await writeFile(join(folder, "recipe.toml"), 'title = "A"\n\n[data]\nfolder = "pictures"\ncsv = "scores.csv"\n');
  await writeFile(join(folder, "recipe.json"), '{"title": "A", "data": {"folder": "pictures", "csv": "scores.csv"}}');
  await mkdir(join(folder, "copies"));
  const table =
    "name,source,kind,level,seed,longer_side,toned\na-1.png,a.png,jpeg,1,1,0,0\na-2.png,a.png,jpeg,2,1,0,0\n";
  await writeFile(join(folder, "copies", "degraded.csv"), table);
  using store = await ExperimentStore.open(join(folder, "store"));
  const training = {
    method: "cpl",
    stage: 1,
    folder: "trainings/a",
    options: {},
    adapter: "an adapter",
    version: "1",
  } as const;
  store.claim("key", training)[Symbol.dispose]();
  store.finish("key", { progress, results: [] });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Every kind of file that is read: where it is, and what reads it. Those with `text` are JSON in which values can be changed. */
const kinds: Record<
  string,
  { file: string; read: (path: string) => Promise<unknown>; json?: boolean; guards?: boolean }
> = {
  "record of a run": {
    file: "run/run.json",
    json: true,
    read: async (path) => {
      const opened = await readRecord(path);
      if (opened.kind === "run") await pageOf(opened, () => trainingReport(opened.record, { thumbnails: false }));
    },
  },
  checkpoint: { file: "run/checkpoint.safetensors", read: readCheckpoint },
  model: {
    file: "run/model.safetensors",
    read: async (path) => (await openModel(await sharedDevice(), path)).model.dispose(),
  },
  weights: { file: "run/stage1.safetensors", read: async (path) => (await openWeights(path)).close() },
  split: { file: "run/split.csv", read: readSplit },
  "table of scores": { file: "scores.csv", read: (csv) => loadDataset({ folder: join(folder, "pictures"), csv }) },
  "table of copies": { file: "copies/degraded.csv", read: (path) => rankedSets(join(path, "..")) },
  "recipe in TOML": { file: "recipe.toml", read: readRecipe },
  "recipe in JSON": { file: "recipe.json", json: true, read: readRecipe },
  "results of experiments": {
    file: "store/results.sqlite",
    read: async (path) => {
      using store = await ExperimentStore.open(join(path, ".."));
      store.training("key");
      store.progress("key");
      store.rememberFile({ path: "p", bytes: 1, modifiedMs: 1, sha256: "s", problem: undefined });
    },
  },
  profile: { file: "recipe.json", json: true, read: async (path) => readProfile(path) },
};

/** What a runtime says of its own accord, which is no message for a user. */
const raw =
  /JSON Parse error|Unexpected (token|end|identifier|non-whitespace)|is not an object|is not a function|is not iterable|Cannot read properties|undefined is|null is|reading '|Invalid array length|Received undefined/;
const advice =
  /(from a copy|did you mean|mend |make it again|check the path|use another place|free some space|is expected|expected|give |move it away|see that|name the|say which|must |choose|write |with --|needed|is it the right|acutance )/i;

/** Nothing, or an error for the user that names the file. */
async function outcome(path: string, read: (path: string) => Promise<unknown>): Promise<Error | undefined> {
  const error = await read(path).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) return undefined;
  expect(error).toBeInstanceOf(Error);
  const { name, message, advice: more = "" } = error as Error & { advice?: string };
  expect(["TypeError", "SyntaxError", "ReferenceError"]).not.toContain(name);
  const text = `${message} ${more}`;
  expect(text).not.toMatch(raw);
  if (!text.includes(basename(path))) throw new Error(`the file is not named: ${name}: ${text}`);
  if (!advice.test(text)) throw new Error(`nothing says what to do: ${name}: ${text}`);
  return error as Error;
}

/** Replaces one value of a JSON text, chosen by the random numbers. */
function changed(text: string, random: Random, value: unknown): string {
  const places: [Record<string, unknown>, string][] = [];
  const walk = (node: unknown) => {
    if (typeof node !== "object" || node === null) return;
    for (const key of Object.keys(node)) {
      places.push([node as Record<string, unknown>, key]);
      walk((node as Record<string, unknown>)[key]);
    }
  };
  const root = JSON.parse(text);
  walk(root);
  const [holder, key] = places[random.integer(Math.max(1, places.length))] ?? [];
  if (!holder) return JSON.stringify(value);
  holder[key!] = value;
  return JSON.stringify(root);
}

describe("a damaged file is an error that names it and says what to do", () => {
  for (const [kind, { file, read, json }] of Object.entries(kinds)) {
    /** A copy of the file's folder, in which it can be damaged. */
    const copied = async (name: string) => {
      const to = join(folder, "copy", `${kind.replaceAll(" ", "-")}-${name}`);
      await mkdir(to, { recursive: true });
      const path = join(to, basename(file));
      await cp(join(folder, file), path);
      return path;
    };

    test(`${kind}: empty, cut, absent, a folder, unreadable`, async () => {
      const empty = await copied("empty");
      await writeFile(empty, "");
      // SQLite takes an empty file for a new database.
      if (kind !== "results of experiments") expect(await outcome(empty, read)).toBeDefined();
      for (const share of [0.1, 0.5, 0.9]) {
        const cut = await copied(`cut-${share}`);
        const bytes = await readFile(cut);
        await writeFile(cut, bytes.subarray(0, Math.floor(share * bytes.length)));
        await outcome(cut, read);
      }
      const zeros = await copied("zeros");
      await writeFile(zeros, new Uint8Array((await stat(zeros)).size));
      expect(await outcome(zeros, read)).toBeDefined();
      const absent = await copied("absent");
      await rm(absent);
      if (kind !== "results of experiments") expect(await outcome(absent, read)).toBeDefined();
      await mkdir(absent);
      expect(await outcome(absent, read)).toBeDefined();
      if (process.getuid?.() !== 0) {
        const closed = await copied("closed");
        await chmod(closed, 0);
        expect(await outcome(closed, read)).toBeDefined();
      }
    });

    test(`${kind}: one bit turned`, async () => {
      const random = new Random(11, kind);
      const path = await copied("bit");
      const bytes = await readFile(path);
      for (let i = 0; i < 30; i++) {
        const at = random.integer(i % 2 === 0 ? bytes.length : Math.min(bytes.length, 400));
        const turned = new Uint8Array(bytes);
        turned[at]! ^= 1 << random.integer(8);
        await rm(`${path}-wal`, { force: true });
        await rm(`${path}-shm`, { force: true });
        await writeFile(path, turned);
        await outcome(path, read);
      }
    });

    if (json)
      test(`${kind}: null, and another type, where something stands`, async () => {
        const random = new Random(12, kind);
        const path = await copied("value");
        const text = await readFile(path, "utf8");
        for (const value of [null, 7, "text", [], {}, [null], true]) {
          for (let i = 0; i < 12; i++) {
            await writeFile(path, changed(text, random, value));
            await outcome(path, read);
          }
          await writeFile(path, JSON.stringify(value));
          expect(await outcome(path, read)).toBeDefined();
        }
      });
  }

  test("checkpoint and card: null, and another type, in their texts", async () => {
    const device = await sharedDevice();
    const random = new Random(13, "card");
    for (const file of ["checkpoint", "model"]) {
      const source = join(folder, "run", `${file}.safetensors`);
      await using opened = await openSafetensors(source);
      const bytes = await readFile(source);
      const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
      const header = JSON.parse(bytes.subarray(8, 8 + length).toString());
      const texts = [...opened.metadata.keys()].filter((key) => /^[[{]/.test(opened.metadata.get(key)!));
      expect(texts.length).toBeGreaterThan(3);
      for (const key of texts) {
        for (const value of [null, 7, "text", [], {}, [null]]) {
          const inner = opened.metadata.get(key)!;
          const damaged = random.integer(3) === 0 ? JSON.stringify(value) : changed(inner, random, value);
          const metadata = { ...header.__metadata__, [key]: damaged };
          const json = Buffer.from(JSON.stringify({ ...header, __metadata__: metadata }));
          const prefix = Buffer.alloc(8);
          prefix.writeBigUInt64LE(BigInt(json.length));
          const path = join(folder, "copy", `${file}-card.safetensors`);
          await writeFile(path, Buffer.concat([prefix, json, bytes.subarray(8 + length)]));
          await outcome(path, async () => {
            if (file === "checkpoint") await readCheckpoint(path);
            else (await openModel(device, path)).model.dispose();
          });
        }
      }
    }
  });

  test("a tuning cache that is damaged is a note, and done without", async () => {
    const notes: string[] = [];
    const key = { adapter: "a" };
    const cache = new Cache({
      ...{ name: "roofs", version: 1, schema: z.object({ x: z.number() }), folder: join(folder, "cache") },
      onNote: (note) => notes.push(note),
    });
    await cache.write(key, { x: 1 });
    const path = cache.path(key)!;
    const text = await readFile(path, "utf8");
    for (const damaged of ["", text.slice(0, 30), "null", text.replace("1", "null"), text.replace('"x"', '"y"')]) {
      notes.length = 0;
      await writeFile(path, damaged);
      expect(await cache.read(key)).toBeUndefined();
      expect(notes.join()).toContain(path);
      expect(notes.join()).not.toMatch(raw);
    }
    await rm(path);
    await mkdir(path);
    expect(await cache.read(key)).toBeUndefined();
    await cache.write(key, { x: 1 });
    expect(notes.at(-1)).toContain("could not be written");
  });
});

describe("what cannot be written names the file and says what to do", () => {
  test("a folder in its place, no folder, a file as folder", async () => {
    await mkdir(join(folder, "taken.json"));
    const write = (path: string) => outcome(path, () => writeFileAtomically(path, "text"));
    expect((await write(join(folder, "taken.json")))!.message).toContain("taken.json cannot be written");
    expect((await write(join(folder, "none", "x.json")))!.message).toContain("there is no such file or folder");
    expect((await write(join(folder, "scores.csv", "x.json")))!.message).toContain("a part of its path is a file");
  });

  test.skipIf(process.platform !== "linux" || process.getuid?.() !== 0)("a full disk", async () => {
    const disk = join(folder, "disk");
    await mkdir(disk);
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk]).status === 0;
    if (!mounted) return console.log("skipped: no file system can be mounted here");
    try {
      const path = join(disk, "run.json");
      await writeFileAtomically(path, "before");
      const error = await outcome(path, () => writeFileAtomically(path, "x".repeat(200_000)));
      expect(error!.message).toContain("run.json cannot be written (ENOSPC): the disk is full; free some space");
      expect(await readFile(path, "utf8")).toBe("before");
      const store = await ExperimentStore.open(disk).catch((reason: Error) => reason);
      if (store instanceof Error) expect(`${store.message} ${(store as { advice?: string }).advice}`).toMatch(advice);
      else {
        const fill = () => {
          for (let i = 0; i < 5000; i++)
            store.rememberFile({
              path: `${i}${"p".repeat(200)}`,
              bytes: 1,
              modifiedMs: 1,
              sha256: "s",
              problem: undefined,
            });
        };
        expect(fill).toThrow("results.sqlite cannot be written: the disk is full");
        store[Symbol.dispose]();
      }
    } finally {
      spawnSync("umount", [disk]);
    }
  });
});
