import { appendFileSync } from "node:fs";
import type { ProgramEvent, ProgramRecord, ProgramRow } from "./protocol.ts";

/** Frames of a call stack that are kept. */
const keptFrames = 8;
const ownFolder = new URL(".", import.meta.url).pathname;

/** A piece of work that is timed. */
export interface Work {
  readonly row: number;
  readonly recordedMs: number;
  readonly cold: boolean;
  readonly usedBytes: number;
  submit: number;
}

/** Gathers what a thread of a program does and appends it to its file. */
export class Recorder {
  readonly #file: string;
  readonly startMs = performance.now();
  readonly #rows = new Map<string, number>();
  readonly #stacks = new Map<string, number>();
  readonly #calls = new Map<string, { calls: number; ms: number; bytes: number }>();
  readonly #events = new Map<number, ProgramEvent[]>();
  #lines: string[] = [];
  #ids = 0;
  /** Host time within methods that record and submit, and within the profiler. */
  encodeMs = 0;
  ownMs = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** Milliseconds since the start. */
  nowMs(): number {
    return performance.now() - this.startMs;
  }

  nextId(): number {
    return this.#ids++;
  }

  write(record: ProgramRecord): void {
    this.#lines.push(JSON.stringify(record));
  }

  /** Takes down a call of a method. */
  readonly timed = (method: string, insideMs: number, aroundMs: number): void => {
    const entry = this.#call(method);
    entry.calls++;
    entry.ms += insideMs;
    this.ownMs += aroundMs;
    if (/Encoder\.|submit$/.test(method)) this.encodeMs += insideMs;
  };

  /** Adds to the bytes that a method moves. */
  moved(method: string, bytes: number): void {
    this.#call(method).bytes += bytes;
  }

  /** Adds a wait that a method promised. */
  waited(method: string, ms: number): void {
    const entry = this.#call(`${method}, waiting`);
    entry.calls++;
    entry.ms += ms;
  }

  get calls(): (readonly [string, number, number, number])[] {
    return [...this.#calls].map(([method, { calls, ms, bytes }]) => [method, calls, ms, bytes]);
  }

  rowOf(row: ProgramRow): number {
    const key = JSON.stringify(row);
    let id = this.#rows.get(key);
    if (id === undefined) {
      id = this.#rows.size;
      this.#rows.set(key, id);
      this.write({ kind: "row", id, row });
    }
    return id;
  }

  /** Where the program is now. */
  stackOf(): number {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = keptFrames + 8;
    const text = new Error().stack ?? "";
    Error.stackTraceLimit = stackTraceLimit;
    let id = this.#stacks.get(text);
    if (id === undefined) {
      id = this.#stacks.size;
      this.#stacks.set(text, id);
      this.write({ kind: "stack", id, frames: framesOf(text) });
    }
    return id;
  }

  timedWork(device: number, { row, recordedMs, cold, usedBytes, submit }: Work, beginMs: number, endMs: number): void {
    let events = this.#events.get(device);
    if (!events) {
      events = [];
      this.#events.set(device, events);
    }
    const [begin, end] = [beginMs - this.startMs, endMs - this.startMs];
    events.push([row, submit, rounded(recordedMs), rounded(begin), rounded(end), cold ? 1 : 0, usedBytes]);
  }

  /** Puts what was gathered into the file. */
  flush(): void {
    for (const [device, events] of this.#events)
      if (events.length > 0) this.write({ kind: "events", device, events: events.splice(0) });
    if (this.#lines.length === 0) return;
    const lines = this.#lines;
    this.#lines = [];
    appendFileSync(this.#file, `${lines.join("\n")}\n`);
  }

  #call(method: string) {
    let entry = this.#calls.get(method);
    if (!entry) {
      entry = { calls: 0, ms: 0, bytes: 0 };
      this.#calls.set(method, entry);
    }
    return entry;
  }
}

/** To the nanosecond. */
function rounded(ms: number): number {
  return Math.round(ms * 1e6) / 1e6;
}

/** The program's own frames, the innermost first, without those of the profiler and of the runtime. */
function framesOf(stack: string): string[] {
  const folder = `${process.cwd()}/`;
  return stack
    .split("\n")
    .slice(1)
    .map((line) => line.trim().replace(/^at /, ""))
    .filter((line) => !line.includes(ownFolder) && !/\b(node|native|ext):/.test(line) && !/<anonymous>\)?$/.test(line))
    .map((line) => line.replaceAll("file://", "").replaceAll(folder, ""))
    .slice(0, keptFrames);
}
