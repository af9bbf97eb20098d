// `bun test/bench/queue-results.ts [rows]`: how fast a worker's results with features of 576 numbers are written, 64 in a transaction, and what a row takes on the
// disk, in SQLite and in PostgreSQL. Needs Debian's postgresql for the latter.
import { createHash } from "node:crypto";
import { chmodSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SQL } from "bun";
import { openResults } from "../../models/scale/results.ts";
import type { Results } from "../../models/scale/shared-results.ts";
import { startPostgres, withoutPostgres } from "../models/scale/servers.ts";

const rows = Number(process.argv[2] ?? 20_000);
const folder = mkdtempSync(join(tmpdir(), "acutance-queue-results-"));
chmodSync(folder, 0o755);

async function measured(results: Results): Promise<number> {
  const number = await results.scorer({ key: "k", model: "livec-v2", conditions: "{}" });
  const feature = Float32Array.from({ length: 576 }, Math.random);
  const about = {
    interval: { low: 40.123456789, high: 60.987654321, level: 0.9 },
    typicality: { share: 0.5123, word: "typical" as const },
  };
  const score = {
    range: [0, 100] as const,
    ...about,
    sharpness: 0.123456789,
    width: 6000,
    height: 4000,
    model: "livec-v2",
    feature,
  };
  const start = performance.now();
  for (let from = 0; from < rows; from += 64) {
    const entries = Array.from({ length: Math.min(64, rows - from) }, (_, i) => {
      const content = new Uint8Array(
        createHash("sha256")
          .update(String(from + i))
          .digest(),
      );
      const path = `/mnt/photos/2026/${Math.floor(from / 1000)}/DSC_${from + i}.jpg`;
      return [
        { path, state: { size: 3e6, changed: 1e15 }, content },
        { ...score, score: (from + i) / rows },
      ] as const;
    });
    await results.put(number, entries);
  }
  return rows / ((performance.now() - start) / 1000);
}

const told = (name: string, perSecond: number, bytes: number) =>
  console.log(`${name}: ${Math.round(perSecond)} rows/s, ${Math.round(bytes / rows)} bytes a row`);
try {
  {
    await using results = await openResults(join(folder, "scores.db"));
    told("SQLite", await measured(results), statSync(join(folder, "scores.db")).size);
  }
  if (withoutPostgres) console.log(withoutPostgres);
  else {
    await using server = await startPostgres(join(folder, "postgres"), "measured");
    await using results = await openResults(server.url);
    const perSecond = await measured(results);
    await using sql = new SQL(server.url);
    const [{ bytes }] = await sql`SELECT pg_database_size('scores')::float8 AS bytes`;
    told("PostgreSQL", perSecond, bytes);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
