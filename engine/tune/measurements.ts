import { type Measured, type Repeatable, ratesOf, timesOf } from "./measured.ts";
import type { Recorder } from "./stopwatch.ts";
import { expectResult, sumOfFirst, type Workbench } from "./workbench.ts";

/** What one variant of a kernel has reached. */
interface Attempt {
  readonly rate: Measured;
  readonly chains?: number;
  readonly workgroup: number;
}

/** Work that is interrupted is slower, never faster: variants are compared by their best runs. */
function better(a: Attempt | undefined, b: Attempt): Attempt {
  return a && a.rate.most >= b.rate.most ? a : b;
}

/** Sizes of workgroups that kernels are tried with. */
function workgroupsOf({ device }: Workbench): number[] {
  return [64, 256].filter((size) => size <= device.gpu.limits.maxComputeInvocationsPerWorkgroup);
}

/** `n` workgroups of a kernel in a pass of their own. */
function inPass({ watch }: Workbench, record: Recorder, most: number, start = 1): Repeatable {
  return { run: (n) => watch.pass((pass) => record(pass, n)), start: Math.min(start, most), most };
}

const arithmetic = { PAIRS: 4, TURNS: 256, SEEDS: 15 } as const;

/** Numbers of independent chains, tried in this order until there are too few registers for them. */
const chainCounts = [1, 2, 3, 4, 8] as const;

/**
 * Multiply-adds in registers, in 10⁹ operations a second, a multiply-add counted as two: the best of several numbers of
 * independent chains and of workgroup sizes.
 */
export async function arithmeticRate(bench: Workbench, type: "f32" | "f16" | "i32"): Promise<Measured> {
  const [first, ...others] = workgroupsOf(bench);
  let best: Attempt | undefined;
  for (const chains of chainCounts) {
    const attempt = await multiplyAdd(bench, type, chains, first!);
    if (best && attempt.rate.most < best.rate.most / 2) break;
    best = better(best, attempt);
  }
  for (const workgroup of others) best = better(best, await multiplyAdd(bench, type, best!.chains!, workgroup));
  return { ...best!.rate, note: `vec4 chains: ${best!.chains}, workgroup: ${best!.workgroup}` };
}

async function multiplyAdd(bench: Workbench, type: string, chains: number, workgroup: number): Promise<Attempt> {
  const { x, y } = bench;
  const { PAIRS, TURNS, SEEDS } = arithmetic;
  const constants = { ...arithmetic, TYPE: type, CHAINS: chains, WORKGROUP: workgroup };
  const seeds = { buffer: x.buffer, sizeBytes: 16 * (SEEDS + 1) };
  const record = bench.kernel("roof/multiply_add", constants).bind({ x: seeds, y });
  bench.clear();
  const times = await timesOf(inPass(bench, record, bench.mostGroups(workgroup)), bench.effort);
  const sums = await bench.results(workgroup);
  for (const [i, sum] of sums.entries()) {
    // An invocation's seed is the numbers 4 (1 + i mod SEEDS) + 0, 1, 2, 3; chain c adds c and both steps together 1.
    const ofSeed = 16 * (1 + (i % SEEDS)) + 6;
    const ofChains = 4 * ((chains * (chains - 1)) / 2);
    expectResult(`${chains} chains of ${type}`, sum, chains * (ofSeed + 4 * TURNS * PAIRS) + ofChains);
  }
  const operations = 2 * 4 * chains * 2 * PAIRS * TURNS * workgroup;
  return { rate: ratesOf(times, operations / 1e9), chains, workgroup };
}

const streaming = { UNROLL: 4, TURNS: 64 } as const;

/**
 * A kernel's copy (read + write) or sum (read) of buffers of `sizeBytes`, with one vec4 an access, over and over, in 10⁹
 * bytes a second.
 */
export async function streamRate(bench: Workbench, kind: "copy" | "read", sizeBytes: number): Promise<Measured> {
  let best: Attempt | undefined;
  for (const workgroup of workgroupsOf(bench)) best = better(best, await stream(bench, kind, sizeBytes, workgroup));
  return { ...best!.rate, note: `workgroup: ${best!.workgroup}` };
}

async function stream(bench: Workbench, kind: "copy" | "read", sizeBytes: number, workgroup: number): Promise<Attempt> {
  const { device, x, y } = bench;
  const copy = kind === "copy";
  const kernel = bench.kernel("roof/stream", { ...streaming, COPY: copy, WORKGROUP: workgroup });
  const record = kernel.bind({ x: { buffer: x.buffer, sizeBytes }, y: copy ? { buffer: y.buffer, sizeBytes } : y });
  const vec4s = streaming.UNROLL * streaming.TURNS * workgroup;
  const most = copy ? device.mostWorkgroups : bench.mostGroups(workgroup);
  bench.clear();
  // A single pass over the buffer at least, or a large one would be measured in the cache.
  const pass = Math.ceil(sizeBytes / 16 / vec4s);
  const times = await timesOf(inPass(bench, record, most, pass), bench.effort);
  if (copy) await checkCopy(bench, sizeBytes);
  else await checkSums(bench, "a sum", workgroup, vec4s);
  return { rate: ratesOf(times, (vec4s * 16 * (copy ? 2 : 1)) / 1e9), workgroup };
}

/** Looks at both ends of a copy. */
async function checkCopy(bench: Workbench, sizeBytes: number): Promise<void> {
  const numbers = sizeBytes / 4;
  const looked = Math.min(1024, numbers);
  for (const from of [0, numbers - looked]) {
    const found = await bench.results(looked, from);
    for (const [i, value] of found.entries()) {
      expectResult(`number ${from + i} of a copy`, value, bench.numberAt(from + i));
    }
  }
}

/** Looks at what the first workgroup has read: so many vec4s together. */
async function checkSums(bench: Workbench, what: string, workgroup: number, vec4s: number): Promise<void> {
  const sums = await bench.results(workgroup);
  const total = sums.reduce((a, b) => a + b, 0);
  expectResult(what, total, sumOfFirst(vec4s));
}

const tile = { TILE: 512, UNROLL: 8, TURNS: 256 } as const;

/** Reads of vec4s from workgroup memory, in 10⁹ bytes a second. */
export async function workgroupRate(bench: Workbench): Promise<Measured> {
  const { x, y } = bench;
  const { TILE, UNROLL, TURNS } = tile;
  let best: Attempt | undefined;
  for (const workgroup of workgroupsOf(bench)) {
    const kernel = bench.kernel("roof/workgroup", { ...tile, WORKGROUP: workgroup });
    const record = kernel.bind({ x: { buffer: x.buffer, sizeBytes: Math.min(TILE * 16, x.sizeBytes) }, y });
    bench.clear();
    const times = await timesOf(inPass(bench, record, bench.mostGroups(workgroup)), bench.effort);
    const vec4s = UNROLL * TURNS * workgroup;
    await checkSums(bench, "a sum in workgroup memory", workgroup, vec4s);
    best = better(best, { rate: ratesOf(times, (vec4s * 16) / 1e9), workgroup });
  }
  return { ...best!.rate, note: `workgroup: ${best!.workgroup}` };
}

/** The adapter's own copy from buffer to buffer (read + write), in 10⁹ bytes a second, by the host's clock. */
export async function bufferCopyRate(bench: Workbench): Promise<Measured> {
  const { device, watch, x, y } = bench;
  bench.clear();
  const run = (n: number) =>
    watch.wall(() => {
      const encoder = device.gpu.createCommandEncoder();
      for (let i = 0; i < n; i++) encoder.copyBufferToBuffer(x.buffer, 0, y.buffer, 0, x.sizeBytes);
      device.gpu.queue.submit([encoder.finish()]);
    });
  const times = await timesOf({ run, most: 4096 }, bench.wallEffort);
  await checkCopy(bench, x.sizeBytes);
  return ratesOf(times, (2 * x.sizeBytes) / 1e9);
}

/** `queue.writeBuffer` until the bytes are on the device, in 10⁹ bytes a second, by the host's clock. */
export async function uploadRate(bench: Workbench): Promise<Measured> {
  const { device, watch, y } = bench;
  const data = Float32Array.from({ length: Math.min(y.sizeBytes, 2 ** 24) / 4 }, (_, i) => bench.numberAt(i));
  bench.clear();
  const run = (n: number) =>
    watch.wall(() => {
      for (let i = 0; i < n; i++) device.gpu.queue.writeBuffer(y.buffer, 0, data);
    });
  const times = await timesOf({ run, most: 64 }, bench.wallEffort);
  await checkCopy(bench, data.byteLength);
  return ratesOf(times, data.byteLength / 1e9);
}
