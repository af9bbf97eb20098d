// `bun run matrix`: the tests of engine/ and models/ under every runtime and on every adapter at hand, with a table at the
// end. `--smoke` takes a few files and one adapter a runtime; other words choose files by their path.
// Exit code 1 when a cell that ran has failed; cells that are not here are named with what they need.
import { spawn } from "node:child_process";
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Glob } from "bun";
import { type AdapterCheck, readAnswer } from "../../engine/device/check.ts";
import { type AdapterReport, adapterName } from "../../engine/device/probe.ts";
import { canWidenVectors, vectorEnvironment } from "../../engine/device/vectors.ts";
import { type Driver, findDrivers } from "./drivers.ts";
import { type Counts, countTests } from "./junit.ts";
import { findRuntimes, type Runtime } from "./runtimes.ts";

interface Result {
  readonly runtime: string;
  readonly driver: string;
  readonly report?: AdapterReport;
  readonly counts?: Counts;
  readonly seconds?: number;
  /** Why there are no counts, or why they are not the whole truth. */
  readonly problem?: string;
  readonly missing?: string;
  /** What happened beside the tests. */
  readonly note?: string;
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const probeScript = fileURLToPath(new URL("../../engine/device/probe-process.ts", import.meta.url));
const cellLimitMs = 40 * 60_000;
const probeLimitMs = 120_000;
/** A process of tests keeps about one core busy. */
const cellsAtOnce = 2;

const smokeFiles = [
  "test/engine/device/check.test.ts",
  "test/engine/device/provider.test.ts",
  "test/engine/graph/neighbours.test.ts",
  "test/engine/graph/propagation.test.ts",
  "test/engine/memory.test.ts",
  "test/engine/ops/core.test.ts",
  "test/engine/ops/losses.test.ts",
  "test/engine/ops/softmax.test.ts",
  "test/engine/optim/optimiser.test.ts",
  "test/engine/weights/safetensors.test.ts",
  "test/models/scoring/batches.test.ts",
  "test/models/scoring/lost-device.test.ts",
  "test/models/scoring/picture.test.ts",
  "test/models/scoring/shared-device.test.ts",
  "test/models/scoring/tiles.test.ts",
  "test/models/service/fetch-picture.test.ts",
  "test/models/service/service.test.ts",
];

process.exitCode = await matrix(process.argv.slice(2));

async function matrix(words: readonly string[]): Promise<number> {
  const smoke = words.includes("--smoke");
  const wanted = words.filter((word) => !word.startsWith("-"));
  const all = [...new Glob("test/{engine,models}/**/*.test.ts").scanSync(root)].sort();
  const files = (smoke ? smokeFiles : all).filter((file) => wanted.every((word) => file.includes(word)));
  if (files.length === 0) {
    console.error(`no test file${smoke ? " of the smoke run" : ""} has ${wanted.join(" and ")} in its path`);
    return 1;
  }
  const folder = mkdtempSync(join(tmpdir(), "acutance-matrix-"));
  /** In the order of the table: the cells that run are filled in as they end. */
  const results: Result[] = [];
  const waiting: { readonly runtime: Runtime; readonly cell: Cell; readonly row: number }[] = [];
  const drivers = findDrivers();
  for (const runtime of findRuntimes()) {
    if ("missing" in runtime) {
      results.push({ runtime: runtime.name, driver: "", missing: runtime.missing });
      continue;
    }
    for (const cell of await cells(runtime, drivers)) {
      // Bun on the default adapter is what `bun run test` covers.
      if (smoke && cell.isDefault === (runtime.name === "Bun")) continue;
      const row = results.push(cell) - 1;
      if (!cell.missing && !cell.problem) waiting.push({ runtime, cell, row });
    }
  }
  const inTurn = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift())
      results[next.row] = await runCell(next.runtime, next.cell, files, folder);
  };
  await Promise.all(Array.from({ length: cellsAtOnce }, inTurn));
  console.log(`\n${markdown(results)}\n`);
  const total = (key: "passed" | "failed" | "skipped") =>
    results.reduce((sum, { counts }) => sum + (counts?.[key] ?? 0), 0);
  const broken = results.filter(({ counts, problem }) => problem && !counts?.failed).length;
  const missing = results.filter((result) => result.missing).length;
  const failed = total("failed") + broken;
  console.log(`${total("passed")} passed, ${failed} failed, ${total("skipped") + missing} skipped`);
  if (failed === 0) rmSync(folder, { recursive: true });
  return failed === 0 ? 0 : 1;
}

type Cell = Result & { readonly environment: NodeJS.ProcessEnv; readonly isDefault: boolean };

/** What each driver shows under a runtime. The default one is left out where it is one of those chosen by name. */
async function cells(runtime: Runtime, drivers: readonly Driver[]): Promise<Cell[]> {
  const found: Cell[] = [];
  let own: Cell | undefined;
  for (const driver of drivers) {
    // The widest vectors, which no other tests have.
    const vectors = canWidenVectors() ? vectorEnvironment(512) : {};
    const environment = { ...process.env, ...vectors, ...driver.environment, NO_COLOR: "1" };
    const base = { runtime: runtime.name, driver: driver.name, environment, isDefault: driver.name === "default" };
    if (driver.missing) {
      found.push({ ...base, missing: driver.missing });
      continue;
    }
    const check = await probe(runtime, environment);
    if (!check.ok) {
      // A driver that is there and does not work is a failure.
      found.push({ ...base, [check.kind === "NoAdapterError" ? "missing" : "problem"]: check.message });
      continue;
    }
    const { report } = check;
    const cell: Cell = { ...base, runtime: report.runtime, report };
    if (base.isDefault) own = cell;
    else if (driver.known.test(`${report.device} ${report.description}`)) {
      const isOwn = own?.report?.description === report.description;
      if (isOwn) own = undefined;
      found.push({ ...cell, isDefault: isOwn });
    } else found.push({ ...cell, missing: `the runtime takes ${adapterName(report)} instead` });
  }
  return own ? [own, ...found] : found;
}

async function probe(runtime: Runtime, environment: NodeJS.ProcessEnv): Promise<AdapterCheck> {
  let stdout = "";
  let stderr = "";
  const end = await execute(
    [...runtime.command, ...runtime.run, probeScript],
    environment,
    probeLimitMs,
    (text, isError) => {
      if (isError) stderr += text;
      else stdout += text;
    },
  );
  return readAnswer(stdout, stderr, end.code, end.signal, probeLimitMs);
}

/** Runs the files in one cell; the output goes to a log file. */
async function runCell(runtime: Runtime, cell: Cell, files: readonly string[], folder: string): Promise<Result> {
  const { environment, isDefault: _, ...known } = cell;
  const name = `${known.runtime}, ${known.driver}`;
  const path = join(folder, name.replace(/\W+/g, "-"));
  const log = createWriteStream(`${path}.log`);
  console.log(`${name}: ${files.length} files on ${known.report!.description || adapterName(known.report!)} ...`);
  const start = performance.now();
  const command = [...runtime.command, ...runtime.test(files, `${path}.xml`)];
  const end = await execute(command, environment, cellLimitMs, (text) => log.write(text));
  log.end();
  const seconds = (performance.now() - start) / 1000;
  const counts = readCounts(`${path}.xml`);
  const total = counts.passed + counts.failed + counts.skipped;
  const how = end.signal ? `ended by ${end.signal}` : `ended with code ${end.code}`;
  // Deno now and then crashes while it frees devices at its end, after the report; see the same in readAnswer().
  const atEnd = total > 0 && counts.complete && (end.signal !== null || (end.code ?? 0) > 128);
  const note = atEnd ? `${how}, after the last test` : undefined;
  const isBroken = total === 0 || (end.code !== 0 && counts.failed === 0 && !atEnd);
  const problem = isBroken ? `${how}; see ${path}.log` : undefined;
  console.log(
    `${name}: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped in ${seconds.toFixed(0)} s`,
  );
  if (problem ?? note) console.log(`  ${problem ?? note}`);
  else if (counts.failed) console.log(`  ${counts.failures.join("\n  ")}\n  see ${path}.log`);
  return { ...known, counts, seconds, problem, note };
}

function readCounts(path: string): Counts {
  try {
    return countTests(readFileSync(path, "utf8"));
  } catch {
    return countTests("");
  }
}

/** Runs a command in the project's folder; `heard` gets its output as it comes. */
async function execute(
  [program, ...words]: readonly string[],
  environment: NodeJS.ProcessEnv,
  limitMs: number,
  heard: (text: string, isError: boolean) => void,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  const child = spawn(program!, words, {
    cwd: root,
    env: environment,
    stdio: ["ignore", "pipe", "pipe"],
    timeout: limitMs,
    killSignal: "SIGKILL",
    shell: process.platform === "win32",
  });
  child.stdout.setEncoding("utf8").on("data", (text: string) => heard(text, false));
  child.stderr.setEncoding("utf8").on("data", (text: string) => heard(text, true));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
}

/** The table for README. */
function markdown(results: readonly Result[]): string {
  const headers = ["runtime", "provider", "adapter", "f16", "subgroups", "timestamps", "invocations", "alignment"];
  const rows = results.map(({ runtime, driver, report, counts, seconds, problem, missing, note }) => {
    if (!report || !counts) {
      return [runtime, "", driver, "", "", "", "", "", missing ? `not here: ${missing}` : `failed: ${problem}`, ""];
    }
    const { features, limits, subgroups, provider, providerVersion } = report;
    const has = (feature: string) => (features.includes(feature) ? "yes" : "no");
    const tests = `${counts.passed} / ${counts.failed} / ${counts.skipped}${(problem ?? note) ? ` (${problem ?? note})` : ""}`;
    return [
      runtime,
      provider === "webgpu" ? `${provider} ${providerVersion}` : provider,
      driver === "default" ? adapterName(report) : driver,
      has("shader-f16"),
      subgroups
        ? subgroups.minimum === subgroups.maximum
          ? `${subgroups.minimum}`
          : `${subgroups.minimum}-${subgroups.maximum}`
        : "no",
      has("timestamp-query"),
      `${limits.maxComputeInvocationsPerWorkgroup}`,
      `${limits.minStorageBufferOffsetAlignment} B`,
      tests,
      seconds!.toFixed(0),
    ];
  });
  const lines = [[...headers, "passed / failed / skipped", "s"], [...headers, "", ""].map(() => "---"), ...rows];
  return lines.map((cellsOfLine) => `| ${cellsOfLine.join(" | ")} |`).join("\n");
}
