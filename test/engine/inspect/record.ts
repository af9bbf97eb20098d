// `bun run kernels:record`: runs the tests in which kernels run and keeps what they ran in variants.json, some ten minutes. With
// paths of tests it runs those, adds what they run, and drops what cannot be made of the sources any more: after a kernel got
// other constants, `bun run kernels:record test/engine/ops/softmax` say.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { canBeMade, recorded, type Variant } from "./variants.ts";

const here = new URL("./", import.meta.url);
const chosen = process.argv.slice(2);
const all = [
  ...["test/engine/ops", "test/engine/graph", "test/engine/optim", "test/engine/numbers", "test/engine/half-tensors"],
  ...["test/engine/random", "test/engine/elements", "test/models/backbones", "test/models/classic"],
  ...["test/models/metrics", "test/models/networks", "test/models/views", "test/models/data/degraded"],
];
/** Kernels that the tuner and `doctor` run past the dispatcher, and those of several ranks, which run in other processes. */
const bare: readonly Variant[] = [
  { kernel: "norm/merge", constants: { BLOCK: 64, OWN: true, WORKGROUP: 64 }, halves: [] },
  { kernel: "norm/merge_ranks", constants: { WORKGROUP: 64 }, halves: [] },
  { kernel: "doctor/square", constants: {}, halves: [] },
  { kernel: "roof/count", constants: {}, halves: [] },
  ...["f32", "i32", "f16"].flatMap((TYPE) =>
    [1, 2, 3, 4, 8].map((CHAINS) => ({
      kernel: "roof/multiply_add",
      constants: { PAIRS: 4, TURNS: 256, SEEDS: 15, TYPE, CHAINS, WORKGROUP: 256 },
      halves: [],
    })),
  ),
  ...[true, false].map((COPY) => ({
    kernel: "roof/stream",
    constants: { UNROLL: 4, TURNS: 64, COPY, WORKGROUP: 256 },
    halves: [],
  })),
  { kernel: "roof/workgroup", constants: { TILE: 512, UNROLL: 8, TURNS: 256, WORKGROUP: 256 }, halves: [] },
];

const folder = mkdtempSync(join(tmpdir(), "acutance-variants-"));
const path = join(folder, "seen.jsonl");
writeFileSync(path, "");
const { status } = spawnSync(
  process.execPath,
  [
    "test",
    "--preload",
    fileURLToPath(new URL("record-variants.ts", here)),
    ...(chosen.length > 0 ? chosen : all),
    "--timeout",
    "120000",
  ],
  { env: { ...process.env, ACUTANCE_VARIANTS: path }, stdio: ["ignore", "ignore", "inherit"] },
);
if (status !== 0) throw new Error(`the tests ended with code ${status}`);
const seen = readFileSync(path, "utf8").trim().split("\n");
rmSync(folder, { recursive: true });
const kept =
  chosen.length > 0
    ? recorded()
        .filter(canBeMade)
        .map((variant) => JSON.stringify(variant))
    : [];
const lines = [
  ...new Set([...kept, ...seen.filter(Boolean), ...bare.map((variant) => JSON.stringify(variant))]),
].sort();
writeFileSync(new URL("variants.json", here), `[\n${lines.join(",\n")}\n]\n`);
console.log(`${lines.length} variants`);
