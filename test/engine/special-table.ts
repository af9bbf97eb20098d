/**
 * `bun run special`: runs every case of test/golden/special.json on each adapter at hand and prints, for every operation,
 * what special values in its first input make of the output and of that input's gradient. A cell that is not the same on
 * all adapters names them.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Device } from "../../engine/device/device.ts";
import { openDevice } from "../../engine/index.ts";
import { findDrivers } from "../runtime/drivers.ts";
import {
  complaints,
  expectedNumbers,
  type Outcome,
  outcomes,
  type Special,
  type SpecialCase,
  type SpecialGroup,
  specialGroups,
  specials,
} from "./special.ts";

interface Report {
  readonly adapter: string;
  /** By operation and special value. */
  readonly cells: Record<string, Partial<Record<Special, string>>>;
  readonly agreeing: Record<string, readonly [right: number, all: number]>;
}

const names = Object.keys(specials) as Special[];

/** The kinds of numbers among those that are not as without the special value. */
function kinds(group: SpecialGroup, place: SpecialCase, outcome: Outcome, i: number): string[] {
  const results = place.results[i]?.split(" ");
  const numbers = outcome[i];
  if (!results || !numbers) return [];
  const ordinary = expectedNumbers(group, group.ordinary, i)!;
  return Array.from(numbers).flatMap((x, at) => {
    if (Number.isNaN(x)) return ["NaN"];
    if (!Number.isFinite(x)) return [x > 0 ? "∞" : "−∞"];
    if (Math.abs(x - ordinary[at]!) <= 1e-3 * Math.max(1, Math.abs(ordinary[at]!))) return [];
    return [Math.abs(x) < 1.2e-38 ? "0" : "number"];
  });
}

const order = ["NaN", "∞", "−∞", "0", "number"];
const inOrder = (found: ReadonlySet<string>) => order.filter((kind) => found.has(kind)).join(" ") || "=";

async function report(device: Device): Promise<Report> {
  const seen = new Map<string, Map<Special, [Set<string>, Set<string>]>>();
  const agreeing: Record<string, readonly [number, number]> = {};
  for (const group of specialGroups()) {
    const { operation, cases } = group;
    const found = await outcomes(device, group, cases);
    const right = cases.filter((place, i) => complaints(group, place, found[i]!).length === 0).length;
    const [rightBefore, allBefore] = agreeing[operation] ?? [0, 0];
    agreeing[operation] = [rightBefore + right, allBefore + cases.length];
    const row = seen.get(operation) ?? new Map<Special, [Set<string>, Set<string>]>();
    seen.set(operation, row);
    for (const [k, place] of cases.entries()) {
      if (place.target !== 0) continue;
      const cell = row.get(place.special) ?? [new Set<string>(), new Set<string>()];
      row.set(place.special, cell);
      for (const i of [0, 1]) for (const kind of kinds(group, place, found[k]!, i)) cell[i]!.add(kind);
    }
  }
  const cells: Report["cells"] = {};
  for (const [operation, row] of seen) {
    cells[operation] = Object.fromEntries(
      [...row].map(([special, [forward, backward]]) => [special, `${inOrder(forward)} / ${inOrder(backward)}`]),
    );
  }
  return { adapter: device.info.description, cells, agreeing };
}

function table(reports: readonly Report[]): string {
  const cell = (operation: string, special: Special) => {
    const said = reports.map(({ adapter, cells }) => [adapter, cells[operation]?.[special] ?? ""] as const);
    if (said.every(([, text]) => text === said[0]![1])) return said[0]![1];
    return said.map(([adapter, text]) => `${adapter}: ${text}`).join("; ");
  };
  const header = ["operation", ...names, ...reports.map(({ adapter }) => `as PyTorch: ${adapter}`)];
  const rows = Object.keys(reports[0]!.cells)
    .sort()
    .map((operation) => [
      operation,
      ...names.map((special) => cell(operation, special)),
      ...reports.map(({ agreeing }) => agreeing[operation]!.join(" of ")),
    ]);
  return [header, header.map(() => "---"), ...rows].map((line) => `| ${line.join(" | ")} |`).join("\n");
}

if (process.argv.includes("--one")) {
  console.log(JSON.stringify(await report(await openDevice())));
  process.exit(0);
}
const reports: Report[] = [];
for (const driver of findDrivers()) {
  if (driver.missing) {
    console.error(`${driver.name} is left out: ${driver.missing}`);
    continue;
  }
  const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), "--one"], {
    env: { ...process.env, ...driver.environment },
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (child.status !== 0) throw new Error(`${driver.name}: the run ended with code ${child.status}`);
  const found: Report = JSON.parse(child.stdout.trim().split("\n").at(-1)!);
  if (!reports.some(({ adapter }) => adapter === found.adapter)) reports.push(found);
}
console.log(table(reports));
process.exit(reports.every(({ agreeing }) => Object.values(agreeing).every(([right, all]) => right === all)) ? 0 : 1);
