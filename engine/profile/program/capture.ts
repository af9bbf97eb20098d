import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BoundAt, PipelineInfo, ProgramDevice } from "./device.ts";
import { quietly } from "./methods.ts";
import type { CaptureRequest, ProgramRow } from "./protocol.ts";
import { bytesOfTexture, copyTexture, type KeptTexture, textureOf } from "./texture-copy.ts";

const mapModeRead = 1;
const stagingUsage = 1 | 8;

/** What a program has dispatched of what is asked for. */
const seen = new Map<CaptureRequest, number>();

/** Whether a request means a dispatch: its pipeline, label or scope has that name, or has it in its name. */
function isMeant({ name }: CaptureRequest, pipeline: PipelineInfo, row: ProgramRow): boolean {
  return [pipeline.name, row.label, row.scope].some((text) => text.includes(name));
}

/** The dispatch that is recorded now, if it is to be kept. @param indirect the arguments of an indirect dispatch */
export function captureOf(
  device: ProgramDevice,
  pipeline: PipelineInfo,
  row: ProgramRow,
  bound: () => readonly BoundAt[],
  indirect: readonly unknown[],
): Capture | undefined {
  for (const request of device.shared.config.captures) {
    if (!isMeant(request, pipeline, row)) continue;
    const count = (seen.get(request) ?? 0) + 1;
    seen.set(request, count);
    if (count === request.number) return new Capture(device, request, pipeline, row, bound(), indirect);
  }
  return undefined;
}

/** A buffer or texture of a capture with what it held. */
interface Kept {
  readonly at: BoundAt;
  readonly bytes: number;
  readonly copy: (encoder: GPUCommandEncoder, to: GPUBuffer) => void;
  readonly texture: KeptTexture | undefined;
  readonly before: GPUBuffer;
  readonly after: GPUBuffer;
}

/** What the profiler makes a capture of. */
export interface RawCapture {
  readonly pipeline: number;
  readonly label: string;
  readonly scope: string;
  readonly grid: readonly [number, number, number];
  /** Files of this folder with the bytes before and after. */
  readonly buffers: readonly {
    readonly group: number;
    readonly binding: number;
    readonly bytes: number;
    readonly before: string;
    readonly after: string;
    /** Where it is a texture. */
    readonly texture?: KeptTexture;
  }[];
  readonly samplers: readonly {
    readonly group: number;
    readonly binding: number;
    readonly descriptor: GPUSamplerDescriptor;
  }[];
  /** Kinds of what is bound and cannot be kept. */
  readonly others: readonly string[];
}

/** One dispatch of a program with everything that it reads and writes. */
export class Capture {
  readonly #device: ProgramDevice;
  readonly #request: CaptureRequest;
  readonly #pipeline: PipelineInfo;
  readonly #row: ProgramRow;
  readonly #kept: readonly Kept[];
  readonly #samplers: RawCapture["samplers"];
  readonly #others: readonly string[];
  readonly #arguments: { readonly from: GPUBuffer; readonly offset: number; readonly to: GPUBuffer } | undefined;

  constructor(
    device: ProgramDevice,
    request: CaptureRequest,
    pipeline: PipelineInfo,
    row: ProgramRow,
    bound: readonly BoundAt[],
    indirect: readonly unknown[],
  ) {
    this.#device = device;
    this.#request = request;
    this.#pipeline = pipeline;
    this.#row = row;
    this.#kept = bound.flatMap((at) => this.#keep(at) ?? []);
    this.#samplers = bound.flatMap(({ group, binding, sampler }) =>
      sampler ? [{ group, binding, descriptor: sampler }] : [],
    );
    const places = [...this.#kept.map(({ at }) => at), ...this.#samplers];
    const isKept = ({ group, binding }: BoundAt) =>
      places.some((place) => place.group === group && place.binding === binding);
    this.#others = bound.filter((at) => !isKept(at)).map(({ kind }) => kind);
    const [from, offset = 0] = indirect as [GPUBuffer?, number?];
    this.#arguments = from && { from, offset, to: this.#staging(12) };
  }

  #keep(at: BoundAt): Kept | undefined {
    const found = at.buffer ? undefined : textureOf(at);
    if (!at.buffer && !found) return undefined;
    const bytes = found ? bytesOfTexture(found) : at.bytes;
    const copy = (encoder: GPUCommandEncoder, to: GPUBuffer) =>
      found ? copyTexture(encoder, found, to) : copyBuffer(encoder, at, to);
    const { info: _, ...texture } = found ?? { info: undefined };
    return {
      ...{ at, bytes, copy, before: this.#staging(bytes), after: this.#staging(bytes) },
      texture: found && (texture as KeptTexture),
    };
  }

  #staging(bytes: number): GPUBuffer {
    const size = Math.max(4, Math.ceil(bytes / 4) * 4);
    return quietly(() => this.#device.gpu.createBuffer({ size, usage: stagingUsage, label: "capture" }));
  }

  copyBefore(encoder: GPUCommandEncoder): void {
    for (const { copy, before } of this.#kept) copy(encoder, before);
    if (this.#arguments) {
      const { from, offset, to } = this.#arguments;
      encoder.copyBufferToBuffer(from, offset, to, 0, 12);
    }
  }

  copyAfter(encoder: GPUCommandEncoder): void {
    for (const { copy, after } of this.#kept) copy(encoder, after);
  }

  /** Writes the capture once the adapter has it. */
  write(): void {
    const { pending } = this.#device.shared;
    const writing: Promise<void> = this.#write()
      .catch((error: unknown) => {
        console.error(`note: "${this.#request.name}" could not be captured: ${(error as Error).message}`);
      })
      .finally(() => pending.delete(writing));
    pending.add(writing);
  }

  async #write(): Promise<void> {
    const { config, recorder } = this.#device.shared;
    const stem = `capture-${process.pid}-${config.captures.indexOf(this.#request)}`;
    const buffers: RawCapture["buffers"][number][] = [];
    for (const [i, { at, bytes, texture, before, after }] of this.#kept.entries()) {
      const files = { before: `${stem}-${i}-before.bin`, after: `${stem}-${i}-after.bin` };
      writeFileSync(join(config.folder, files.before), (await contents(before)).subarray(0, bytes));
      writeFileSync(join(config.folder, files.after), (await contents(after)).subarray(0, bytes));
      buffers.push({ group: at.group, binding: at.binding, bytes, ...files, ...(texture && { texture }) });
    }
    const told = this.#arguments && (await contents(this.#arguments.to));
    const [x = 1, y = 1, z = 1] = told ? new Uint32Array(told.buffer) : this.#row.grid;
    const raw: RawCapture = {
      pipeline: this.#pipeline.id,
      label: this.#row.label,
      scope: this.#row.scope,
      grid: [x, y, z],
      buffers,
      samplers: this.#samplers,
      others: this.#others,
    };
    writeFileSync(join(config.folder, `${stem}.json`), JSON.stringify(raw));
    recorder.write({ kind: "captured", file: this.#request.file, raw: `${stem}.json` });
    recorder.flush();
  }
}

function copyBuffer(encoder: GPUCommandEncoder, { buffer, offset, bytes }: BoundAt, to: GPUBuffer): void {
  const size = Math.min(Math.ceil(bytes / 4) * 4, buffer!.size - offset) & ~3;
  if (size > 0) encoder.copyBufferToBuffer(buffer!, offset, to, 0, size);
}

async function contents(buffer: GPUBuffer): Promise<Uint8Array<ArrayBuffer>> {
  await quietly(() => buffer.mapAsync(mapModeRead));
  const copied = new Uint8Array(quietly(() => buffer.getMappedRange()).slice(0));
  quietly(() => buffer.destroy());
  return copied;
}
