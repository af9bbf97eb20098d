// `bun test/bench/store.ts [rows]`: how long a store of many pictures takes to write, to look through again and to read, and its size on the disk. The files
// are a few bytes each; nothing is scored.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scorer } from "../../models/index.ts";
import { defaultModel } from "../../models/scoring/shipped-models.ts";
import { fileState } from "../../models/store/files.ts";
import { openStore, scoreStored } from "../../models/store/index.ts";

const rows = Number(process.argv[2] ?? 100_000);
const folder = mkdtempSync(join(tmpdir(), "acutance-store-bench-"));
try {
  const paths = Array.from({ length: rows }, (_, i) => join(folder, String(i % 100), `${i}.jpg`));
  for (let i = 0; i < 100; i++) mkdirSync(join(folder, String(i)));
  for (const [i, path] of paths.entries()) {
    writeFileSync(path, String(i));
    utimesSync(path, 1e9, 1e9);
  }
  using store = await openStore(join(folder, "scores.db"));
  const range = [0, 100] as const;
  const conditions = { model: defaultModel, showing: {}, decoding: {}, gives: { features: true, sharpness: true } };
  const unused = () => {
    throw new Error("all is in the store");
  };
  // Stands for a scorer that has nothing to score: it is asked for its conditions, and for scores of no picture.
  const scorer = { name: "livec-v2", conditions, scoreMany: unused } as unknown as Scorer;
  for await (const _ of scoreStored(store, scorer, []));
  const { id } = store.scorers[0]!;
  const feature = Float32Array.from({ length: 576 }, Math.random);
  const seconds = async (label: string, work: () => Promise<void> | void) => {
    const start = performance.now();
    await work();
    const took = (performance.now() - start) / 1000;
    console.log(`${label}: ${took.toFixed(1)} s, ${((1e6 * took) / rows).toFixed(0)} µs a row`);
  };
  const hashes = paths.map((_, i) => new Uint8Array(createHash("sha256").update(String(i)).digest()));
  await seconds("write, a transaction each", () => {
    for (const [i, path] of paths.entries()) {
      const interval = { low: 40.123456789, high: 60.987654321, level: 0.9 };
      const typicality = { share: 0.5123, word: "typical" as const };
      const score = {
        score: i / rows,
        range,
        interval,
        typicality,
        sharpness: 0.123456789,
        width: 6000,
        height: 4000,
        model: "livec-v2",
      };
      store.put(id, { path, state: fileState(path), content: hashes[i]! }, { ...score, feature });
    }
  });
  await seconds("second run, all in the store", async () => {
    let stored = 0;
    for await (const one of scoreStored(store, scorer, paths)) if (one.stored) stored++;
    if (stored !== rows) throw new Error(`${stored} of ${rows} were in the store`);
  });
  for (const features of [false, true])
    await seconds(`read all ${features ? "with" : "without"} features`, () => {
      let count = 0;
      for (const _ of store.pictures({ features })) count++;
      if (count !== rows) throw new Error(`${count} of ${rows} were read`);
    });
  console.log(
    `${(statSync(store.path).size / 1e6).toFixed(0)} MB, ${Math.round(process.memoryUsage().rss / 1e6)} MB of memory`,
  );
} finally {
  rmSync(folder, { recursive: true });
}
