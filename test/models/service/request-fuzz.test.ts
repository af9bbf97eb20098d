import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runtimesHere } from "../../runtime/runtimes.ts";
import { knownScores } from "../scoring/fixtures.ts";
import { fuzzRuntime } from "./fuzz-process.ts";

/** Requests for each runtime; `bun run fuzz:service` sends 100,000. */
const count = 400;

let folder = "";
let known: Awaited<ReturnType<typeof knownScores>>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "acutance-fuzz-"));
  known = await knownScores(folder, 12);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

const runtimes = runtimesHere("Bun", "Node", "Deno");

test.each(runtimes.map((runtime) => [runtime.name, runtime] as const))(
  `under %s ${count} requests by a grammar are answered or ended, and pictures get their scores between them`,
  async (_, runtime) => {
    const good = { bytes: known.pictures[11]!, score: known.expected[11]! };
    const { answers, good: scored } = await fuzzRuntime(runtime, known.model, good, { count });
    expect(Object.values(answers).reduce((sum, each) => sum + each, 0)).toBe(count);
    expect(scored).toBe(4);
    // Some are refused for what they are, some for how they are written; a service that says the same to all looks at none.
    for (const status of ["200", "400", "415"]) expect(answers[status]).toBeGreaterThan(0);
  },
  180_000,
);
