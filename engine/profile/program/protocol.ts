// What a profiled program writes down and the profiler reads: one JSON value a line, so that a crash loses little.

import type { Stretch } from "../conditions.ts";

/** How a program is to be profiled; handed to it in the environment. */
export interface ProgramConfig {
  /** Folder for the records, one file for each thread. */
  readonly folder: string;
  /** Whether every dispatch gets a pass of its own; else passes are timed as wholes and no call stacks are taken. */
  readonly split: boolean;
  /** Whether the adapter's timestamps are taken where it has them. */
  readonly timestamps: boolean;
  /** Whether the caches are filled with something else before each dispatch. */
  readonly coldCache: boolean;
  /** Dispatches to be written with their buffers. */
  readonly captures: readonly CaptureRequest[];
}

/** Dispatch number `number`, from 1, of those whose name or label has the text `name`. */
export interface CaptureRequest {
  readonly name: string;
  readonly number: number;
  readonly file: string;
}

/** Name of the environment variable that holds the configuration as JSON. */
export const configVariable = "ACUTANCE_PROFILE";

/** A buffer, or what else is bound, as a shader sees it. */
export interface BoundResource {
  readonly group: number;
  readonly binding: number;
  /** Bytes that the shader can see; 0 for what is no buffer. */
  readonly bytes: number;
  /** "buffer", or the kind of what is no buffer. */
  readonly kind: string;
}

/** What is the same of many timed pieces of work. */
export interface ProgramRow {
  readonly kind: "dispatch" | "pass" | "render" | "transfer";
  /** Of the pass, or the method of a transfer. */
  readonly label: string;
  /** Ids of the pipelines in it, each once, in order. */
  readonly pipelines: readonly number[];
  /** Workgroups; zeros where the adapter decides, or where there are several. */
  readonly grid: readonly [number, number, number];
  readonly bound: readonly BoundResource[];
  /** Marks and debug groups around it, the outer first, joined by "/". */
  readonly scope: string;
  /** Id of the call stack. */
  readonly stack: number;
  /** Dispatches or draws in it. */
  readonly works: number;
  /** Bytes that a transfer moves. */
  readonly bytes: number;
}

/** row, submit, recorded ms, begin ms, end ms, whether its pipeline ran for the first time, bytes in use. */
export type ProgramEvent = readonly [number, number, number, number, number, 0 | 1, number];

export interface DeviceRecord {
  readonly kind: "device";
  readonly id: number;
  readonly provider: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly fallback: boolean;
  readonly features: readonly string[];
  readonly subgroupSize: number;
  readonly timestamps: boolean;
  /** Half the width of the narrowest interval that holds the offset of the clocks, ms. */
  readonly uncertaintyMs: number;
}

export interface ProgramState {
  readonly kind: "state";
  readonly wallMs: number;
  readonly encodeMs: number;
  readonly ownMs: number;
  readonly peakBytes: number;
  readonly owners: readonly (readonly [string, number])[];
  /** Calls, ms of the host and bytes by method. */
  readonly calls: readonly (readonly [string, number, number, number])[];
  readonly devices: readonly {
    readonly id: number;
    readonly submits: number;
    /** Pieces of work whose times the adapter has not told. */
    readonly untimed: number;
    readonly stepNanoseconds: number;
    readonly driftMs: number;
  }[];
}

export type ProgramRecord =
  | { readonly kind: "start"; readonly runtime: string; readonly system: string; readonly at: string }
  | DeviceRecord
  | { readonly kind: "module"; readonly id: number; readonly label: string; readonly wgsl: string }
  | {
      readonly kind: "pipeline";
      readonly id: number;
      readonly label: string;
      readonly module: number;
      readonly entryPoint: string;
      readonly constants: Readonly<Record<string, number>>;
      readonly stage: "compute" | "render";
    }
  | { readonly kind: "stack"; readonly id: number; readonly frames: readonly string[] }
  | { readonly kind: "row"; readonly id: number; readonly row: ProgramRow }
  | { readonly kind: "stretches"; readonly stretches: readonly Stretch[] }
  | { readonly kind: "events"; readonly device: number; readonly events: readonly ProgramEvent[] }
  | ProgramState
  | { readonly kind: "captured"; readonly file: string; readonly raw: string }
  | { readonly kind: "end"; readonly code: number };
