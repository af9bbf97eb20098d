import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { runArguments } from "../../engine/device/check.ts";
import { GpuError } from "../../engine/device/errors.ts";
import { keepVectorChoice, type VectorChoice, vectorEnvironment } from "../../engine/device/vectors.ts";

/**
 * Measures whether Mesa's software driver is faster with vectors of 512 bits than with 256 on this processor, and keeps that for the processes
 * that follow. Each width is measured twice, in turns, in processes of its own, which takes some ten seconds.
 * @throws GpuError when a process ends without an answer; the system's error when the choice cannot be kept
 */
export async function measureVectorWidths(): Promise<VectorChoice> {
  const least = { 256: Number.POSITIVE_INFINITY, 512: Number.POSITIVE_INFINITY };
  for (const bits of [512, 256, 512, 256] as const) least[bits] = Math.min(least[bits], await measured(bits));
  return keepVectorChoice(least[256] / least[512]);
}

async function measured(bits: VectorChoice["bits"]): Promise<number> {
  const script = fileURLToPath(new URL("./vector-widths-process.ts", import.meta.url));
  const child = spawn(process.execPath, [...runArguments(), script], {
    env: { ...process.env, ...vectorEnvironment(bits) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [answer, complaint] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  const line = answer.split("\n").find((text) => text.startsWith("{"));
  if (!line) throw new GpuError(`vectors of ${bits} bits could not be measured: ${complaint.trim().slice(-300)}`);
  return (JSON.parse(line) as { milliseconds: number }).milliseconds;
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const piece of stream.setEncoding("utf8")) text += piece;
  return text;
}
