import { greatestCommonDivisor } from "../../kernel/grid.ts";
import { AdapterClock, type Anchor } from "../adapter-clock.ts";
import { CacheFlush } from "../cache-flush.ts";
import { currentScope } from "../scopes.ts";
import type { ProgramMemory } from "./memory.ts";
import { quietly } from "./methods.ts";
import type { ProgramConfig, ProgramRow } from "./protocol.ts";
import type { Recorder, Work } from "./recorder.ts";
import { type Chunk, ProgramTimestamps } from "./timestamps.ts";

/** Chunks of timestamps that wait before they are read without anybody waiting for the adapter. */
const chunksToRead = 32;

/** A pipeline of the program. */
export interface PipelineInfo {
  readonly id: number;
  readonly name: string;
  used: boolean;
}

/** What a bind group binds, as createBindGroup was told. */
export interface BoundEntry {
  readonly binding: number;
  readonly kind: string;
  readonly buffer: GPUBuffer | undefined;
  /** A view of a texture. */
  readonly view?: ViewInfo | undefined;
  /** Descriptor of a sampler. */
  readonly sampler?: GPUSamplerDescriptor | undefined;
  readonly offset: number;
  readonly bytes: number;
  /** Whether a dynamic offset is added. */
  readonly dynamic: boolean;
}

/** A view and the texture behind it. */
export interface ViewInfo {
  readonly texture: GPUTexture;
  readonly view: GPUTextureViewDescriptor;
}

/** What a group of a pass binds. */
export interface BoundAt extends BoundEntry {
  readonly group: number;
}

/** What the whole thread shares. */
export interface Shared {
  readonly config: ProgramConfig;
  readonly recorder: Recorder;
  readonly memory: ProgramMemory;
  readonly pipelines: WeakMap<object, PipelineInfo>;
  readonly groups: WeakMap<object, readonly BoundEntry[]>;
  readonly views: WeakMap<object, ViewInfo>;
  readonly samplers: WeakMap<object, GPUSamplerDescriptor>;
  /** What must end before the program does. */
  readonly pending: Set<Promise<void>>;
}

/** Commands of an encoder, once it is finished. */
export interface FinishedCommands {
  readonly chunks: readonly Chunk[];
  readonly works: readonly Work[];
  /** Called when the commands have been handed over. */
  readonly submitted: readonly (() => void)[];
}

/** One device of a program. */
export class ProgramDevice {
  readonly id: number;
  readonly gpu: GPUDevice;
  readonly shared: Shared;
  readonly commands = new WeakMap<object, FinishedCommands>();
  stamps: ProgramTimestamps | undefined;
  #flush: CacheFlush | undefined;
  clock: AdapterClock | undefined;
  submits = 0;
  driftMs = 0;
  /** The largest step that all timestamps so far are multiples of, ns. */
  stepNanoseconds = 0;
  #recorded = 0;
  #timed = 0;

  constructor(id: number, gpu: GPUDevice, shared: Shared) {
    this.id = id;
    this.gpu = gpu;
    this.shared = shared;
  }

  /** Tries the adapter's timestamps. */
  async open(): Promise<void> {
    if (!this.shared.config.timestamps || !this.gpu.features.has("timestamp-query")) return;
    const stamps = new ProgramTimestamps(this.gpu);
    const anchor = () => this.#anchor(stamps);
    this.clock = await AdapterClock.open(anchor, () => this.stepNanoseconds / 1e6).catch(() => undefined);
    if (this.clock) this.stamps = stamps;
  }

  /** A timestamp between two looks at the host's clock. */
  async #anchor(stamps: ProgramTimestamps): Promise<Anchor> {
    const { gpu } = this;
    const chunks: Chunk[] = [];
    let stamp = 0n;
    const commands = quietly(() => {
      const encoder = gpu.createCommandEncoder();
      const { set, begin } = stamps.pair(chunks, (_, end) => {
        this.#refine(end);
        stamp = end;
      });
      const timestampWrites = { querySet: set, beginningOfPassWriteIndex: begin, endOfPassWriteIndex: begin + 1 };
      encoder.beginComputePass({ timestampWrites }).end();
      stamps.resolve(encoder, chunks);
      return encoder.finish();
    });
    const before = performance.now();
    await quietly(() => {
      gpu.queue.submit([commands]);
      return gpu.queue.onSubmittedWorkDone();
    });
    const after = performance.now();
    stamps.submitted(chunks);
    await stamps.read();
    return { stamp, before, after };
  }

  /** The step divides every timestamp. The last 2^52 ns are looked at, which a number holds exactly. */
  #refine(stamp: bigint): void {
    this.stepNanoseconds = greatestCommonDivisor(Number(stamp % 2n ** 52n), this.stepNanoseconds);
  }

  /** Fills the caches with something else, where that is asked for. */
  coolCache(encoder: GPUCommandEncoder): void {
    if (!this.shared.config.coldCache) return;
    quietly(() => {
      this.#flush ??= new CacheFlush(this.gpu);
      this.#flush.record(encoder);
    });
  }

  /** Pieces of work whose times nobody has told. */
  get untimed(): number {
    return this.#recorded - this.#timed;
  }

  /** A piece of work that is recorded now. @param cold its pipeline runs for the first time */
  work(row: ProgramRow, cold: boolean, recordedMs = this.shared.recorder.nowMs()): Work {
    const { recorder, memory } = this.shared;
    this.#recorded++;
    return { row: recorder.rowOf(row), recordedMs, cold, usedBytes: memory.usedBytes, submit: 0 };
  }

  /** Takes the times of a piece of work. */
  timed(work: Work, begin: bigint, end: bigint): void {
    this.#timed++;
    const { clock } = this;
    this.#refine(begin);
    this.#refine(end);
    if (clock) this.shared.recorder.timedWork(this.id, work, clock.hostMs(begin), clock.hostMs(end));
  }

  /** The host's clock has to do: all works of a submit share its time. */
  timedByHost(works: readonly Work[], beginMs: number, endMs: number): void {
    const each = (endMs - beginMs) / Math.max(1, works.length);
    for (const [i, work] of works.entries()) {
      this.#timed++;
      this.shared.recorder.timedWork(this.id, work, beginMs + i * each, beginMs + (i + 1) * each);
    }
  }

  /** Command buffers were handed over by the program. */
  submitted(buffers: readonly object[]): void {
    const submit = this.submits++;
    const found = buffers.flatMap((buffer) => this.commands.get(buffer) ?? []);
    for (const { chunks, works, submitted } of found) {
      for (const work of works) work.submit = submit;
      this.stamps?.submitted(chunks);
      for (const tell of submitted) tell();
    }
    if (!this.stamps) this.#timeByHost(found.flatMap(({ works }) => works));
    else if (this.stamps.pending >= chunksToRead) this.read();
  }

  #hostFreeMs = 0;

  #timeByHost(works: readonly Work[]): void {
    if (works.length === 0) return;
    const start = performance.now();
    quietly(() => this.gpu.queue.onSubmittedWorkDone()).then(
      () => {
        const end = performance.now();
        this.timedByHost(works, Math.max(start, this.#hostFreeMs), end);
        this.#hostFreeMs = end;
      },
      () => {}, // lost
    );
  }

  /** Reads what has run and writes it down. */
  async read(): Promise<void> {
    await this.stamps?.read();
    this.shared.recorder.flush();
  }

  /** The path of marks and debug groups. */
  static scopeOf(groups: readonly string[]): string {
    return [currentScope(), ...groups].filter(Boolean).join("/");
  }
}
