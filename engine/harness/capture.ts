import { readFileSync, writeFileSync } from "node:fs";
import { strFromU8, strToU8, unzipSync, zipSync } from "fflate";
import { z } from "zod";
import { KernelUsageError } from "./errors.ts";
import type { Scalar } from "./interface.ts";

const count = z.number().int().min(0);

/** `capture.json` of a captured dispatch, a zip that also has its WGSL and the bytes of its buffers. */
const captureSchema = z.strictObject({
  format: z.literal("acutance-capture"),
  version: z.literal(1),
  /** The program and the adapter that it was taken from. */
  command: z.string(),
  machine: z.string(),
  takenAt: z.iso.datetime(),
  /** Label of the pipeline or its module, else the entry point. */
  kernel: z.string(),
  /** Label of the pass; marks and debug groups around it. */
  label: z.string(),
  scope: z.string(),
  entryPoint: z.string(),
  /** Values of overrides. */
  constants: z.record(z.string(), z.number()),
  grid: z.tuple([count, count, count]),
  /** The layout: what is bound where, the bytes that the shader sees, and the files that hold them before and after. */
  buffers: z.array(
    z.strictObject({
      ...{ group: count, binding: count, bytes: count, before: z.string(), after: z.string() },
      /** Of a texture, whose bytes are rows of so many bytes. */
      texture: z
        .strictObject({
          ...{ format: z.string(), dimension: z.string(), viewDimension: z.string() },
          ...{ width: count, height: count, layers: count, bytesPerRow: count },
        })
        .optional(),
    }),
  ),
  /** As createSampler() was told. */
  samplers: z.array(
    z.strictObject({
      group: count,
      binding: count,
      descriptor: z.record(z.string(), z.union([z.string(), z.number()])),
    }),
  ),
});
export type CaptureRecord = z.infer<typeof captureSchema>;

/** A dispatch with everything that it reads, and what it has written. */
export interface CapturedDispatch {
  readonly record: CaptureRecord;
  readonly wgsl: string;
  /** Bytes of the buffer that is bound there, before and after; undefined where none is. */
  bytesOf(group: number, binding: number): CapturedBytes | undefined;
}

export interface CapturedBytes {
  readonly before: Uint8Array<ArrayBuffer>;
  readonly after: Uint8Array<ArrayBuffer>;
}

const recordFile = "capture.json";
const sourceFile = "kernel.wgsl";

/** Writes a captured dispatch. @param contents bytes by the names that the record gives them */
export function writeCapture(
  path: string,
  record: CaptureRecord,
  wgsl: string,
  contents: ReadonlyMap<string, Uint8Array>,
): void {
  const files = {
    [recordFile]: strToU8(`${JSON.stringify(record, null, 2)}\n`),
    [sourceFile]: strToU8(wgsl),
    ...Object.fromEntries(contents),
  };
  writeFileSync(path, zipSync(files, { level: 6 }));
}

/** Reads a captured dispatch. @throws KernelUsageError when the file cannot be read or is none */
export function readCapture(path: string): CapturedDispatch {
  const files = filesOf(path);
  const text = (name: string) => {
    const file = files[name];
    if (!file) throw new KernelUsageError(`${path} is no captured dispatch: it has no ${name}`);
    return strFromU8(file);
  };
  const parsed = captureSchema.safeParse(jsonOf(text(recordFile)));
  if (!parsed.success) {
    const [{ path: at, message }] = parsed.error.issues as [z.core.$ZodIssue];
    throw new KernelUsageError(
      `${path} is no captured dispatch: ${recordFile}: ${at.join(".") || "(whole)"}: ${message}`,
    );
  }
  const record = parsed.data;
  const bytes = (name: string, size: number) => {
    const file = files[name];
    if (file?.length !== size)
      throw new KernelUsageError(`${path}: ${name} has ${file?.length ?? "no"} bytes, expected ${size}`);
    return new Uint8Array(file);
  };
  const held = new Map(
    record.buffers.map(({ group, binding, bytes: size, before, after }) => [
      `${group} ${binding}`,
      { before: bytes(before, size), after: bytes(after, size) },
    ]),
  );
  return { record, wgsl: text(sourceFile), bytesOf: (group, binding) => held.get(`${group} ${binding}`) };
}

function filesOf(path: string): Record<string, Uint8Array> {
  let file: Buffer;
  try {
    file = readFileSync(path);
  } catch (error) {
    throw new KernelUsageError(`${path} cannot be read: ${(error as Error).message}`);
  }
  try {
    return unzipSync(file);
  } catch (error) {
    throw new KernelUsageError(`${path} is no zip archive: ${(error as Error).message}`);
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Elements of so many bytes; those of structs and the like are words. */
export function capturedShape(bytes: number, scalar: Scalar | undefined): { shape: number[]; type: Scalar } {
  const type = scalar ?? "u32";
  return { shape: [Math.max(1, Math.floor(bytes / (type === "f16" ? 2 : 4)))], type };
}
