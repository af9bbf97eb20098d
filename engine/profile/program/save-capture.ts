import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type CaptureRecord, writeCapture } from "../../harness/capture.ts";
import type { RawCapture } from "./capture.ts";
import { readShader } from "./interface.ts";
import type { CaptureRequest } from "./protocol.ts";
import type { ThreadRecords } from "./read.ts";

/** "LABEL #3": the third dispatch that has LABEL in its pipeline, label or scope; the first without a number. */
export function captureRequest(text: string, file: string): CaptureRequest {
  const match = /^(.*\S)\s*#(\d+)\s*$/s.exec(text);
  return { name: (match?.[1] ?? text).trim(), number: Math.max(1, Number(match?.[2] ?? 1)), file };
}

/**
 * Makes the file of a captured dispatch of what a thread wrote down.
 * @param folder of the records
 * @returns its record
 * @throws Error when something is bound that cannot be kept
 */
export function saveCapture(
  thread: ThreadRecords,
  { file, raw }: ThreadRecords["captured"][number],
  folder: string,
  command: string,
): CaptureRecord {
  const {
    pipeline: id,
    label,
    scope,
    grid,
    buffers,
    samplers,
    others,
  } = JSON.parse(readFileSync(join(folder, raw), "utf8")) as RawCapture;
  const pipeline = thread.pipelines.get(id)!;
  const module = thread.modules.get(pipeline.module);
  if (!module)
    throw new Error(`no source of "${pipeline.label || pipeline.entryPoint}" was seen: it cannot be captured`);
  if (others.length > 0)
    throw new Error(
      `"${pipeline.label || pipeline.entryPoint}" binds ${others.join(", ")}, which cannot be captured: buffers, samplers and textures of one level can`,
    );
  const entryPoint = pipeline.entryPoint || (readShader(module.wgsl).only ?? "main");
  const name = (group: number, binding: number, when: string) => `buffers/${group}-${binding}.${when}.bin`;
  const record: CaptureRecord = {
    format: "acutance-capture",
    version: 1,
    command,
    machine: thread.devices.map(({ description, vendor }) => description || vendor).join(", "),
    takenAt: thread.start.at,
    kernel: pipeline.label || module.label || entryPoint,
    label,
    scope,
    entryPoint,
    constants: { ...pipeline.constants },
    grid: [...grid],
    samplers: samplers.map((sampler) => ({ ...sampler, descriptor: { ...sampler.descriptor } })),
    buffers: buffers.map(({ group, binding, bytes, texture }) => ({
      ...{ group, binding, bytes, ...(texture && { texture }) },
      before: name(group, binding, "before"),
      after: name(group, binding, "after"),
    })),
  };
  const contents = new Map(
    buffers.flatMap(({ group, binding, before, after }) => [
      [name(group, binding, "before"), readFileSync(join(folder, before))] as const,
      [name(group, binding, "after"), readFileSync(join(folder, after))] as const,
    ]),
  );
  writeCapture(file, record, module.wgsl, contents);
  return record;
}
