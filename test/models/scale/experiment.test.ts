import { describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compareExperiments } from "./experiment-runs.ts";
import { withoutRedis } from "./servers.ts";

describe.skipIf(withoutRedis !== undefined)(
  `an experiment by workers${withoutRedis ? ` (${withoutRedis})` : ""}`,
  () => {
    test("finds what a single process does, to the bit, also when one is killed, and trains nothing twice", async () => {
      const folder = await mkdtemp(join(tmpdir(), "acutance-experiment-queue-"));
      try {
        const variants = [{ name: "a" }, { name: "b", neighbours: 3 }];
        const compared = await compareExperiments(folder, { seeds: [1], variants, workers: 2, kills: 1, pictures: 20 });
        expect(compared.different).toEqual([]);
        // Both variants go on from one first stage.
        expect(compared).toMatchObject({
          trainings: 3,
          begun: 3,
          resumed: 1,
          killed: 1,
          rows: { runs: 2, results: 3 },
        });
        expect(compared.complaints).toContain("3 of 3 trainings: ");
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }, 120_000);
  },
);
