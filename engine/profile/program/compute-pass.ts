import { captureOf } from "./capture.ts";
import { type BoundAt, type PipelineInfo, ProgramDevice } from "./device.ts";
import type { EncoderState } from "./encoder-state.ts";
import { methodNames, quietly, type Wrapper, wrapMethods } from "./methods.ts";
import type { ProgramRow } from "./protocol.ts";
import type { TakePair } from "./timestamps.ts";

/** A group as it is set, with dynamic offsets. */
interface SetGroup {
  readonly group: object | null | undefined;
  readonly offsets: readonly number[];
}

type Call = (args: readonly unknown[], on?: object) => unknown;
type Native = Record<string, (...args: readonly unknown[]) => unknown>;

/** A dispatch of a pass that is timed as a whole. */
interface Part {
  readonly isCold: boolean;
  readonly row: ProgramRow;
}

/**
 * A compute pass of the program. Where dispatches are timed one by one each has a pass of its own, which the program does not
 * see: what it does to its pass goes to the one that is open now, and what it has set is set again in the next.
 */
export class ComputePass {
  readonly state: EncoderState;
  readonly #descriptor: GPUComputePassDescriptor;
  /** The pass that is open now. */
  #open: GPUComputePassEncoder;
  #take: ((taker: TakePair) => void) | undefined;
  #isUsed = false;
  #isEnded = false;
  #pipeline: GPUComputePipeline | undefined;
  readonly #groups = new Map<number, SetGroup>();
  /** Calls of methods that set something else, the last of each place. */
  readonly #others = new Map<string, readonly [string, readonly unknown[]]>();
  readonly #debug: string[] = [];
  readonly #parts: Part[] = [];
  readonly #startMs: number;
  /** What the program's own timestamps at the end of its pass need. */
  #ownEnd: GPUComputePassTimestampWrites | undefined;
  #endBetween: ((taker: TakePair) => void) | undefined;

  private constructor(state: EncoderState, descriptor: GPUComputePassDescriptor, call: Call) {
    this.state = state;
    const { timestampWrites: own, ...rest } = descriptor;
    this.#descriptor = rest;
    this.#startMs = state.device.shared.recorder.nowMs();
    const { split } = state.device.shared.config;
    if (own && split) this.#splitOwn(own);
    if (own && !split) {
      this.#endBetween = state.between();
      this.#open = call([descriptor]) as GPUComputePassEncoder;
    } else this.#open = this.#begin(call);
  }

  /** @returns the pass for the program, an object of the runtime's */
  static begin(state: EncoderState, descriptor: GPUComputePassDescriptor | undefined, call: Call): object {
    // What cannot be recorded is the runtime's to refuse.
    if (state.isOpen) return call(descriptor === undefined ? [] : [descriptor]) as object;
    const pass = new ComputePass(state, descriptor ?? {}, call);
    const shown = pass.#open;
    state.isOpen = true;
    passes.set(shown, pass);
    wrapMethods("GPUComputePassEncoder", shown, methodsOf(shown), state.device.shared.recorder.timed);
    return shown;
  }

  #begin(call: Call): GPUComputePassEncoder {
    const stamps = this.state.around();
    this.#take = stamps?.take;
    this.#isUsed = false;
    return call([{ ...this.#descriptor, ...(stamps && { timestampWrites: stamps.writes }) }]) as GPUComputePassEncoder;
  }

  /** The program's own timestamps go into empty passes before and behind. */
  #splitOwn({ querySet, beginningOfPassWriteIndex: begin, endOfPassWriteIndex: end }: GPUComputePassTimestampWrites) {
    if (begin !== undefined) this.state.stamp({ querySet, beginningOfPassWriteIndex: begin });
    if (end !== undefined) this.#ownEnd = { querySet, endOfPassWriteIndex: end };
  }

  /** A new pass with everything as it is set in this one. @param meanwhile records between the two */
  #next(meanwhile?: (encoder: GPUCommandEncoder) => void): void {
    const { encoder } = this.state;
    quietly(() => {
      for (const _ of this.#debug) this.#open.popDebugGroup();
      this.#open.end();
      meanwhile?.(encoder);
      this.#open = this.#begin(([descriptor]) => encoder.beginComputePass(descriptor as GPUComputePassDescriptor));
      for (const name of this.#debug) this.#open.pushDebugGroup(name);
      if (this.#pipeline) this.#open.setPipeline(this.#pipeline);
      for (const [index, { group, offsets }] of this.#groups)
        this.#open.setBindGroup(index, group as GPUBindGroup | null, [...offsets]);
      const open = this.#open as unknown as Native;
      for (const [name, args] of this.#others.values()) open[name]!(...args);
    });
  }

  setPipeline(args: readonly unknown[], call: Call): unknown {
    const result = call(args, this.#open);
    this.#pipeline = args[0] as GPUComputePipeline;
    return result;
  }

  setBindGroup(args: readonly unknown[], call: Call): unknown {
    const [index, group, offsets, start, length] = args as [number, object | null, Iterable<number>?, number?, number?];
    const result = call(args, this.#open);
    const list = offsets ? [...offsets] : [];
    const used = start === undefined ? list : list.slice(start, length === undefined ? undefined : start + length);
    this.#groups.set(index, { group, offsets: used });
    return result;
  }

  set(name: string, args: readonly unknown[], call: Call): unknown {
    const result = call(args, this.#open);
    // Data may be changed behind our back.
    const kept = args.map((value) => (ArrayBuffer.isView(value) ? structuredClone(value) : value));
    const [place] = args;
    this.#others.set(typeof place === "number" ? `${name} ${place}` : name, [name, kept]);
    return result;
  }

  debug(name: string, args: readonly unknown[], call: Call): unknown {
    if (name === "pushDebugGroup") this.#debug.push(String(args[0]));
    if (name === "popDebugGroup") this.#debug.pop();
    return call(args, this.#open);
  }

  dispatch(name: string, args: readonly unknown[], call: Call): unknown {
    const { device } = this.state;
    const { split, coldCache } = device.shared.config;
    if (split && coldCache) this.#next((encoder) => device.coolCache(encoder));
    else if (split && this.#isUsed) this.#next();
    const pipeline = this.#pipeline && device.shared.pipelines.get(this.#pipeline);
    const indirect = name === "dispatchWorkgroupsIndirect";
    const [x = 1, y = 1, z = 1] = indirect ? [0, 0, 0] : args.map(Number);
    const row = this.#row(pipeline, [x, y, z], split);
    const capture = split && pipeline && captureOf(device, pipeline, row, () => this.#bound(), indirect ? args : []);
    if (capture) this.#next((encoder) => capture.copyBefore(encoder));
    const result = call(args, this.#open);
    const isCold = pipeline !== undefined && !pipeline.used;
    if (split) {
      this.#isUsed = true;
      const taker = this.state.add(device.work(row, isCold));
      this.#take?.(taker);
    } else this.#parts.push({ isCold, row });
    if (pipeline) pipeline.used = true;
    if (!capture) return result;
    this.#next((encoder) => capture.copyAfter(encoder));
    this.state.submitted.push(() => capture.write());
    return result;
  }

  #row(pipeline: PipelineInfo | undefined, grid: [number, number, number], withStack: boolean): ProgramRow {
    const { recorder } = this.state.device.shared;
    return {
      kind: "dispatch",
      label: this.#descriptor.label ?? "",
      pipelines: pipeline ? [pipeline.id] : [],
      grid,
      bound: this.#bound().map(({ group, binding, bytes, kind }) => ({ group, binding, bytes, kind })),
      scope: ProgramDevice.scopeOf([...this.state.debug, ...this.#debug]),
      stack: withStack ? recorder.stackOf() : -1,
      works: 1,
      bytes: 0,
    };
  }

  /** What the set groups bind; dynamic offsets belong to their bindings in ascending order. */
  #bound(): BoundAt[] {
    const { groups } = this.state.device.shared;
    return [...this.#groups].flatMap(([group, { group: set, offsets }]) => {
      let dynamic = 0;
      return ((set && groups.get(set)) ?? []).map((entry) => ({
        ...entry,
        group,
        offset: entry.offset + (entry.dynamic ? (offsets[dynamic++] ?? 0) : 0),
      }));
    });
  }

  end(args: readonly unknown[], call: Call): unknown {
    const result = call(args, this.#open);
    if (this.#isEnded) return result;
    this.#isEnded = true;
    this.state.isOpen = false;
    if (this.#ownEnd) this.state.stamp(this.#ownEnd);
    if (this.#parts.length > 0) this.#endWhole();
    return result;
  }

  /** The pass as one piece of work; one with a single dispatch is that dispatch. */
  #endWhole(): void {
    const { device } = this.state;
    const [first] = this.#parts;
    const pipelines = [...new Set(this.#parts.flatMap(({ row }) => row.pipelines))];
    const same = this.#parts.every(({ row }) => JSON.stringify(row) === JSON.stringify(first!.row));
    const row: ProgramRow = same
      ? { ...first!.row, works: this.#parts.length }
      : { ...first!.row, kind: "pass", pipelines, grid: [0, 0, 0], bound: [], works: this.#parts.length };
    const isCold = this.#parts.some((part) => part.isCold);
    const taker = this.state.add(device.work(row, isCold, this.#startMs));
    (this.#endBetween ?? this.#take)?.(taker);
  }
}

const passes = new WeakMap<object, ComputePass>();

/** Wrappers for all methods of a pass; those that nobody knows yet set something. */
function methodsOf(sample: object): Record<string, Wrapper> {
  const wrapper = (name: string): Wrapper => {
    return (self, args, call) => {
      const pass = passes.get(self);
      if (!pass) return call(args);
      if (name === "setPipeline") return pass.setPipeline(args, call);
      if (name === "setBindGroup") return pass.setBindGroup(args, call);
      if (name === "end") return pass.end(args, call);
      if (name.startsWith("dispatch")) return pass.dispatch(name, args, call);
      if (/[dD]ebug/.test(name)) return pass.debug(name, args, call);
      return pass.set(name, args, call);
    };
  };
  return Object.fromEntries(methodNames(sample).map((name) => [name, wrapper(name)]));
}
