import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Stretch } from "../conditions.ts";
import type { DeviceRecord, ProgramEvent, ProgramRecord, ProgramRow, ProgramState } from "./protocol.ts";

type Of<Kind extends ProgramRecord["kind"]> = Extract<ProgramRecord, { kind: Kind }>;

/** What one thread of a program wrote down. */
export interface ThreadRecords {
  readonly start: Of<"start">;
  readonly devices: readonly DeviceRecord[];
  readonly modules: ReadonlyMap<number, Of<"module">>;
  readonly pipelines: ReadonlyMap<number, Of<"pipeline">>;
  readonly stacks: ReadonlyMap<number, readonly string[]>;
  readonly rows: ReadonlyMap<number, ProgramRow>;
  readonly events: ReadonlyMap<number, readonly ProgramEvent[]>;
  /** What the machine did meanwhile, ms from the start. */
  readonly stretches: readonly Stretch[];
  /** The last that was written. */
  readonly state: ProgramState | undefined;
  readonly captured: readonly Of<"captured">[];
  /** Whether it wrote its end. */
  readonly ended: boolean;
}

/** The records of all threads of a program that opened a device. */
export function readRecords(folder: string): ThreadRecords[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith(".jsonl"));
  return files.sort().flatMap((name) => readThread(readFileSync(join(folder, name), "utf8")) ?? []);
}

function readThread(text: string): ThreadRecords | undefined {
  const records = text.split("\n").flatMap((line): ProgramRecord[] => {
    if (line === "") return [];
    try {
      return [JSON.parse(line) as ProgramRecord];
    } catch {
      // A line that a crash cut short.
      return [];
    }
  });
  const all = <Kind extends ProgramRecord["kind"]>(kind: Kind) =>
    records.filter((record): record is Of<Kind> => record.kind === kind);
  const byId = <Kind extends "module" | "pipeline" | "stack" | "row">(kind: Kind) =>
    new Map(all(kind).map((record) => [(record as { id: number }).id, record]));
  const [start] = all("start");
  const devices = all("device");
  if (!start || devices.length === 0) return undefined;
  const events = new Map<number, ProgramEvent[]>(devices.map(({ id }) => [id, []]));
  for (const { device, events: more } of all("events")) for (const event of more) events.get(device)?.push(event);
  return {
    start,
    devices,
    modules: byId("module"),
    pipelines: byId("pipeline"),
    stacks: new Map(all("stack").map(({ id, frames }) => [id, frames])),
    rows: new Map(all("row").map(({ id, row }) => [id, row])),
    events,
    stretches: all("stretches").flatMap(({ stretches }) => stretches),
    state: all("state").at(-1),
    captured: all("captured"),
    ended: all("end").length > 0,
  };
}
